/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what lines.py prints and compares line_number() with it.  Exit status 1 when
 * a line was told wrong; the last line of output is the count.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/line_number.h"

static unsigned long tables, addresses, wrong;

static size_t unhex(const char *text, uint8_t *to)
{
	size_t n = 0;
	unsigned byte;

	for (; text[0] && text[1] && sscanf(text, "%2x", &byte) == 1; text += 2)
		to[n++] = byte;
	return n;
}

static void compare(char *line)
{
	char *save = NULL, *minor = strtok_r(line, " \n", &save);
	char *first = strtok_r(NULL, " \n", &save), *hex = strtok_r(NULL, " \n", &save), *pair;
	uint8_t *table;
	size_t size;

	if (!hex)
		return;
	table = malloc(strlen(hex) / 2 + 1);
	size = unhex(hex, table);
	tables++;
	while ((pair = strtok_r(NULL, " \n", &save))) {
		uint32_t at = strtoul(pair, &pair, 10);
		int64_t theirs = strtoll(pair + 1, NULL, 10);
		int64_t ours = line_number(atoi(minor), strtoul(first, NULL, 10), table, size, size,
					   at);

		addresses++;
		if (ours != theirs && wrong++ < 10)
			printf("table %lu at %" PRIu32 ": %" PRId64 ", not %" PRId64 "\n", tables, at,
			       ours, theirs);
	}
	free(table);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0)
		compare(line);
	free(line);
	printf("%lu tables, %lu addresses, %lu wrong\n", tables, addresses, wrong);
	return wrong || !addresses;
}

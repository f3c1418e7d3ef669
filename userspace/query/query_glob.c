/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/query_glob.h"

#include <stdbool.h>
#include <string.h>

#include "userspace/glob.h"

static bool is_special(char c)
{
	return c && strchr("\\.+*?()|[]{}^$", c);
}

static void member_write(const char *member, FILE *out)
{
	if (strchr("\\[]^-", *member))
		fputc('\\', out);
	fwrite(member, 1, glob_char_size(member), out);
}

/* From after the '[' up to its ']'. */
static void set_write(const char *set, const char *end, FILE *out)
{
	fputc('[', out);
	if (*set == '!' || *set == '^') {
		fputc('^', out);
		set++;
	}
	while (set < end) {
		const char *low, *high;

		set = glob_member_next(set, end, &low, &high);
		member_write(low, out);
		if (high == low)
			continue;
		fputc('-', out);
		member_write(high, out);
	}
	fputc(']', out);
}

void query_glob_write(const char *glob, FILE *out)
{
	const char *end;

	for (; *glob; glob++) {
		if (*glob == '*')
			fputs(".*", out);
		else if (*glob == '?')
			fputc('.', out);
		else if (*glob == '[' && (end = glob_set_end(glob + 1))) {
			set_write(glob + 1, end, out);
			glob = end;
		} else {
			glob += *glob == '\\' && glob[1];
			if (is_special(*glob))
				fputc('\\', out);
			fputc(*glob, out);
		}
	}
}

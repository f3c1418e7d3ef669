/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: kind, length, room for the output, then the str's bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/pystr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pystr s;
	bool truncated;
	size_t room;
	char *text;
	int n;

	if (size < 3)
		return 0;
	s = (struct pystr){ data[0], data[1], data + 3, size - 3 };
	room = data[2];
	text = malloc(room + !room);
	n = pystr_decode(&s, text, room, &truncated);
	if (n >= 0 && ((size_t)n >= room || text[n] || strlen(text) != (size_t)n))
		abort();
	free(text);
	return 0;
}

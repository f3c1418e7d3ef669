/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <wchar.h>

#include "userspace/text.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS "\xe2\x80\xa6"

/* Bytes of the character at s, 0 if it is not UTF-8. */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c = s[0];
	size_t size = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;

	if (size > 1)
		c &= 0x7f >> size;
	for (size_t i = 1; i < size; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (!size || c < least[size] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return size;
}

static bool is_harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

size_t text_repair(char *out, const char *s)
{
	size_t used = 0;

	while (*s) {
		uint32_t c = 0;
		size_t size = decode((const unsigned char *)s, &c);
		bool bad = !size || is_harmful(c);
		size_t copied = bad ? strlen(REPLACEMENT) : size;

		if (out)
			memcpy(out + used, bad ? REPLACEMENT : s, copied);
		used += copied;
		s += size ? size : 1;
	}
	if (out)
		out[used] = 0;
	return used + 1;
}

static int char_width(const char *s, size_t *ret_size)
{
	uint32_t c = 0;
	size_t size = decode((const unsigned char *)s, &c);
	int width = size ? wcwidth(c) : 1;

	*ret_size = size ? size : 1;
	return width < 0 ? 1 : width;
}

int text_width(const char *s)
{
	int width = 0;
	size_t size;

	for (; *s; s += size)
		width += char_width(s, &size);
	return width;
}

size_t text_prefix(const char *s, int width)
{
	size_t kept = 0, size;

	for (; s[kept]; kept += size) {
		width -= char_width(s + kept, &size);
		if (width < 0)
			break;
	}
	return kept;
}

void text_print_field(FILE *out, const char *s, int width)
{
	int used = text_width(s);

	if (width && used > width) {
		fputs(ELLIPSIS, out);
		/* A wide character may take one column more than has to go. */
		for (used++; used > width;) {
			size_t size;

			used -= char_width(s, &size);
			s += size;
		}
	}
	fprintf(out, "%s%*s", s, width > used ? width - used : 0, "");
}

static void amount_scaled(char out[TEXT_AMOUNT_SIZE], double value, const char *unit)
{
	int digits = value < 9.9995 ? 3 : value < 99.995 ? 2 : value < 999.95 ? 1 : 0;

	snprintf(out, TEXT_AMOUNT_SIZE, "%.*f %s", digits, value, unit);
}

void text_amount(char out[TEXT_AMOUNT_SIZE], uint64_t value, bool nanoseconds, bool exact)
{
	static const char *const counts[] = { "", "k", "M", "G", "T", "P" };
	static const char *const times[] = { "ns", "\xc2\xb5s", "ms", "s" };
	const char *const *units = nanoseconds ? times : counts;
	size_t last = nanoseconds ? 3 : 5, i = 0;
	double scaled = value;

	if (exact || value < 1000) {
		snprintf(out, TEXT_AMOUNT_SIZE, "%" PRIu64 "%s", value,
			 nanoseconds && !exact ? " ns" : "");
		return;
	}
	/* What would be rounded up to 1000 belongs to the next unit. */
	for (; scaled >= 999.95 && i < last; i++)
		scaled /= 1000;
	amount_scaled(out, scaled, units[i]);
}

#define DISTANCE_MAX 128

unsigned int text_distance(const char *a, const char *b)
{
	size_t b_size = strnlen(b, DISTANCE_MAX);
	unsigned int row[DISTANCE_MAX + 1];

	for (size_t j = 0; j <= b_size; j++)
		row[j] = j;
	for (unsigned int i = 1; *a && i <= DISTANCE_MAX; i++, a++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			bool same = tolower((unsigned char)*a) ==
				    tolower((unsigned char)b[j - 1]);
			unsigned int best = diagonal + !same;

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_size];
}

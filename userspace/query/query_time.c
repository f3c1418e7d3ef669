/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/query_time.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DIGITS_MAX 12
#define UNIX_DIGITS 9 /* fewer are a span of seconds: nine are from 1973 on */

static const struct {
	char letter;
	uint32_t seconds;
	const char *text;
} units[] = {
	{ 's', 1, "s" },      { 'm', 60, "min" },     { 'h', 3600, "h" },
	{ 'd', 86400, "d" },  { 'w', 7 * 86400, "w" },
};
#define UNITS (sizeof(units) / sizeof(*units))

/* Digits alone: no sign, no blank, as strtoull() would allow. */
static size_t digits_parse(const char *text, uint64_t *ret)
{
	size_t count = 0;

	for (*ret = 0; isdigit((unsigned char)text[count]); count++)
		if (count < DIGITS_MAX)
			*ret = *ret * 10 + (text[count] - '0');
	return count <= DIGITS_MAX ? count : 0;
}

int query_time_span(const char *text, uint64_t *ret_s)
{
	uint64_t value;
	size_t count = digits_parse(text, &value);

	if (!count)
		return -EINVAL;
	if (!text[count]) {
		*ret_s = value;
		return 0;
	}
	for (size_t i = 0; i < UNITS; i++)
		if (text[count] == units[i].letter && !text[count + 1]) {
			*ret_s = value * units[i].seconds;
			return 0;
		}
	return -EINVAL;
}

/* strptime() takes fields of fewer digits and days that are not there. */
static int date_parse(const char *text, uint64_t *ret_s)
{
	static const char *const shapes[] = { "0000-00-00", "0000-00-00T00:00",
					      "0000-00-00T00:00:00" };
	size_t size = strlen(text);
	int year, month, day, hour = 0, minute = 0, second = 0;
	bool known = false;
	struct tm tm;
	time_t t;

	size -= size && text[size - 1] == 'Z';
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		known = strlen(shapes[i]) == size;
		for (size_t at = 0; known && at < size; at++)
			known = shapes[i][at] == '0' ? isdigit((unsigned char)text[at]) != 0
				: shapes[i][at] == 'T' ? text[at] == 'T' || text[at] == ' '
						       : text[at] == shapes[i][at];
		if (known)
			break;
	}
	if (!known || sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &year, &month, &day, &hour,
			     &minute, &second) < 3)
		return -EINVAL;
	if (year < 1970 || year > 2105)
		return -ERANGE;
	tm = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day,
			  .tm_hour = hour, .tm_min = minute, .tm_sec = second };
	t = timegm(&tm);
	/* What it had to carry over was no date. */
	if (tm.tm_mon != month - 1 || tm.tm_mday != day || tm.tm_hour != hour ||
	    tm.tm_min != minute || tm.tm_sec != second)
		return -EINVAL;
	*ret_s = t;
	return 0;
}

int query_time_parse(const char *text, uint64_t now_s, uint64_t *ret_s)
{
	uint64_t value;
	size_t count = digits_parse(text, &value);

	if (!strcmp(text, "now")) {
		*ret_s = now_s;
		return 0;
	}
	if (count >= UNIX_DIGITS && !text[count]) {
		if (value > UINT32_MAX)
			return -ERANGE;
		*ret_s = value;
		return 0;
	}
	if (query_time_span(text, &value))
		return date_parse(text, ret_s);
	if (value > now_s)
		return -ERANGE;
	*ret_s = now_s - value;
	return 0;
}

void query_time_text(char out[QUERY_TIME_SIZE], uint64_t s)
{
	time_t t = s;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		snprintf(out, QUERY_TIME_SIZE, "%" PRIu64, s);
	else
		strftime(out, QUERY_TIME_SIZE, tm.tm_sec ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M",
			 &tm);
}

void query_span_text(char out[QUERY_TIME_SIZE], uint64_t s)
{
	size_t unit = UNITS - 2; /* weeks read worse than days */

	while (unit && (s < units[unit].seconds || s % units[unit].seconds))
		unit--;
	snprintf(out, QUERY_TIME_SIZE, "%" PRIu64 " %s", s / units[unit].seconds, units[unit].text);
}

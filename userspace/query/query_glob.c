/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/query_glob.h"

#include <string.h>

bool query_glob_is_pattern(const char *glob)
{
	return glob[strcspn(glob, "*?[\\")];
}

static bool is_special(char c)
{
	return c && strchr("\\.+*?()|[]{}^$", c);
}

/* The ']' that closes a set, or NULL. One that comes first is a member. */
static const char *set_end(const char *set)
{
	set += *set == '!' || *set == '^';
	set += *set == ']';
	for (; *set && *set != ']'; set++)
		set += *set == '\\' && set[1];
	return *set ? set : NULL;
}

/* The length of a character of UTF-8; 1 of what is none. */
static size_t char_size(const char *s)
{
	size_t size = 1;

	while (((unsigned char)s[size] & 0xc0) == 0x80)
		size++;
	return size;
}

static int char_compare(const char *a, const char *b)
{
	size_t n = char_size(a), m = char_size(b);
	int order = memcmp(a, b, n < m ? n : m);

	return order ? order : (n > m) - (n < m);
}

/* One of a set, and after a '-' the other end of the range that it begins. */
static const char *member_next(const char *set, const char *end, const char **low, const char **high)
{
	set += *set == '\\' && set + 1 < end;
	*low = *high = set;
	set += char_size(set);
	if (set + 1 < end && *set == '-') {
		set++;
		set += *set == '\\' && set + 1 < end;
		*high = set;
		set += char_size(set);
	}
	return set;
}

static bool set_matches(const char *set, const char *end, const char *text)
{
	bool not = *set == '!' || *set == '^', found = false;
	const char *low, *high;

	for (set += not; set < end;) {
		set = member_next(set, end, &low, &high);
		found = found || (char_compare(low, text) <= 0 && char_compare(text, high) <= 0);
	}
	return found != not;
}

const char *query_glob_objection(const char *glob)
{
	const char *end, *low, *high;

	for (; *glob; glob++) {
		if (*glob == '\\' && glob[1]) {
			glob++;
			continue;
		}
		if (*glob != '[' || !(end = set_end(glob + 1)))
			continue;
		glob += 1 + (glob[1] == '!' || glob[1] == '^');
		while (glob < end) {
			glob = member_next(glob, end, &low, &high);
			if (char_compare(low, high) > 0)
				return "a range in [] ends before it begins";
		}
		glob = end;
	}
	return NULL;
}

/* What follows a part that matched; NULL: it does not match. */
static const char *part_match(const char **glob, const char *text)
{
	const char *g = *glob, *end;

	if (!*text)
		return NULL;
	if (*g == '?') {
		*glob = g + 1;
		return text + char_size(text);
	}
	if (*g == '[' && (end = set_end(g + 1))) {
		*glob = end + 1;
		return set_matches(g + 1, end, text) ? text + char_size(text) : NULL;
	}
	g += *g == '\\' && g[1];
	*glob = g + 1;
	return *g == *text ? text + 1 : NULL;
}

bool query_glob_matches(const char *glob, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text || *glob) {
		const char *next;

		if (*glob == '*') {
			star = ++glob;
			resume = text;
			continue;
		}
		next = *glob ? part_match(&glob, text) : NULL;
		if (next) {
			text = next;
			continue;
		}
		/* The last star takes one more; those before it need not. */
		if (!star || !*resume)
			return false;
		resume += char_size(resume);
		text = resume;
		glob = star;
	}
	return true;
}

static void member_write(const char *member, FILE *out)
{
	if (strchr("\\[]^-", *member))
		fputc('\\', out);
	fwrite(member, 1, char_size(member), out);
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

		set = member_next(set, end, &low, &high);
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
		else if (*glob == '[' && (end = set_end(glob + 1))) {
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

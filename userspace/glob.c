/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/glob.h"

#include <string.h>

bool glob_is_pattern(const char *glob)
{
	return glob[strcspn(glob, "*?[\\")];
}

/* A ']' that comes first is a member. */
const char *glob_set_end(const char *set)
{
	set += *set == '!' || *set == '^';
	set += *set == ']';
	for (; *set && *set != ']'; set++)
		set += *set == '\\' && set[1];
	return *set ? set : NULL;
}

size_t glob_char_size(const char *s)
{
	size_t size = 1;

	while (((unsigned char)s[size] & 0xc0) == 0x80)
		size++;
	return size;
}

static int char_compare(const char *a, const char *b)
{
	size_t n = glob_char_size(a), m = glob_char_size(b);
	int order = memcmp(a, b, n < m ? n : m);

	return order ? order : (n > m) - (n < m);
}

const char *glob_member_next(const char *set, const char *end, const char **low,
			     const char **high)
{
	set += *set == '\\' && set + 1 < end;
	*low = *high = set;
	set += glob_char_size(set);
	if (set + 1 < end && *set == '-') {
		set++;
		set += *set == '\\' && set + 1 < end;
		*high = set;
		set += glob_char_size(set);
	}
	return set;
}

static bool set_matches(const char *set, const char *end, const char *text)
{
	bool not = *set == '!' || *set == '^', found = false;
	const char *low, *high;

	for (set += not; set < end;) {
		set = glob_member_next(set, end, &low, &high);
		found = found || (char_compare(low, text) <= 0 && char_compare(text, high) <= 0);
	}
	return found != not;
}

const char *glob_objection(const char *glob)
{
	const char *end, *low, *high;

	for (; *glob; glob++) {
		if (*glob == '\\' && glob[1]) {
			glob++;
			continue;
		}
		if (*glob != '[' || !(end = glob_set_end(glob + 1)))
			continue;
		glob += 1 + (glob[1] == '!' || glob[1] == '^');
		while (glob < end) {
			glob = glob_member_next(glob, end, &low, &high);
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
		return text + glob_char_size(text);
	}
	if (*g == '[' && (end = glob_set_end(g + 1))) {
		*glob = end + 1;
		return set_matches(g + 1, end, text) ? text + glob_char_size(text) : NULL;
	}
	g += *g == '\\' && g[1];
	*glob = g + 1;
	return *g == *text ? text + 1 : NULL;
}

bool glob_matches(const char *glob, const char *text)
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
		resume += glob_char_size(resume);
		text = resume;
		glob = star;
	}
	return true;
}


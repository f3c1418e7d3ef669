/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/route_pattern.h"

#include <string.h>

struct text {
	const char *at, *end;
};

/* The segment at *rest, which moves behind its slash; begins with '/' or is the first. */
static struct text segment_take(struct text *rest)
{
	struct text s = { rest->at, memchr(rest->at, '/', rest->end - rest->at) };

	if (s.end) {
		rest->at = s.end + 1;
	} else {
		s.end = rest->end;
		rest->at = rest->end + 1; /* nothing follows */
	}
	return s;
}

static bool is_stars(struct text s)
{
	return s.end - s.at == 2 && s.at[0] == '*' && s.at[1] == '*';
}

static bool is_star(struct text s)
{
	return s.end - s.at == 1 && *s.at == '*';
}

/* The last star takes one more character each time the rest does not fit. */
static bool segment_matches(struct text pattern, struct text s)
{
	const char *p = pattern.at, *c = s.at, *star = NULL, *taken = NULL;

	while (c < s.end) {
		if (p < pattern.end && *p == '*') {
			star = p++;
			taken = c;
		} else if (p < pattern.end && *p == *c) {
			p++;
			c++;
		} else if (star) {
			p = star + 1;
			c = ++taken;
		} else {
			return false;
		}
	}
	while (p < pattern.end && *p == '*')
		p++;
	return p == pattern.end;
}

/* Likewise, with segments for characters and two stars for one. */
static bool segments_match(struct text pattern, struct text path, bool perhaps)
{
	struct text stars_next, stars_path;
	bool stars = false;

	while (path.at <= path.end) {
		struct text next = pattern, rest = path, p, s = segment_take(&rest);

		if (pattern.at <= pattern.end) {
			p = segment_take(&next);
			if (is_stars(p)) {
				stars = true;
				stars_next = pattern = next;
				stars_path = path;
				continue;
			}
			if (segment_matches(p, s) || (perhaps && is_star(s))) {
				pattern = next;
				path = rest;
				continue;
			}
		}
		if (!stars)
			return false;
		segment_take(&stars_path);
		pattern = stars_next;
		path = stars_path;
	}
	while (pattern.at <= pattern.end)
		if (!is_stars(segment_take(&pattern)))
			return false;
	return true;
}

static struct text path_of(const char *path, size_t length)
{
	struct text ret = { path, path + length };

	for (const char *at = path; at < ret.end; at++)
		if (*at == '?' || *at == '#')
			ret.end = at;
	if (ret.end - ret.at > 1 && ret.end[-1] == '/')
		ret.end--;
	return ret;
}

bool route_pattern_matches(const char *pattern, const char *path, size_t length)
{
	return segments_match(path_of(pattern, strlen(pattern)), path_of(path, length), false);
}

bool route_pattern_may_match(const char *pattern, const char *route, size_t length)
{
	return segments_match(path_of(pattern, strlen(pattern)), path_of(route, length), true);
}

const char *route_pattern_objection(const char *pattern)
{
	if (*pattern != '/')
		return "it must begin with '/'";
	for (const char *at = pattern; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return "a path has no blanks or control characters: write %20";
	if (strpbrk(pattern, "?#"))
		return "a pattern is of the path alone: what follows '?' is no part of it";
	for (const char *at = strstr(pattern, "**"); at; at = strstr(at + 1, "**"))
		if (at[-1] != '/' || (at[2] && at[2] != '/'))
			return "'**' must be a segment of its own";
	return NULL;
}

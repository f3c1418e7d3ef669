/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/procmap.h"

#include <errno.h>
#include <string.h>

struct cursor {
	const char *at;
	const char *end;
};

static bool take_char(struct cursor *c, char expected)
{
	if (c->at == c->end || *c->at != expected)
		return false;
	c->at++;
	return true;
}

static int digit_value(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	return 16;
}

static bool take_number(struct cursor *c, unsigned base, uint64_t max, uint64_t *ret)
{
	const char *start = c->at;
	uint64_t v = 0;

	for (; c->at < c->end; c->at++) {
		unsigned d = (unsigned)digit_value(*c->at);

		if (d >= base)
			break;
		if (v > (max - d) / base)
			return false;
		v = v * base + d;
	}
	*ret = v;
	return c->at > start;
}

static bool take_permissions(struct cursor *c, bool *ret_executable)
{
	static const char allowed[4][3] = { "r-", "w-", "x-", "sp" };

	if (c->end - c->at < 4)
		return false;
	for (int i = 0; i < 4; i++)
		if (!c->at[i] || !strchr(allowed[i], c->at[i]))
			return false;
	*ret_executable = c->at[2] == 'x';
	c->at += 4;
	return true;
}

static void take_path(struct cursor *c, struct procmap *map)
{
	static const char deleted[] = " (deleted)";
	const size_t n = sizeof(deleted) - 1;

	while (take_char(c, ' '))
		;
	map->path = c->at;
	map->path_len = (size_t)(c->end - c->at);
	map->deleted = map->path_len > n && !memcmp(c->end - n, deleted, n);
	if (map->deleted)
		map->path_len -= n;
}

int procmap_parse(const char *line, size_t len, struct procmap *ret)
{
	struct cursor c = { line, line + len };
	struct procmap map = { 0 };
	uint64_t major, minor;
	bool ok = take_number(&c, 16, UINT64_MAX, &map.start) && take_char(&c, '-') &&
		  take_number(&c, 16, UINT64_MAX, &map.end) && take_char(&c, ' ') &&
		  take_permissions(&c, &map.executable) && take_char(&c, ' ') &&
		  take_number(&c, 16, UINT64_MAX, &map.offset) && take_char(&c, ' ') &&
		  take_number(&c, 16, UINT32_MAX, &major) && take_char(&c, ':') &&
		  take_number(&c, 16, UINT32_MAX, &minor) && take_char(&c, ' ') &&
		  take_number(&c, 10, UINT64_MAX, &map.inode);

	if (!ok || map.start >= map.end || (c.at < c.end && *c.at != ' '))
		return -EINVAL;
	map.dev_major = (uint32_t)major;
	map.dev_minor = (uint32_t)minor;
	take_path(&c, &map);
	*ret = map;
	return 0;
}

int procmap_path(const struct procmap *map, char *ret, size_t size)
{
	const char *p = map->path;
	const char *end = p + map->path_len;
	size_t n = 0;

	/* A first pass, so that ret stays untouched on failure. */
	for (const char *q = p; q < end; n++)
		q += end - q >= 4 && !memcmp(q, "\\012", 4) ? 4 : 1;
	if (n >= size)
		return -ENAMETOOLONG;
	for (n = 0; p < end; n++) {
		bool newline = end - p >= 4 && !memcmp(p, "\\012", 4);

		ret[n] = newline ? '\n' : *p;
		p += newline ? 4 : 1;
	}
	ret[n] = 0;
	return 0;
}

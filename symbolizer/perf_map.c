/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/native_table.h"

#define TABLE_MAX ((size_t)2 << 20)
#define READ_MAX ((uint64_t)64 << 20) /* of one file, ever */
#define CHUNK ((size_t)64 << 10)      /* and the longest line */

static bool take_hex(const char **s, const char *end, uint64_t *ret)
{
	const char *start;
	uint64_t v = 0;

	if (end - *s > 2 && (*s)[0] == '0' && (*s)[1] == 'x')
		*s += 2;
	start = *s;
	for (; *s < end; ++*s) {
		char c = **s;
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
				 c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 :
				 c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 :
							16;

		if (digit == 16)
			break;
		if (v >> 60)
			return false;
		v = v << 4 | digit;
	}
	*ret = v;
	return *s > start;
}

int perf_map_parse(const char *line, size_t len, struct perf_map_line *ret)
{
	const char *end = line + len;
	struct perf_map_line l;

	if (!take_hex(&line, end, &l.start) || line == end || *line++ != ' ' ||
	    !take_hex(&line, end, &l.size) || line == end || *line++ != ' ' || line == end)
		return -EINVAL;
	if (!l.size || l.start > UINT64_MAX - l.size || memchr(line, 0, (size_t)(end - line)))
		return -EINVAL;
	l.name = line;
	l.name_len = (size_t)(end - line);
	*ret = l;
	return 0;
}

void perf_map_free(struct perf_map *m)
{
	native_table_free(m->table);
	*m = (struct perf_map){ 0 };
}

/* Adds the whole lines of a chunk; *ret_used bytes of it are done with. */
static int add_lines(struct perf_map *m, const char *s, size_t n, size_t *ret_used)
{
	const char *at = s, *end = s + n, *newline;

	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		struct perf_map_line l;
		int err = perf_map_parse(at, (size_t)(newline - at), &l);

		m->skipped += err != 0;
		/* RANK_MADE: an '@' in these names begins no version. */
		if (!err)
			err = native_table_add(m->table, l.start, l.size, RANK_MADE, l.name,
					       l.name_len);
		if (err && err != -EINVAL)
			return err;
		at = newline + 1;
	}
	*ret_used = (size_t)(at - s);
	/* No line is that long: what it says is skipped, to its end. */
	if (!*ret_used && n == CHUNK)
		*ret_used = n;
	return 0;
}

static int read_lines(struct perf_map *m, int fd, uint64_t size)
{
	char *chunk = malloc(CHUNK);
	int err = 0;

	if (!chunk)
		return -ENOMEM;
	while (!err && m->read < size && m->read < READ_MAX) {
		ssize_t n = pread(fd, chunk, CHUNK, (off_t)m->read);
		size_t used = 0;

		if (n <= 0) {
			err = n ? -errno : 0;
			break;
		}
		err = add_lines(m, chunk, (size_t)n, &used);
		if (err == -ENOSPC)
			used = size - m->read; /* all the rest is lost */
		if (!used)
			break;
		m->read += used;
	}
	free(chunk);
	return err;
}

static int check_file(int fd, uint32_t uid, struct stat *st)
{
	if (fstat(fd, st))
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	return st->st_uid == uid || st->st_uid == 0 ? 0 : -EPERM;
}

int perf_map_update(struct perf_map *m, const struct rootfs *fs, int namespace_pid, uint32_t uid)
{
	int err, sealed, fd;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", namespace_pid);
	fd = rootfs_open(fs, path, O_RDONLY);
	if (fd < 0)
		return fd;
	err = check_file(fd, uid, &st);
	if (!err && (st.st_ino != m->inode || (uint64_t)st.st_size < m->read))
		perf_map_free(m); /* another file, or begun anew */
	m->inode = err ? m->inode : st.st_ino;
	if (!err && !m->table) {
		m->table = native_table_new(TABLE_MAX);
		err = m->table ? 0 : -ENOMEM;
	}
	if (!err && m->read < (uint64_t)st.st_size) {
		err = read_lines(m, fd, (uint64_t)st.st_size);
		/* Code that replaced other code came last. */
		sealed = native_table_seal(m->table, true);
		err = err ? err : sealed;
	}
	close(fd);
	return err;
}

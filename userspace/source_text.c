/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/source_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/text.h"

#define SIZE_MAX_READ (16 << 20)
#define TAB 8

static int bytes_read(int fd, size_t size, char **ret, size_t *ret_size)
{
	char *bytes = malloc(size + 1);
	size_t used = 0;
	ssize_t got = 1;

	if (!bytes)
		return -ENOMEM;
	while (used < size && got > 0) {
		got = read(fd, bytes + used, size - used);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			used += got;
	}
	if (got < 0) {
		int err = -errno;

		free(bytes);
		return err;
	}
	*ret = bytes;
	*ret_size = used;
	return 0;
}

/* One line without its end; scratch has room for each byte to be a tab. */
static const char *line_keep(struct source_text *s, const char *line, size_t size, char *scratch)
{
	size_t used = 0, columns = 0;
	char *kept;

	while (size && (line[size - 1] == '\r' || line[size - 1] == '\f'))
		size--;
	for (size_t i = 0; i < size; i++) {
		unsigned char c = line[i];

		if (c == '\t') {
			do
				scratch[used++] = ' ';
			while (++columns % TAB);
			continue;
		}
		/* A NUL would end the text; as any other control character it is replaced. */
		scratch[used++] = c ? c : '\1';
		columns += (c & 0xc0) != 0x80;
	}
	scratch[used] = 0;
	kept = arena_alloc(&s->strings, text_repair(NULL, scratch));
	if (kept)
		text_repair(kept, scratch);
	return kept;
}

static int lines_split(struct source_text *s, const char *bytes, size_t size)
{
	const char *end = bytes + size;
	char *scratch = malloc(size * TAB + 1);
	size_t count = 1;

	for (const char *at = bytes; (at = memchr(at, '\n', end - at)); at++)
		count++;
	s->lines = calloc(count, sizeof(*s->lines));
	for (const char *at = bytes; scratch && s->lines && at < end;) {
		const char *newline = memchr(at, '\n', end - at);
		const char *line = line_keep(s, at, (newline ? newline : end) - at, scratch);

		if (!line)
			break;
		s->lines[s->count++] = line;
		at = newline ? newline + 1 : end;
		if (at == end) {
			free(scratch);
			return 0;
		}
	}
	free(scratch);
	return size ? -ENOMEM : 0;
}

int source_text_read(const char *path, struct source_text *ret)
{
	struct source_text s = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err = 0;
	struct stat st;
	char *bytes = NULL;
	size_t size = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (st.st_size > SIZE_MAX_READ)
		err = -EFBIG;
	else
		err = bytes_read(fd, st.st_size, &bytes, &size);
	close(fd);
	if (!err)
		err = lines_split(&s, bytes, size);
	free(bytes);
	if (err) {
		source_text_free(&s);
		return err;
	}
	s.changed_ns = st.st_mtim.tv_sec * 1000000000ull + st.st_mtim.tv_nsec;
	*ret = s;
	return 0;
}

void source_text_free(struct source_text *s)
{
	free(s->lines);
	arena_free(&s->strings);
	*s = (struct source_text){ 0 };
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/debug_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define CHECKED_MAX ((uint64_t)256 << 20) /* bytes summed for one checksum */

struct link {
	char name[NAME_MAX + 1];
	uint32_t crc;
};

static int read_link(struct elf_file *f, struct link *ret)
{
	char bytes[NAME_MAX + 1 + 8];
	struct elf_span span;
	size_t n;
	int err = elf_file_span_named(f, ".gnu_debuglink", &span);

	if (err)
		return err;
	if (span.type == SHT_NOBITS || span.size > sizeof(bytes) || span.size < 6 ||
	    elf_file_bytes(f, span.offset, bytes, span.size) != (ssize_t)span.size)
		return -ENOENT;
	n = strnlen(bytes, span.size);
	/* The checksum is on the next multiple of four. */
	if (!n || n > NAME_MAX || (n + 4) / 4 * 4 + 4 > span.size || strchr(bytes, '/'))
		return -ENOENT;
	memcpy(ret->name, bytes, n + 1);
	memcpy(&ret->crc, bytes + (n + 4) / 4 * 4, sizeof(ret->crc));
	return 0;
}

static bool crc_matches(int fd, uint32_t crc)
{
	unsigned char bytes[16384];
	uLong sum = crc32(0, NULL, 0);
	uint64_t at = 0;
	ssize_t n;

	while ((n = pread(fd, bytes, sizeof(bytes), (off_t)at)) > 0) {
		at += (uint64_t)n;
		if (at > CHECKED_MAX)
			return false;
		sum = crc32(sum, bytes, (uInt)n);
	}
	return n == 0 && sum == crc;
}

static int open_checked(int fd, struct elf_file *f, const struct link *link, struct elf_file **ret)
{
	char want[ELF_BUILD_ID_SIZE], have[ELF_BUILD_ID_SIZE];
	struct stat st;
	int err;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -ENOENT;
	err = elf_file_open(fd, ret);
	if (err)
		return err;
	err = elf_file_build_id(f, want);
	if (!err && want[0])
		err = elf_file_build_id(*ret, have) || strcmp(want, have) ? -ESTALE : 0;
	else if (!err)
		err = link && crc_matches(fd, link->crc) ? 0 : -ESTALE;
	if (!err && elf_file_machine(f) != elf_file_machine(*ret))
		err = -ESTALE;
	if (err)
		elf_file_free(*ret);
	return err;
}

int debug_file_open(int fd, struct elf_file *f, struct elf_file **ret)
{
	return open_checked(fd, f, NULL, ret);
}

static int try_path(const struct rootfs *fs, const char *path, struct elf_file *f,
		    const struct link *link, struct elf_file **ret)
{
	int fd = rootfs_open(fs, path, O_RDONLY);
	int err;

	if (fd < 0)
		return fd;
	err = open_checked(fd, f, link, ret);
	close(fd);
	return err;
}

static int find_by_link(const struct rootfs *fs, struct elf_file *f, const char *path,
			struct elf_file **ret)
{
	const char *slash = strrchr(path, '/');
	static const char *const forms[] = { "%.*s/%s", "%.*s/.debug/%s",
					     "/usr/lib/debug%.*s/%s" };
	char candidate[PATH_MAX];
	struct link link;
	int err = path[0] == '/' ? read_link(f, &link) : -ENOENT;

	for (size_t i = 0; !err && i < sizeof(forms) / sizeof(forms[0]); i++) {
		int n = snprintf(candidate, sizeof(candidate), forms[i], (int)(slash - path), path,
				 link.name);

		if (n < (int)sizeof(candidate) && strcmp(candidate, path) &&
		    !try_path(fs, candidate, f, &link, ret))
			return 0;
	}
	return -ENOENT;
}

int debug_file_find(const struct rootfs *fs, struct elf_file *f, const char *path,
		    struct elf_file **ret)
{
	char id[ELF_BUILD_ID_SIZE], candidate[128];

	if (!elf_file_build_id(f, id) && strlen(id) > 2) {
		snprintf(candidate, sizeof(candidate), "/usr/lib/debug/.build-id/%.2s/%s.debug", id,
			 id + 2);
		if (!try_path(fs, candidate, f, NULL, ret))
			return 0;
	}
	return find_by_link(fs, f, path, ret);
}

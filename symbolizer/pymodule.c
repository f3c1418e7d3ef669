/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/pymodule.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FROZEN "<frozen "

static bool ends_with(const char *s, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && !memcmp(s + len - n, suffix, n);
}

/* What imports start from, by its name: the path after the last such directory. */
static const char *after_import_root(const char *filename)
{
	static const char *const suffixes[] = {
		"/site-packages", "/dist-packages", ".zip", ".egg", ".whl", ".pyz", ".pex",
	};
	const char *found = NULL;

	for (const char *slash = strchr(filename, '/'); slash; slash = strchr(slash + 1, '/'))
		for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
			if (ends_with(filename, (size_t)(slash - filename), suffixes[i]))
				found = slash + 1;
	return found;
}

static bool is_package(const struct rootfs *fs, const char *directory, size_t len)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%.*s/__init__.py", (int)len, directory);
	int fd;

	if (n < 0 || n >= PATH_MAX)
		return false;
	fd = rootfs_open(fs, path, O_PATH);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The start of the outermost package's name in the path, or of the file's. */
static const char *first_package(const struct rootfs *fs, const char *filename)
{
	const char *slash = strrchr(filename, '/');
	const char *start = slash ? slash + 1 : filename;

	while (slash && slash > filename && is_package(fs, filename, (size_t)(slash - filename))) {
		const char *before = slash - 1;

		while (before > filename && *before != '/')
			before--;
		start = *before == '/' ? before + 1 : before;
		if (*start == '.' || start == slash) /* "..", or "//" */
			return slash + 1;
		slash = *before == '/' ? before : NULL;
	}
	return start;
}

static int write_dotted(const char *path, char *ret, size_t size)
{
	static const char *const suffixes[] = { ".py", ".pyc", ".pyw", "/__init__" };
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (ends_with(path, len, suffixes[i]))
			len -= strlen(suffixes[i]);
	if (!len)
		return -EINVAL;
	if (len >= size)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < len; i++)
		ret[i] = path[i] == '/' ? '.' : path[i];
	ret[len] = 0;
	return 0;
}

int pymodule_name(const struct rootfs *fs, const char *filename, char *ret, size_t size)
{
	size_t len = strlen(filename);
	const char *start;

	if (filename[0] == '<') {
		bool frozen = !strncmp(filename, FROZEN, strlen(FROZEN)) && filename[len - 1] == '>';

		start = frozen ? filename + strlen(FROZEN) : filename;
		len -= (size_t)(start - filename) + frozen;
		if (len >= size)
			return -ENAMETOOLONG;
		memcpy(ret, start, len);
		ret[len] = 0;
		return 0;
	}
	start = after_import_root(filename);
	if (!start)
		start = first_package(fs, filename);
	return write_dotted(start, ret, size);
}

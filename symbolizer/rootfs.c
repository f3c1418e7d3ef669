/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * openat2() confines a path in the kernel (Linux 5.6, commit fddb5d430ad9).
 * Where it is missing, or forbidden by a filter that does not know it, the path
 * is walked here, one component at a time and never following a link blindly.
 */
#include "symbolizer/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS_MAX 40 /* MAXSYMLINKS of Linux */
#define DEPTH_MAX 64

/* O_PATH descriptors from the top down to where the walk is; the first is borrowed. */
struct walk {
	int dirs[DEPTH_MAX];
	int n;
	int links;
	bool relative; /* may not leave the top */
	char rest[PATH_MAX];
};

static void walk_up(struct walk *w, int n)
{
	while (w->n > n)
		close(w->dirs[--w->n]);
}

/* Puts a link's target in front of what is left of the path. */
static int walk_link(struct walk *w, int fd, const char *rest)
{
	char path[PATH_MAX];
	ssize_t n = readlinkat(fd, "", path, sizeof(path) - 1);
	size_t rest_len = strlen(rest);

	if (n < 0)
		return -errno;
	if (n == 0 || ++w->links > LINKS_MAX)
		return -ELOOP;
	if ((size_t)n + 1 + rest_len + 1 > sizeof(path))
		return -ENAMETOOLONG;
	if (path[0] == '/') {
		if (w->relative)
			return -EXDEV;
		walk_up(w, 1);
	}
	path[n] = '/';
	memcpy(path + n + 1, rest, rest_len + 1);
	strcpy(w->rest, path);
	return 0;
}

/* Opens a component; a link is put in front of the rest instead. */
static int walk_into(struct walk *w, const char *name, const char *rest)
{
	int fd = openat(w->dirs[w->n - 1], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (S_ISLNK(st.st_mode))
		err = walk_link(w, fd, rest);
	else if (w->n == DEPTH_MAX)
		err = -ENAMETOOLONG;
	else {
		w->dirs[w->n++] = fd;
		memmove(w->rest, rest, strlen(rest) + 1);
		return 0;
	}
	close(fd);
	return err;
}

static int walk_dotdot(struct walk *w)
{
	if (w->n > 1)
		walk_up(w, w->n - 1);
	else if (w->relative)
		return -EXDEV;
	return 0;
}

/* Takes one component of w->rest. */
static int walk_step(struct walk *w)
{
	char *name = w->rest + strspn(w->rest, "/");
	char *end = name + strcspn(name, "/");
	char *rest = end + strspn(end, "/");
	int err = 0;

	*end = 0;
	if (*name && strcmp(name, ".") && strcmp(name, ".."))
		return walk_into(w, name, rest);
	if (!strcmp(name, ".."))
		err = walk_dotdot(w);
	memmove(w->rest, rest, strlen(rest) + 1);
	return err;
}

static int walk_open(int top, bool relative, const char *path, int flags)
{
	struct walk w = { .dirs = { top }, .n = 1, .relative = relative };
	char reopen[32];
	int fd = -1, err = 0;

	if (strlen(path) >= sizeof(w.rest))
		return -ENAMETOOLONG;
	strcpy(w.rest, path);
	while (!err && w.rest[0])
		err = walk_step(&w);
	if (!err) {
		/* What was found, and not what has its name by now. */
		snprintf(reopen, sizeof(reopen), "/proc/self/fd/%d", w.dirs[w.n - 1]);
		fd = open(reopen, flags & ~O_NOFOLLOW);
		err = fd < 0 ? -errno : 0;
	}
	walk_up(&w, 1);
	return err ? err : fd;
}

int rootfs_open(const struct rootfs *fs, const char *path, int flags)
{
	bool relative = path[0] != '/';
	int top = relative ? fs->cwd_fd : fs->root_fd;
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
		.resolve = RESOLVE_NO_MAGICLINKS | (relative ? RESOLVE_BENEATH : RESOLVE_IN_ROOT),
	};
	long fd;

	if (!*path || top < 0)
		return -ENOENT;
	if (flags & O_PATH) /* takes no other flag than these */
		how.flags = (unsigned)flags | O_CLOEXEC;
	fd = syscall(SYS_openat2, top, path, &how, sizeof(how));
	if (fd >= 0)
		return (int)fd;
	if (errno != ENOSYS && errno != EPERM)
		return -errno;
	return walk_open(top, relative, path, (int)how.flags);
}

static int read_all(int fd, char *buf, size_t size, size_t *ret_size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, buf + done, size - done);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_size = done;
	return 0;
}

int rootfs_read(const struct rootfs *fs, const char *path, size_t max, char **ret,
		size_t *ret_size)
{
	int fd = rootfs_open(fs, path, O_RDONLY);
	char *buf = NULL;
	struct stat st;
	int err = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if ((uint64_t)st.st_size > max)
		err = -EFBIG;
	if (!err) {
		buf = malloc((size_t)st.st_size + 1);
		err = buf ? read_all(fd, buf, (size_t)st.st_size, ret_size) : -ENOMEM;
	}
	close(fd);
	if (err)
		free(buf);
	else
		*ret = buf;
	return err;
}

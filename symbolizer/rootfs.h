/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process's file system as the process sees it: whatever links it has put
 * there, no path leads out of its root.
 */
#ifndef PYCOST_ROOTFS_H
#define PYCOST_ROOTFS_H

#include <stddef.h>

struct rootfs {
	int root_fd; /* of /proc/PID/root; O_PATH is enough */
	int cwd_fd;  /* of /proc/PID/cwd, for relative paths; -1: there are none */
};

/*
 * Opens an existing path with these open(2) flags, O_CLOEXEC | O_NONBLOCK |
 * O_NOCTTY added.  A relative path may not leave the working directory.
 * Returns a descriptor or -errno, as open(2); -EXDEV or -ELOOP for links that
 * lead out or through /proc.
 */
int rootfs_open(const struct rootfs *fs, const char *path, int flags);

/*
 * A regular file's content, not terminated; free it.
 * -EFBIG when it has more than max bytes, -EINVAL when it is no regular file.
 */
int rootfs_read(const struct rootfs *fs, const char *path, size_t max, char **ret,
		size_t *ret_size);

#endif

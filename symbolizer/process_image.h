/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that a process has mapped to execute. */
#ifndef PYCOST_PROCESS_IMAGE_H
#define PYCOST_PROCESS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct image {
	uint64_t start, end; /* of its first executable mapping */
	uint64_t offset;     /* in the file, where that mapping starts */
	dev_t dev;	     /* as /proc/PID/maps tells */
	ino_t inode;
	bool deleted;
	char *path; /* as the process, or our root, calls it */
};

struct images {
	struct image *v;
	size_t n;
};

/*
 * Each file once, in the order of addresses: the main executable comes first.
 * -ESRCH no such process, -EACCES or -EPERM, -ENOMEM.
 */
int images_read(pid_t pid, struct images *ret);
void images_free(struct images *images);

/*
 * Opens the file that is mapped, and no other that has its name now.  Returns
 * a descriptor and in *ret_path the path that led to it (free it), or:
 * -ESTALE when it cannot be reached, -EACCES or -EPERM, -ENOMEM.
 */
int image_open(pid_t pid, const struct image *image, char **ret_path);

/* Its path as the process calls it: a part of image->path. */
const char *image_target_path(pid_t pid, const struct image *image);

#endif

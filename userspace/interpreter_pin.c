/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/interpreter_pin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"

int interpreter_pin(struct interpreter *in)
{
	char path[32], *copy;
	int fd = open(in->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = strdup(path);
	if (!copy) {
		close(fd);
		return -ENOMEM;
	}
	free(in->path);
	in->path = copy;
	return fd;
}

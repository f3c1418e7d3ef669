/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/output.h"

/* A new file beside the one to replace, with the mode a plain open would give. */
static int temp_open(struct output *o)
{
	mode_t mask = umask(0);
	struct stat st;
	mode_t mode = 0666 & ~mask;
	int fd, err;

	umask(mask);
	if (!stat(o->path, &st))
		mode = st.st_mode & 0777;
	fd = mkostemp(o->temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0) {
		err = -errno;
		close(fd);
		unlink(o->temp);
		return err;
	}
	return fd;
}

int output_open(const char *path, struct output *ret)
{
	struct output o = { 0 };
	struct stat st;
	int fd;

	if (!path || !strcmp(path, "-")) {
		ret->file = stdout;
		ret->path = ret->temp = NULL;
		return 0;
	}
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	} else {
		/* Through a symbolic link, so that the link stays. */
		o.path = realpath(path, NULL);
		if (!o.path && errno == ENOENT)
			o.path = strdup(path);
		if (!o.path || asprintf(&o.temp, "%s.XXXXXX", o.path) < 0) {
			o.temp = NULL;
			fd = o.path ? -ENOMEM : -errno;
		} else {
			fd = temp_open(&o);
		}
	}
	if (fd >= 0)
		o.file = fdopen(fd, "w");
	if (!o.file) {
		if (fd >= 0)
			close(fd);
		free(o.path);
		free(o.temp);
		return fd < 0 ? fd : -ENOMEM;
	}
	*ret = o;
	return 0;
}

/* Returns what went wrong with any byte of it. */
static int output_finish(struct output *o)
{
	int err = 0;

	errno = 0;
	if (fflush(o->file) == EOF || ferror(o->file))
		err = errno ? -errno : -EIO;
	if (o->file != stdout && fclose(o->file) == EOF && !err)
		err = -errno;
	o->file = NULL;
	return err;
}

static void output_free(struct output *o)
{
	free(o->path);
	free(o->temp);
	*o = (struct output){ 0 };
}

int output_commit(struct output *o)
{
	int err = output_finish(o);

	if (o->temp) {
		if (!err && rename(o->temp, o->path) < 0)
			err = -errno;
		if (err)
			unlink(o->temp);
	}
	output_free(o);
	return err;
}

void output_discard(struct output *o)
{
	output_finish(o);
	if (o->temp)
		unlink(o->temp);
	output_free(o);
}

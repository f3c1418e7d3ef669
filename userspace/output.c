/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/output.h"

static void output_free(struct output *o)
{
	free(o->path);
	free(o->temp);
	*o = (struct output){ 0 };
}

/* The mode a plain open would leave the file with. */
static mode_t mode_of(const char *path)
{
	struct stat st;
	mode_t mask;

	if (!stat(path, &st))
		return st.st_mode & 0777;
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/* A new file beside the one to replace; returns its descriptor. */
static int temp_open(struct output *o, const char *path)
{
	int fd, err;

	/* Through a symbolic link, so that the link stays. */
	o->path = realpath(path, NULL);
	if (!o->path && errno == ENOENT)
		o->path = strdup(path);
	if (!o->path)
		return -errno;
	if (asprintf(&o->temp, "%s.XXXXXX", o->path) < 0) {
		o->temp = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(o->temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode_of(o->path)) < 0) {
		err = -errno;
		close(fd);
		unlink(o->temp);
		return err;
	}
	return fd;
}

static int in_place_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int output_open(const char *path, struct output *ret)
{
	struct output o = { 0 };
	struct stat st;
	int fd;

	if (!path || !strcmp(path, "-")) {
		*ret = (struct output){ .file = stdout };
		return 0;
	}
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		fd = in_place_open(path);
	else
		fd = temp_open(&o, path);
	if (fd < 0) {
		output_free(&o);
		return fd;
	}
	o.file = fdopen(fd, "w");
	if (!o.file) {
		close(fd);
		if (o.temp)
			unlink(o.temp);
		output_free(&o);
		return -ENOMEM;
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

bool output_is_colored(const char *path, int *ret_width)
{
	bool terminal = (!path || !strcmp(path, "-")) && isatty(STDOUT_FILENO);
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size;

	if (terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		*ret_width = size.ws_col;
	return terminal && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

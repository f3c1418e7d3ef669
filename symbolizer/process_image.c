/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/process_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "symbolizer/procmap.h"

/* More distinct executable files than a real process maps. */
#define IMAGES_MAX 4096

void images_free(struct images *images)
{
	for (size_t i = 0; i < images->n; i++)
		free(images->v[i].path);
	free(images->v);
	*images = (struct images){ 0 };
}

static int images_append(struct images *images, const struct procmap *map)
{
	dev_t dev = makedev(map->dev_major, map->dev_minor);
	char path[PATH_MAX];
	struct image *v;

	for (size_t i = 0; i < images->n; i++)
		if (images->v[i].dev == dev && images->v[i].inode == map->inode)
			return 0;
	if (images->n == IMAGES_MAX || procmap_path(map, path, sizeof(path)))
		return 0;
	v = realloc(images->v, (images->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	images->v = v;
	v[images->n] = (struct image){
		.start = map->start,
		.end = map->end,
		.offset = map->offset,
		.dev = dev,
		.inode = map->inode,
		.deleted = map->deleted,
		.path = strdup(path),
	};
	return v[images->n].path ? (images->n++, 0) : -ENOMEM;
}

int images_read(pid_t pid, struct images *ret)
{
	struct images images = { 0 };
	char name[64], *line = NULL;
	size_t size = 0;
	ssize_t len;
	FILE *maps;
	int err = 0;

	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && (len = getline(&line, &size, maps)) > 0) {
		struct procmap map;

		if (line[len - 1] == '\n')
			len--;
		if (!procmap_parse(line, (size_t)len, &map) && map.executable && map.inode &&
		    map.path_len && map.path[0] == '/')
			err = images_append(&images, &map);
	}
	if (!err && ferror(maps))
		err = -errno;
	free(line);
	fclose(maps);
	if (err)
		images_free(&images);
	else
		*ret = images;
	return err;
}

/*
 * maps tells the device of the file system below: on btrfs and overlayfs that
 * is not what stat() tells.  Then /proc/PID/map_files, which leads to the
 * mapped file itself, decides when we may read it, else the inode alone.
 */
static bool image_is(const struct image *image, const struct stat *st, const char *map_file)
{
	struct stat mapped;

	if (st->st_ino == image->inode && st->st_dev == image->dev)
		return true;
	if (!stat(map_file, &mapped))
		return mapped.st_ino == st->st_ino && mapped.st_dev == st->st_dev;
	return st->st_ino == image->inode && !image->deleted;
}

int image_open(pid_t pid, const struct image *image, char **ret_path)
{
	char paths[3][PATH_MAX + 64];
	struct stat st;
	int refused = -ESTALE;

	/* A chrooted process's files are listed as our own root sees them. */
	snprintf(paths[0], sizeof(paths[0]), "/proc/%d/root%s", (int)pid, image->path);
	snprintf(paths[1], sizeof(paths[1]), "%s", image->path);
	snprintf(paths[2], sizeof(paths[2]), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid,
		 image->start, image->end);
	for (int i = 0; i < 3; i++) {
		/* O_NONBLOCK: the name may lead to a FIFO by now. */
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		if (fd < 0) {
			if (errno == EACCES || errno == EPERM)
				refused = -errno;
			continue;
		}
		if (!fstat(fd, &st) && S_ISREG(st.st_mode) && image_is(image, &st, paths[2])) {
			*ret_path = strdup(paths[i]);
			if (*ret_path)
				return fd;
			close(fd);
			return -ENOMEM;
		}
		close(fd);
	}
	return refused;
}

const char *image_target_path(pid_t pid, const struct image *image)
{
	char link[64], root[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/root", (int)pid);
	n = readlink(link, root, sizeof(root) - 1);
	if (n > 1 && !strncmp(image->path, root, n) && image->path[n] == '/')
		return image->path + n;
	return image->path;
}

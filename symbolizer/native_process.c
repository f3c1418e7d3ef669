/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/native_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "symbolizer/clean_text.h"
#include "symbolizer/native_table.h"
#include "symbolizer/procmap.h"
#include "symbolizer/strpool.h"

/* More than a real process has: each costs some 80 bytes. */
#define MAPPINGS_MAX 4096

static enum native_kind kind_of(const struct procmap *map)
{
	if (!map->path_len || (map->path[0] == '/' && !map->inode))
		return KIND_MADE;
	if (map->path[0] == '/')
		return KIND_FILE;
	if (map->path_len == 6 && !memcmp(map->path, "[vdso]", 6))
		return KIND_VDSO;
	/* [anon:NAME] is made too, and so is what runs on a [heap] or a [stack]. */
	return map->path_len > 2 && (!memcmp(map->path, "[a", 2) || !memcmp(map->path, "[h", 2) ||
				     !memcmp(map->path, "[s", 2)) ?
		       KIND_MADE :
		       KIND_OTHER;
}

static int append(struct native_process *p, const struct procmap *map, struct strpool *strings)
{
	enum native_kind kind = kind_of(map);
	char path[PATH_MAX] = "[jit]";
	void *grown;

	if (p->n == MAPPINGS_MAX ||
	    (kind != KIND_MADE && procmap_path(map, path, sizeof(path)))) {
		p->lost++;
		return 0;
	}
	if (!(p->n & (p->n - 1))) {
		grown = realloc(p->v, (p->n ? 2 * p->n : 1) * sizeof(*p->v));
		if (!grown)
			return -ENOMEM;
		p->v = grown;
	}
	clean_text(path);
	p->v[p->n++] = (struct native_mapping){
		.start = map->start,
		.end = map->end,
		.offset = map->offset,
		.dev = makedev(map->dev_major, map->dev_minor),
		.inode = map->inode,
		.path = strpool_intern(strings, path),
		.kind = kind,
		.deleted = map->deleted,
	};
	if (!p->v[p->n - 1].path) {
		p->n--;
		p->lost++;
	}
	return 0;
}

static int read_lines(FILE *maps, struct native_process *p, struct strpool *strings)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int err = 0;

	while (!err && (len = getline(&line, &size, maps)) > 0) {
		struct procmap map;

		if (line[len - 1] == '\n')
			len--;
		if (!procmap_parse(line, (size_t)len, &map) && map.executable)
			err = append(p, &map, strings);
	}
	if (!err && ferror(maps))
		err = errno == ESRCH ? -ESRCH : -EIO;
	free(line);
	return err;
}

int native_process_read(struct native_process *p, struct strpool *strings)
{
	struct native_process fresh = { 0 };
	char name[64];
	FILE *maps;
	int err;

	snprintf(name, sizeof(name), "/proc/%d/maps", (int)p->pid);
	maps = fopen(name, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	err = read_lines(maps, &fresh, strings);
	fclose(maps);
	/* A process that is ending has no mappings any more: the old ones are better. */
	if (err || !fresh.n) {
		free(fresh.v);
		return err ? err : -ESRCH;
	}
	free(p->v);
	p->v = fresh.v;
	p->n = fresh.n;
	p->lost += fresh.lost;
	return 0;
}

void native_process_clear(struct native_process *p)
{
	free(p->v);
	perf_map_free(&p->map);
	*p = (struct native_process){ 0 };
}

struct native_mapping *native_process_find(const struct native_process *p, uint64_t ip)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ip >= p->v[mid].end)
			low = mid + 1;
		else
			high = mid;
	}
	return low < p->n && ip >= p->v[low].start ? &p->v[low] : NULL;
}

int native_process_root(pid_t pid, struct rootfs *ret)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/root", (int)pid);
	ret->cwd_fd = -1;
	ret->root_fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ret->root_fd < 0 ? -errno : 0;
}

/* The pid in its own namespace, and the effective user, from /proc/PID/status. */
static int read_status(pid_t pid, int *ret_pid, uint32_t *ret_uid)
{
	char name[64], line[512];
	bool have_pid = false, have_uid = false;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/status", (int)pid);
	f = fopen(name, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (fgets(line, sizeof(line), f)) {
		unsigned uid;

		if (!strncmp(line, "NSpid:", 6)) {
			const char *last = strrchr(line, '\t');

			*ret_pid = last ? atoi(last + 1) : 0;
			have_pid = *ret_pid > 0;
		} else if (sscanf(line, "Uid: %*u %u", &uid) == 1) {
			*ret_uid = uid;
			have_uid = true;
		}
	}
	fclose(f);
	return have_pid && have_uid ? 0 : -ESRCH;
}

int native_process_read_map(struct native_process *p)
{
	struct rootfs fs;
	uint32_t uid;
	int pid, err = read_status(p->pid, &pid, &uid);

	if (!err)
		err = native_process_root(p->pid, &fs);
	if (err)
		return err;
	err = perf_map_update(&p->map, &fs, pid, uid);
	close(fs.root_fd);
	return err;
}

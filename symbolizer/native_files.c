/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/native_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "symbolizer/debuginfod.h"
#include "symbolizer/native_object.h"
#include "symbolizer/native_process.h"
#include "symbolizer/native_table.h"
#include "symbolizer/process_image.h"
#include "symbolizer/vdso.h"

#define FILES_MAX 1024
#define QUERY_SECONDS 120

/* The functions of one file, or of several that have the same. */
struct shared {
	struct shared *next;
	struct native_object object;
	uint64_t id, hash, used;
	unsigned refs;
};

struct key {
	dev_t dev;
	ino_t inode;
};

enum state { UNREAD, READ, FAILED };

struct file {
	struct key key;
	struct stat st; /* of what was read */
	const char *path; /* in the caller's strpool */
	enum state state;
	struct shared *shared; /* if READ */
	bool asked, fetched;   /* debuginfod: once, unless what came was evicted */
	int debug_fd;	       /* what it brought, to be read; or -1 */
	uint64_t used;
	UT_hash_handle hh;
};

struct native_files {
	struct file *files;
	struct shared *shared;
	struct native_object vdso;
	bool vdso_read, debuginfod;
	struct rootfs own;
	struct debuginfod_query query;
	struct key queried;
	size_t max_bytes;
	uint64_t clock, ids;
	struct native_files_stats stats;
};

#define VDSO_ID 1

struct native_files *native_files_new(size_t max_bytes, bool debuginfod)
{
	struct native_files *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->max_bytes = max_bytes;
	f->debuginfod = debuginfod;
	f->ids = VDSO_ID;
	f->own = (struct rootfs){ open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), -1 };
	return f;
}

static void shared_put(struct native_files *f, struct shared *s)
{
	struct shared **at = &f->shared;

	if (!s || --s->refs)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	f->stats.bytes -= native_table_bytes(s->object.table);
	f->stats.tables--;
	native_object_clear(&s->object);
	free(s);
}

static void file_forget(struct native_files *f, struct file *file)
{
	shared_put(f, file->shared);
	file->shared = NULL;
	file->state = UNREAD;
}

static void file_free(struct native_files *f, struct file *file)
{
	file_forget(f, file);
	if (file->debug_fd >= 0)
		close(file->debug_fd);
	HASH_DEL(f->files, file);
	free(file);
}

void native_files_free(struct native_files *f)
{
	struct file *file, *next;

	if (!f)
		return;
	debuginfod_cancel(&f->query);
	HASH_ITER(hh, f->files, file, next)
		file_free(f, file);
	native_object_clear(&f->vdso);
	if (f->own.root_fd >= 0)
		close(f->own.root_fd);
	free(f);
}

/* Makes room by dropping the tables that were used longest ago. */
static void evict_tables(struct native_files *f, const struct shared *keep)
{
	while (f->stats.bytes > f->max_bytes) {
		struct shared *oldest = NULL;
		struct file *file, *next;

		for (struct shared *s = f->shared; s; s = s->next)
			if (s != keep && (!oldest || s->used < oldest->used))
				oldest = s;
		if (!oldest)
			return;
		f->stats.evicted++;
		HASH_ITER(hh, f->files, file, next) {
			bool last = file->shared == oldest && oldest->refs == 1;

			if (file->shared == oldest) {
				file->asked = file->asked && !file->fetched;
				file_forget(f, file);
			}
			if (last)
				break;
		}
	}
}

static void evict_file(struct native_files *f)
{
	struct file *oldest = NULL, *file, *next;

	HASH_ITER(hh, f->files, file, next)
		if (!oldest || file->used < oldest->used)
			oldest = file;
	if (oldest)
		file_free(f, oldest);
}

static struct file *file_get(struct native_files *f, const struct native_mapping *m)
{
	struct key key;
	struct file *file;

	memset(&key, 0, sizeof(key)); /* the hash sees padding too */
	key.dev = m->dev;
	key.inode = m->inode;
	HASH_FIND(hh, f->files, &key, sizeof(key), file);
	if (!file) {
		if (HASH_COUNT(f->files) >= FILES_MAX)
			evict_file(f);
		file = calloc(1, sizeof(*file));
		if (!file)
			return NULL;
		file->key = key;
		file->debug_fd = -1;
		HASH_ADD(hh, f->files, key, sizeof(key), file);
	}
	file->used = ++f->clock;
	return file;
}

static bool same_object(const struct native_object *a, const struct native_object *b)
{
	return a->n_code == b->n_code && !memcmp(a->code, b->code, sizeof(a->code)) &&
	       a->whole == b->whole && !strcmp(a->build_id, b->build_id) &&
	       native_table_equal(a->table, b->table);
}

/* Takes the object over, or another that is equal. */
static struct shared *share(struct native_files *f, struct native_object *object)
{
	uint64_t hash = native_table_hash(object->table);
	struct shared *s;

	for (s = f->shared; s; s = s->next)
		if (s->hash == hash && same_object(&s->object, object)) {
			native_object_clear(object);
			s->refs++;
			return s;
		}
	s = calloc(1, sizeof(*s));
	if (!s) {
		native_object_clear(object);
		return NULL;
	}
	*s = (struct shared){ f->shared, *object, ++f->ids, hash, f->clock, 1 };
	f->shared = s;
	f->stats.tables++;
	f->stats.bytes += native_table_bytes(s->object.table);
	f->stats.lost += native_table_lost(s->object.table);
	return s;
}

static int read_functions(struct native_files *f, int fd, pid_t pid, const char *path, int debug_fd,
			  struct native_object *ret)
{
	struct native_object_source source = {
		.own = f->own.root_fd >= 0 ? &f->own : NULL,
		.path = path,
		.debug_fd = debug_fd,
		.max_bytes = f->max_bytes / 2,
	};
	struct rootfs target;
	struct elf_file *elf;
	int err = elf_file_open(fd, &elf);

	if (err)
		return err;
	if (!native_process_root(pid, &target))
		source.target = &target;
	err = native_object_read(elf, &source, ret);
	if (source.target)
		close(target.root_fd);
	elf_file_free(elf);
	return err;
}

static void file_read(struct native_files *f, struct file *file, int fd, pid_t pid,
		      const char *path)
{
	struct native_object object;
	int err;

	file_forget(f, file);
	file->path = path;
	f->stats.reads++;
	err = read_functions(f, fd, pid, path, file->debug_fd, &object);
	if (file->debug_fd >= 0) {
		close(file->debug_fd);
		file->debug_fd = -1;
	}
	if (!err)
		file->shared = share(f, &object);
	file->state = file->shared ? READ : FAILED;
	file->fetched = file->fetched && file->shared && file->shared->object.whole;
	f->stats.failed += !file->shared;
	if (file->shared)
		evict_tables(f, file->shared);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * An inode's number may by now be another file's, so each new mapping is compared
 * with what was read.  When it cannot be opened (its process has ended), the same
 * path must do.
 */
static void file_check(struct native_files *f, struct file *file, pid_t pid,
		       struct native_mapping *m)
{
	struct image image = {
		.start = m->start,
		.end = m->end,
		.offset = m->offset,
		.dev = m->dev,
		.inode = m->inode,
		.deleted = m->deleted,
		.path = (char *)m->path,
	};
	char *opened;
	struct stat st;
	int fd = image_open(pid, &image, &opened);

	if (fd < 0) {
		f->stats.failed++;
		m->foreign = file->state != READ || file->path != m->object;
		return;
	}
	free(opened);
	if (fstat(fd, &st)) {
		m->foreign = true;
	} else if (file->state != READ || !same_file(&st, &file->st)) {
		file->asked = file->asked && same_file(&st, &file->st);
		file->st = st;
		file_read(f, file, fd, pid, m->object);
	}
	close(fd);
}

static void ask_debuginfod(struct native_files *f, struct file *file)
{
	const struct native_object *o = &file->shared->object;

	if (!f->debuginfod || file->asked || f->query.pid || o->whole || !o->build_id[0])
		return;
	file->asked = true;
	f->queried = file->key;
	debuginfod_start(&f->query, o->build_id, QUERY_SECONDS);
}

static const struct native_object *object_of(struct native_files *f, pid_t pid,
					     struct native_mapping *m, uint64_t *ret_id)
{
	struct file *file = file_get(f, m);

	if (!file || m->foreign)
		return NULL;
	if (!m->checked || file->state == UNREAD) {
		m->checked = true;
		file_check(f, file, pid, m);
	}
	if (m->foreign || !file->shared)
		return NULL;
	m->is_elf = true;
	file->shared->used = f->clock;
	ask_debuginfod(f, file);
	*ret_id = file->shared->id;
	return &file->shared->object;
}

static const struct native_object *vdso_object(struct native_files *f, uint64_t *ret_id)
{
	if (!f->vdso_read) {
		f->vdso_read = true;
		vdso_read(&f->vdso);
	}
	*ret_id = VDSO_ID;
	return f->vdso.table ? &f->vdso : NULL;
}

int native_files_find(struct native_files *f, pid_t pid, struct native_mapping *m, uint64_t ip,
		      struct native_place *ret)
{
	const struct native_object *o;
	struct native_function function;
	uint64_t vaddr, id;

	if (m->kind == KIND_VDSO)
		o = vdso_object(f, &id);
	else
		o = object_of(f, pid, m, &id);
	if (!o || !native_object_vaddr(o, ip - m->start + m->offset, &vaddr) ||
	    !native_table_find(o->table, vaddr, &function))
		return -ENOENT;
	*ret = (struct native_place){ id, function.index, function.name, function.offset,
				      o->table };
	return 0;
}

bool native_files_poll(struct native_files *f)
{
	struct file *file;
	int fd = -1, err;

	if (!f->query.pid)
		return false;
	err = debuginfod_poll(&f->query, &fd);
	if (err)
		return false;
	HASH_FIND(hh, f->files, &f->queried, sizeof(f->queried), file);
	if (!file || file->debug_fd >= 0) {
		close(fd);
		return false;
	}
	file_forget(f, file); /* it is read again, with this, when next asked for */
	file->debug_fd = fd;
	file->fetched = true;
	f->stats.fetched++;
	return true;
}

bool native_files_pending(const struct native_files *f)
{
	return f->query.pid != 0;
}

void native_files_stats(const struct native_files *f, struct native_files_stats *ret)
{
	*ret = f->stats;
	ret->files = HASH_COUNT(f->files);
}

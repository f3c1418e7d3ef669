/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "symbolizer/clean_text.h"
#include "symbolizer/cython_name.h"
#include "symbolizer/debuginfod.h"
#include "symbolizer/demangle.h"
#include "symbolizer/native_files.h"
#include "symbolizer/native_process.h"
#include "symbolizer/native_table.h"
#include "symbolizer/process_image.h"
#include "symbolizer/strpool.h"

#define TABLES_MAX ((size_t)8 << 20)
#define STRINGS_MAX ((size_t)8 << 20)
#define MAPS_MAX ((size_t)4 << 20) /* perf maps of all processes */
#define PROCESSES_MAX 1024
#define NAME_SIZE 1024 /* what is longer is cut */

#define SECOND UINT64_C(1000000000)
#define WAIT_MIN (SECOND / 5) /* between two reads of a process's mappings */
#define WAIT_MAX (10 * SECOND)
#define MAP_WAIT SECOND		     /* between two of its perf map */
#define MAP_WAIT_DROPPED (30 * SECOND) /* when it was dropped for others */

/* What a place's name has come to, by its table and index. */
#define MEMO_SIZE 2048
struct memo {
	uint64_t table;
	size_t index;
	const char *symbol, *name;
};

struct process {
	struct native_process p;
	uint64_t used, map_wait;
	size_t map_bytes;
	UT_hash_handle hh;
};

struct natives {
	struct process *processes;
	struct native_files *files;
	struct strpool *strings;
	struct memo memo[MEMO_SIZE];
	uint64_t clock;
	size_t map_bytes;
	struct natives_stats stats;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

int natives_new(const struct natives_options *options, struct natives **ret)
{
	size_t max_bytes = options->max_bytes ? options->max_bytes : TABLES_MAX;
	int err = options->debuginfod ? debuginfod_check() : 0;
	struct natives *n;

	if (err)
		return err;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->files = native_files_new(max_bytes, options->debuginfod);
	n->strings = strpool_new(STRINGS_MAX);
	if (!n->files || !n->strings) {
		natives_free(n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

static void process_count(struct natives_stats *s, const struct native_process *p)
{
	s->lost_mappings += p->lost;
	s->lost_map_lines += p->map.skipped;
	if (p->map.table)
		s->lost_map_lines += native_table_lost(p->map.table);
}

static void process_free(struct natives *n, struct process *p)
{
	process_count(&n->stats, &p->p);
	n->map_bytes -= p->map_bytes;
	HASH_DEL(n->processes, p);
	native_process_clear(&p->p);
	free(p);
}

void natives_free(struct natives *n)
{
	struct process *p, *next;

	if (!n)
		return;
	HASH_ITER(hh, n->processes, p, next)
		process_free(n, p);
	native_files_free(n->files);
	strpool_free(n->strings);
	free(n);
}

void natives_forget(struct natives *n, pid_t pid)
{
	struct process *p;

	HASH_FIND_INT(n->processes, &pid, p);
	if (p)
		process_free(n, p);
}

static void drop_oldest_process(struct natives *n)
{
	struct process *oldest = NULL, *p, *next;

	HASH_ITER(hh, n->processes, p, next)
		if (!oldest || p->used < oldest->used)
			oldest = p;
	n->stats.dropped_processes++;
	process_free(n, oldest);
}

static struct process *process_get(struct natives *n, pid_t pid)
{
	struct process *p;

	HASH_FIND_INT(n->processes, &pid, p);
	if (!p) {
		if (HASH_COUNT(n->processes) >= PROCESSES_MAX)
			drop_oldest_process(n);
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		p->p.pid = pid;
		p->p.wait = WAIT_MIN;
		p->map_wait = MAP_WAIT;
		HASH_ADD(hh, n->processes, p.pid, sizeof(p->p.pid), p);
	}
	p->used = ++n->clock;
	return p;
}

/* Reading again that was of no use makes the next time come later. */
static int find_mapping(struct natives *n, struct native_process *p, uint64_t ip,
			struct native_mapping **ret)
{
	uint64_t at;
	int err;

	*ret = native_process_find(p, ip);
	if (*ret)
		return 0;
	at = now();
	if (p->read_at && at - p->read_at < p->wait)
		return p->n ? -ENOENT : -ESRCH;
	n->stats.map_reads++;
	p->read_at = at;
	err = native_process_read(p, n->strings);
	*ret = native_process_find(p, ip);
	if (*ret)
		p->wait = WAIT_MIN;
	else
		p->wait = 2 * p->wait < WAIT_MAX ? 2 * p->wait : WAIT_MAX;
	return *ret ? 0 : err ? err : -ENOENT;
}

/* A string of our own; "" when there is no more room. */
static const char *keep(struct natives *n, const char *s)
{
	const char *kept;
	char text[NAME_SIZE];
	size_t len = strnlen(s, sizeof(text) - 1);

	memcpy(text, s, len);
	text[len] = 0;
	clean_text(text);
	kept = strpool_intern(n->strings, text);
	n->stats.lost_strings += !kept;
	return kept ? kept : "";
}

/* Of a generator's body: the function that makes the generator, if it is named. */
static const char *author(const char *symbol, const struct native_table *t)
{
	size_t count = t && !strncmp(symbol, "__pyx_gb_", 9) ? native_table_count(t) : 0;

	for (size_t i = 0; i < count; i++)
		if (cython_makes_generator(native_table_name(t, i), symbol))
			return native_table_name(t, i);
	return symbol;
}

static void name_function(struct natives *n, const char *symbol, const struct native_table *t,
			  struct native_name *ret)
{
	char readable[NAME_SIZE];

	ret->symbol = keep(n, symbol);
	ret->name = demangle(author(symbol, t), readable, sizeof(readable)) ? ret->symbol :
								   keep(n, readable);
	if (!*ret->name)
		ret->name = ret->symbol;
}

static void name_place(struct natives *n, const struct native_place *place,
		       struct native_name *ret)
{
	struct memo *m = &n->memo[(place->table * 2654435761u + place->index) % MEMO_SIZE];

	ret->offset = place->offset;
	if (m->table == place->table && m->index == place->index) {
		ret->symbol = m->symbol;
		ret->name = m->name;
		return;
	}
	name_function(n, place->name, place->functions, ret);
	if (*ret->symbol)
		*m = (struct memo){ place->table, place->index, ret->symbol, ret->name };
}

static void drop_map(struct natives *n, struct process *p)
{
	process_count(&n->stats, &(struct native_process){ .map = p->p.map });
	perf_map_free(&p->p.map);
	n->map_bytes -= p->map_bytes;
	p->map_bytes = 0;
	p->map_wait = MAP_WAIT_DROPPED;
}

static void bound_maps(struct natives *n, struct process *keep_this)
{
	while (n->map_bytes > MAPS_MAX) {
		struct process *oldest = NULL, *p, *next;

		HASH_ITER(hh, n->processes, p, next)
			if (p != keep_this && p->map_bytes && (!oldest || p->used < oldest->used))
				oldest = p;
		if (!oldest)
			return;
		drop_map(n, oldest);
	}
}

static void read_map(struct natives *n, struct process *p)
{
	const struct native_table *t;

	native_process_read_map(&p->p);
	t = p->p.map.table;
	n->map_bytes -= p->map_bytes;
	p->map_bytes = t ? native_table_bytes(t) : 0;
	n->map_bytes += p->map_bytes;
	bound_maps(n, p);
}

/* In the perf map, which is read again for an address that it has not. */
static bool name_made(struct natives *n, struct process *p, uint64_t ip, struct native_name *ret)
{
	struct native_function function;
	uint64_t at;
	bool found = p->p.map.table && native_table_find(p->p.map.table, ip, &function);

	if (!found) {
		at = now();
		if (p->p.map_read_at && at - p->p.map_read_at < p->map_wait)
			return false;
		p->p.map_read_at = at;
		read_map(n, p);
		found = p->p.map.table && native_table_find(p->p.map.table, ip, &function);
	}
	if (found) {
		name_function(n, function.name, NULL, ret);
		ret->offset = function.offset;
	}
	return found;
}

static const char *object_name(pid_t pid, struct native_mapping *m)
{
	struct image image = { .path = (char *)m->path };

	if (!m->object)
		m->object = m->kind == KIND_FILE ? image_target_path(pid, &image) : m->path;
	return m->object;
}

int natives_resolve(struct natives *n, pid_t pid, uint64_t ip, struct native_name *ret)
{
	struct process *p = process_get(n, pid);
	struct native_mapping *m;
	struct native_place place;
	int err;

	*ret = (struct native_name){ "", "", "", 0 };
	if (!p)
		return -ENOMEM;
	err = find_mapping(n, &p->p, ip, &m);
	if (err)
		return err;
	ret->object = object_name(pid, m);
	ret->offset = ip - m->start + m->offset;
	if (m->kind == KIND_MADE)
		name_made(n, p, ip, ret);
	else if (m->kind != KIND_OTHER) {
		if (!native_files_find(n->files, pid, m, ip, &place))
			name_place(n, &place, ret);
		else if (m->kind == KIND_FILE && !m->is_elf)
			name_made(n, p, ip, ret); /* code in a memfd */
	}
	return 0;
}

bool natives_poll(struct natives *n)
{
	return native_files_poll(n->files);
}

bool natives_pending(const struct natives *n)
{
	return native_files_pending(n->files);
}

void natives_stats(const struct natives *n, struct natives_stats *ret)
{
	struct native_files_stats files;
	struct process *p, *next;

	*ret = n->stats;
	HASH_ITER(hh, n->processes, p, next)
		process_count(ret, &p->p);
	native_files_stats(n->files, &files);
	ret->file_reads = files.reads;
	ret->failed_files = files.failed;
	ret->evicted_tables = files.evicted;
	ret->lost_symbols = files.lost;
	ret->fetched_files = files.fetched;
	ret->files = files.files;
	ret->tables = files.tables;
	ret->processes = HASH_COUNT(n->processes);
	ret->table_bytes = files.bytes + n->map_bytes;
}

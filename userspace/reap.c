// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/reap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/wire_request.h" /* the skeleton holds some of it, */
#include "symbolizer/layout.h" /* and of this */
#include "requests.skel.h"

bool process_lives(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return !access(path, F_OK);
}

static bool is_served(const struct requests_bpf *p, uint32_t tgid)
{
	struct wire_served served;

	return !bpf_map_lookup_elem(bpf_map__fd(p->maps.served), &tgid, &served);
}

/* Rows read at a time. */
#define REAP_BATCH 32

/* Runs on_reap: how is of enum wire_reap. */
static void request_reap(struct requests_bpf *p, uint64_t id, uint64_t how)
{
	__u64 args[2] = {id, how};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = args, .ctx_size_in = sizeof(args));

	bpf_prog_test_run_opts(bpf_program__fd(p->progs.on_reap), &run);
}

static void request_reap_gone(struct requests_bpf *p, const struct wire_request *r)
{
	if (!is_served(p, r->head.tgid))
		request_reap(p, r->id, process_lives(r->head.tgid) ? WIRE_REAP_FORGET
								   : WIRE_REAP_GONE);
}

static void request_reap_finished(struct requests_bpf *p, const struct wire_request *r)
{
	request_reap(p, r->id, WIRE_REAP_FINISH);
}

static void request_reap_unanswered(struct requests_bpf *p, const struct wire_request *r)
{
	request_reap(p, r->id, WIRE_REAP_FORGET);
}

/* As in bpf/inflight.bpf.h: a row begins with the request. */
static void requests_reap(struct requests_bpf *p,
			  void (*take)(struct requests_bpf *p, const struct wire_request *r))
{
	struct bpf_map *map = p->maps.inflight;
	size_t size = bpf_map__value_size(map);
	char *rows = malloc(REAP_BATCH * size);
	uint32_t keys[REAP_BATCH], next = 0, count;
	void *in = NULL;
	int err;

	if (!rows)
		return;
	do {
		count = REAP_BATCH;
		err = bpf_map_lookup_batch(bpf_map__fd(map), in, &next, keys, rows, &count, NULL);
		in = &next;
		for (uint32_t i = 0; i < count && (!err || err == -ENOENT); i++) {
			const struct wire_request *r = (const void *)(rows + i * size);

			if (r->id)
				take(p, r);
		}
	} while (!err && count);
	free(rows);
}

/* Where struct connection of bpf/connection.bpf.h has the process. */
#define CONNECTION_TGID 16

/* Whoever deletes the entry gives the row back.  value: room for one. */
static void connection_reap(struct requests_bpf *p, const char *key, char *value, bool all)
{
	int rows = bpf_map__fd(p->maps.connections);
	size_t size = bpf_map__value_size(p->maps.connections);
	uint32_t row, tgid;

	if (bpf_map_lookup_elem(bpf_map__fd(p->maps.connection_rows), key, &row) ||
	    (!all && bpf_map_lookup_elem(rows, &row, value)))
		return;
	memcpy(&tgid, value + CONNECTION_TGID, sizeof(tgid));
	if ((!all && process_lives(tgid)) ||
	    bpf_map_delete_elem(bpf_map__fd(p->maps.connection_rows), key))
		return;
	memset(value, 0, size);
	bpf_map_update_elem(rows, &row, value, BPF_ANY);
	bpf_map_update_elem(bpf_map__fd(p->maps.free_connections), NULL, &row, BPF_ANY);
}

static void connections_reap(struct requests_bpf *p, bool all)
{
	struct bpf_map *map = p->maps.connection_rows;
	size_t key_size = bpf_map__key_size(map);
	char *value = calloc(1, bpf_map__value_size(p->maps.connections));
	char *keys = malloc(2 * key_size);
	char *key = keys, *next = keys ? keys + key_size : NULL, *swap;
	bool more = value && keys && !bpf_map_get_next_key(bpf_map__fd(map), NULL, key);

	while (more) {
		more = !bpf_map_get_next_key(bpf_map__fd(map), key, next);
		connection_reap(p, key, value, all);
		swap = key;
		key = next;
		next = swap;
	}
	free(value);
	free(keys);
}

void reap(struct requests_bpf *p, bool finish)
{
	requests_reap(p, finish ? request_reap_finished : request_reap_gone);
	if (!finish)
		connections_reap(p, false);
}

void reap_rest(struct requests_bpf *p, bool in_flight)
{
	if (in_flight)
		requests_reap(p, request_reap_unanswered);
	connections_reap(p, true);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ended processes leave in the kernel's tables: which of it goes.  The tables are
 * ours, as the kernel's need rights; and processes are alive as this test says.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/wire_request.h"
#include "symbolizer/layout.h"
#include "requests.skel.h"
#include "tests/unit/suites.h"

#define INFLIGHT_SIZE ((sizeof(struct wire_request) + 263) & ~7ul)
#define CONNECTION_SIZE 64
#define KEY_SIZE 16
#define ROWS 80

enum table { NONE, INFLIGHT, SERVED, CONNECTIONS, CONNECTION_ROWS, FREE_CONNECTIONS, ON_REAP };

static struct {
	char inflight[ROWS][INFLIGHT_SIZE];
	int requests; /* rows that there are */
	uint32_t served[8];
	char connections[ROWS][CONNECTION_SIZE];
	char keys[ROWS][KEY_SIZE]; /* of row i, whose first byte is then i + 1; 0: none */
	bool vanishing;		   /* an entry is deleted by others before we do */
	uint32_t freed[ROWS];
	int n_freed;
	struct {
		uint64_t id, how;
	} told[ROWS];
	int n_told, batches;
	bool truncated; /* a batch fails */
} kernel;

static int fake_fd(const void *what)
{
	return (int)(intptr_t)what;
}

static unsigned fake_value_size(const struct bpf_map *map)
{
	return fake_fd(map) == INFLIGHT ? INFLIGHT_SIZE : CONNECTION_SIZE;
}

static int row_of(const void *key)
{
	return *(const unsigned char *)key - 1;
}

static int fake_lookup(int fd, const void *key, void *ret)
{
	uint32_t number;

	memcpy(&number, key, sizeof(number));
	switch (fd) {
	case SERVED:
		for (size_t i = 0; i < 8; i++)
			if (kernel.served[i] == number)
				return 0;
		return -1;
	case CONNECTIONS:
		memcpy(ret, kernel.connections[number], CONNECTION_SIZE);
		return 0;
	case CONNECTION_ROWS:
		number = (uint32_t)row_of(key);
		memcpy(ret, &number, sizeof(number));
		return kernel.keys[number][0] ? 0 : -1;
	}
	CU_FAIL("no such table");
	return -1;
}

static int fake_update(int fd, const void *key, const void *value, __u64 flags)
{
	uint32_t row;

	CU_ASSERT_EQUAL(flags, BPF_ANY);
	if (fd == FREE_CONNECTIONS) {
		CU_ASSERT_PTR_NULL(key);
		memcpy(&kernel.freed[kernel.n_freed++], value, sizeof(row));
		return 0;
	}
	CU_ASSERT_EQUAL(fd, CONNECTIONS);
	memcpy(&row, key, sizeof(row));
	memcpy(kernel.connections[row], value, CONNECTION_SIZE);
	return 0;
}

static int fake_delete(int fd, const void *key)
{
	CU_ASSERT_EQUAL(fd, CONNECTION_ROWS);
	kernel.keys[row_of(key)][0] = 0;
	return kernel.vanishing ? -1 : 0;
}

/* Also behind a key that is not there any more, as in a hash. */
static int fake_next(int fd, const void *key, void *next)
{
	int row = key ? row_of(key) + 1 : 0;

	CU_ASSERT_EQUAL(fd, CONNECTION_ROWS);
	while (row < ROWS && !kernel.keys[row][0])
		row++;
	if (row >= ROWS)
		return -1;
	memcpy(next, kernel.keys[row], KEY_SIZE);
	return 0;
}

static int fake_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
		      const struct bpf_map_batch_opts *opts)
{
	uint32_t from = 0, n;

	CU_ASSERT_EQUAL(fd, INFLIGHT);
	kernel.batches++;
	if (kernel.truncated)
		return -ENOSPC;
	if (in)
		memcpy(&from, in, sizeof(from));
	n = kernel.requests - from < *count ? kernel.requests - from : *count;
	memcpy(values, kernel.inflight[from], n * INFLIGHT_SIZE);
	from += n;
	memcpy(out, &from, sizeof(from));
	*count = n;
	return from < (uint32_t)kernel.requests ? 0 : -ENOENT;
}

static int fake_run(int fd, struct bpf_test_run_opts *run)
{
	const uint64_t *args = run->ctx_in;

	CU_ASSERT_EQUAL(fd, ON_REAP);
	CU_ASSERT_EQUAL(run->ctx_size_in, 16);
	kernel.told[kernel.n_told].id = args[0];
	kernel.told[kernel.n_told++].how = args[1];
	errno = EINVAL; /* as calls may leave it */
	return 0;
}

/* An even PID lives. */
static int fake_access(const char *path, int mode)
{
	return strtoul(path + strlen("/proc/"), NULL, 10) % 2 ? -1 : 0;
}

#define bpf_map__fd fake_fd
#define bpf_program__fd fake_fd
#define bpf_map__value_size fake_value_size
#define bpf_map__key_size(map) KEY_SIZE
#define bpf_map_lookup_elem fake_lookup
#define bpf_map_update_elem fake_update
#define bpf_map_delete_elem fake_delete
#define bpf_map_get_next_key fake_next
#define bpf_map_lookup_batch fake_batch
#define bpf_prog_test_run_opts fake_run
#define access fake_access
#define reap reap_of_ours
#define reap_rest reap_rest_of_ours
#define process_lives process_lives_of_ours
#include "userspace/reap.c"

static struct requests_bpf programs;

static void kernel_begin(void)
{
	memset(&kernel, 0, sizeof(kernel));
	programs.maps.inflight = (void *)INFLIGHT;
	programs.maps.served = (void *)SERVED;
	programs.maps.connections = (void *)CONNECTIONS;
	programs.maps.connection_rows = (void *)CONNECTION_ROWS;
	programs.maps.free_connections = (void *)FREE_CONNECTIONS;
	programs.progs.on_reap = (void *)ON_REAP;
}

static void request_add(uint64_t id, uint32_t tgid)
{
	struct wire_request r = { .id = id, .head.tgid = tgid };

	memcpy(kernel.inflight[kernel.requests++], &r, sizeof(r));
}

static void connection_add(int row, uint32_t tgid)
{
	kernel.keys[row][0] = (char)(row + 1);
	memset(kernel.connections[row], 7, CONNECTION_SIZE);
	memcpy(kernel.connections[row] + CONNECTION_TGID, &tgid, sizeof(tgid));
}

static void told_is(int n, uint64_t id, enum wire_reap how)
{
	CU_ASSERT_EQUAL(kernel.told[n].id, id);
	CU_ASSERT_EQUAL(kernel.told[n].how, how);
}

static void test_requests(void)
{
	kernel_begin();
	kernel.served[0] = 100;
	kernel.served[1] = 103; /* has just ended: its own end is still to be told */
	request_add(1, 100);
	request_add(2, 101);
	request_add(3, 102); /* lives, and is not served any more */
	request_add(0, 105); /* a free row */
	request_add(4, 103);
	reap(&programs, false);
	CU_ASSERT_EQUAL(kernel.n_told, 2);
	told_is(0, 2, WIRE_REAP_GONE);
	told_is(1, 3, WIRE_REAP_FORGET);
}

static void test_finish(void)
{
	kernel_begin();
	kernel.served[0] = 100;
	request_add(1, 100);
	request_add(2, 101);
	connection_add(3, 101);
	reap(&programs, true);
	CU_ASSERT_EQUAL(kernel.n_told, 2);
	told_is(0, 1, WIRE_REAP_FINISH);
	told_is(1, 2, WIRE_REAP_FINISH);
	/* The tables go, too. */
	CU_ASSERT_EQUAL(kernel.n_freed, 0);
}

static void test_many(void)
{
	kernel_begin();
	for (int i = 0; i < 2 * REAP_BATCH + 5; i++)
		request_add(1 + i, 101);
	reap(&programs, false);
	CU_ASSERT_EQUAL(kernel.n_told, kernel.requests);
	CU_ASSERT_EQUAL(kernel.batches, 3);
	for (int i = 0; i < kernel.n_told; i++)
		told_is(i, 1 + i, WIRE_REAP_GONE);

	/* Exactly a batch, and none. */
	for (int n = 0; n <= REAP_BATCH; n += REAP_BATCH) {
		kernel_begin();
		for (int i = 0; i < n; i++)
			request_add(1 + i, 101);
		reap(&programs, false);
		CU_ASSERT_EQUAL(kernel.n_told, n);
	}
}

/* What a failed call may have left in its buffer is no row. */
static void test_failure(void)
{
	kernel_begin();
	request_add(1, 101);
	kernel.truncated = true;
	reap(&programs, false);
	CU_ASSERT_EQUAL(kernel.n_told, 0);
	CU_ASSERT_EQUAL(kernel.batches, 1);
}

static void test_connections(void)
{
	static const char zeros[CONNECTION_SIZE];

	kernel_begin();
	connection_add(0, 101);
	connection_add(5, 102);
	connection_add(6, 103);
	connection_add(ROWS - 1, 105);
	reap(&programs, false);
	CU_ASSERT_EQUAL_FATAL(kernel.n_freed, 3);
	CU_ASSERT_EQUAL(kernel.freed[0], 0);
	CU_ASSERT_EQUAL(kernel.freed[1], 6);
	CU_ASSERT_EQUAL(kernel.freed[2], ROWS - 1);
	for (int i = 0; i < kernel.n_freed; i++) {
		CU_ASSERT_EQUAL(kernel.keys[kernel.freed[i]][0], 0);
		CU_ASSERT_EQUAL(memcmp(kernel.connections[kernel.freed[i]], zeros, sizeof(zeros)), 0);
	}
	CU_ASSERT_EQUAL(kernel.keys[5][0], 6);
	CU_ASSERT_EQUAL(kernel.connections[5][0], 7);
}

/* Whoever deletes the entry gives the row back: not twice. */
static void test_race(void)
{
	kernel_begin();
	connection_add(0, 101);
	kernel.vanishing = true;
	reap(&programs, false);
	CU_ASSERT_EQUAL(kernel.n_freed, 0);
	CU_ASSERT_EQUAL(kernel.connections[0][0], 7);
}

int suite_reap(void)
{
	CU_TestInfo tests[] = {
		{ "requests", test_requests },
		{ "finish", test_finish },
		{ "many", test_many },
		{ "failure", test_failure },
		{ "connections", test_connections },
		{ "race", test_race },
		CU_TEST_INFO_NULL,
	};

	return suite_register("reap", tests);
}

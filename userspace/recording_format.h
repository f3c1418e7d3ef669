/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recording file: what recording_write.c and recording_read.c agree on.
 *
 *	file    = magic[8], version u32, block...
 *	block   = type u32, length u32, xxh64 u64, payload[length]
 *	payload = fact...
 *	fact    = type varint, fields
 *
 * Fixed-size integers and doubles are little-endian.  A varint is LEB128, a
 * string is a varint length and that many bytes without NUL.  Ids that the sink
 * contract makes dense are not stored: the n-th function is function n.  The
 * checksum is seeded with the block's type and length, so it covers them too.
 *
 * Facts count only once a BLOCK_FLUSH or BLOCK_END follows them: a file cut
 * anywhere reads back as of its last flush.  Without BLOCK_END the recorder did
 * not finish.
 *
 * Numbers are never reused.  A reader refuses files newer than its version, so
 * a new fact, field, metric or loss means a new RECORDING_VERSION.
 *
 * META_KERNEL_MODE, since version 2, adds fields to the end of all calibrations and
 * costs and allows FACT_LONE; without it there is none of these.
 *
 * META_SAMPLED, since version 3, adds the period to the end of the meta fact and
 * allows FACT_NATIVE, FACT_SAMPLE and FACT_PASSAGE.
 *
 * META_REQUESTS, since version 4, adds the endpoint to the end of all nodes and allows
 * FACT_TAGS and all that follow. With META_NO_FUNCTIONS there is neither period nor cost.
 *
 * META_BUDGET, since version 5 and only with META_REQUESTS, adds the budget to the end of
 * the meta fact, behind the period, and allows FACT_PHASE.
 */
#ifndef PYCOST_RECORDING_FORMAT_H
#define PYCOST_RECORDING_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define RECORDING_MAGIC "\x89PYCOST\n"
#define RECORDING_MAGIC_SIZE 8
#define RECORDING_VERSION 5
#define RECORDING_HEADER_SIZE 12
#define RECORDING_BLOCK_HEADER_SIZE 16

/* The writer starts a new block here; one fact may overshoot it. */
#define RECORDING_BLOCK_SOFT_SIZE (1u << 20)
#define RECORDING_STRING_MAX (64u << 10)
#define RECORDING_BLOCK_MAX (4u << 20)

enum block_type {
	BLOCK_FACTS = 1, /* payload: facts, more follow before the flush */
	BLOCK_FLUSH = 2, /* payload: duration varint, facts */
	BLOCK_END = 3,	 /* payload: duration varint, facts */
};

enum fact_type {
	FACT_META = 1,	      /* metric, flags, start_realtime_ns, host, kernel, version */
	FACT_CALIBRATION = 2, /* id, python, build_id, 6 doubles; a 7th from version 2 on;
				 kernel mode: 5 more */
	FACT_PROCESS = 3,     /* pid, ppid, calibration, comm, python, exe */
	FACT_FUNCTION = 4,    /* line, unresolved, name, qualname, class, module, file, wraps */
	FACT_NODE = 5,	      /* id - parent (0: a root), function, pid, tid; requests: endpoint */
	FACT_COST = 6,	      /* node, calls, self; kernel mode: kernel_self */
	FACT_LOSS = 7,	      /* loss, total */
	FACT_SEARCH = 8,      /* node, search_self, search_caller (zigzag); since version 2 */
	FACT_LONE = 9,	      /* node, lone_self, lone_caller (zigzag); kernel mode only */
	FACT_NATIVE = 10,     /* id - parent (0: none), symbol, object; these three sampled only */
	FACT_SAMPLE = 11,     /* node, line, native, opcode + 1 (0: none), state, in_kernel, count */
	FACT_PASSAGE = 12,    /* node, line, count */
	FACT_TAGS = 13,	      /* count, a key and a value for each; from here on requests only */
	FACT_COMMON_TAGS = 14, /* tags */
	FACT_ENDPOINT = 15,   /* source, tags, method, name */
	FACT_BACKEND = 16,    /* name */
	FACT_GROUP = 17,      /* endpoint, pid, tags, status, flags */
	/*
	 * group, count; a bit for each measure that is not 0, and its sum (zigzag) and sum
	 * of squares (double); likewise calls and ns of each back end; then for each
	 * distribution the number of bins, and of each what it is above the one before
	 * (the first: above -1), less 1, and its count.
	 */
	FACT_REQUESTS = 18,
	FACT_WORKER = 19,     /* pid, ppid, born_ns, died_ns, exit_status (zigzag), requests, cost,
				 cpu_ns, request_cost, birth_rss, last_rss, peak_rss */
	FACT_IMPORT = 20,     /* endpoint, function, module, count, ns, cost, self_ns, self_cost */
	FACT_COLLECTION = 21, /* endpoint, function, generation, count, ns, cost, collected */
	FACT_PHASE = 22,      /* gap_ns, watched_ns, cost_ns, cpu_ns; with META_BUDGET only */
};

enum meta_flag {
	META_USER_ONLY = 1,
	META_METRIC_FALLBACK = 2,
	META_PER_THREAD = 4,
	META_KERNEL_MODE = 8,
	META_SAMPLED = 16,
	META_REQUESTS = 32,
	META_NO_FUNCTIONS = 64,
	META_BUDGET = 128,
	META_FLAGS = 255,
};

/* No probe costs as much; keeps the correction's arithmetic finite.  NaN is not valid. */
#define RECORDING_OVERHEAD_MAX 1e12

static inline bool overhead_is_valid(double overhead)
{
	return overhead >= -RECORDING_OVERHEAD_MAX && overhead <= RECORDING_OVERHEAD_MAX;
}

static inline uint64_t block_seed(uint32_t type, uint32_t length)
{
	return (uint64_t)type << 32 | length;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measurements that never happened, told to any sink. */
#ifndef PYCOST_TESTS_SAMPLE_H
#define PYCOST_TESTS_SAMPLE_H

#include <stddef.h>

#include "userspace/sink.h"

/*
 * A little shop in two processes: recursion, a wrapper, names beyond ASCII, a
 * calibration of 100 + 20 for each call.  What it adds up to is in test_costs.c.
 */
int sample_shop(struct sink *to, enum metric metric);

/*
 * The same with costs in kernel mode and 50 + 10 for each call, which add up in
 * test_kernel_mode.c.
 */
int sample_shop_kernel(struct sink *to, enum metric metric);

/*
 * The same shop, sampled each 1,000 units: 120 samples, of which native code, lines,
 * opcodes and states are known as test_sampled.c says.
 */
int sample_shop_sampled(struct sink *to, enum metric metric);

/*
 * A shop's web workers in an exact measurement, with their requests; only: nothing but
 * these. What it adds up to is in test_requests_recording.c.
 */
int sample_shop_requests(struct sink *to, bool only);

/* As many call paths over 2,000 functions, by several flushes. */
int sample_large(struct sink *to, uint32_t paths);

/* The same, for all who only know a file's name; "shop", "shop-kernel",
 * "shop-clock", "shop-sampled", "shop-requests", "shop-requests-only" or a number of paths. */
int sample_write(const char *what, const char *path);

/* For tests: a recording's bytes, and what they are when read back (-errno: refused). */
struct profile;
size_t sample_written(const char *what, uint8_t *to, size_t capacity);
int sample_replay(const void *data, size_t size, struct profile **ret);

/* One intact flush block of the given facts, in a file of some version; its size. */
size_t sample_block(uint32_t version, const uint8_t *facts, size_t size, uint8_t *to,
		    size_t capacity);
/* The same, read back. */
int sample_replay_facts(uint32_t version, const uint8_t *facts, size_t size,
			struct profile **ret);

#endif

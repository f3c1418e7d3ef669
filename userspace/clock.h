/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time that goes by, whatever the wall clock is set to. */
#ifndef PYCOST_CLOCK_H
#define PYCOST_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC, as bpf_ktime_get_ns() gives them. */
static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* A point of CLOCK_MONOTONIC, so many milliseconds from now. */
static inline struct timespec clock_in_ms(unsigned ms)
{
	uint64_t ns = clock_ns() + ms * 1000000ull;

	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

#endif

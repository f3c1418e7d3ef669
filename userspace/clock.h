/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time that goes by, whatever the wall clock is set to. */
#ifndef PYCOST_CLOCK_H
#define PYCOST_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC, as bpf_ktime_get_ns() gives them. */
static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* CPU time that a thread had by such a clock of its own; 0 when it has ended. */
static inline uint64_t clock_cpu_ns(clockid_t clock)
{
	struct timespec t;

	return clock_gettime(clock, &t) ? 0 : t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* A condition that is waited for until a point of CLOCK_MONOTONIC. */
static inline void clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* A point of CLOCK_MONOTONIC; and that so many milliseconds from now. */
static inline struct timespec clock_at(uint64_t ns)
{
	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

static inline struct timespec clock_in_ms(unsigned ms)
{
	return clock_at(clock_ns() + ms * 1000000ull);
}

#endif

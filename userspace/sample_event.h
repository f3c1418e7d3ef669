/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fires the samples: one perf event on each CPU, with a fixed period, so that each
 * sample stands for as much as any other.
 *
 * Where the PMU counts user instructions and can interrupt, a period is so many of
 * them; elsewhere it is time, of the clock of the CPU while it is not idle, user and
 * kernel.  One is never taken for the other.
 *
 * A rate is asked for in Hz on a busy CPU.  Of time that is what it is; a busy CPU is
 * taken to retire SAMPLE_NOMINAL instructions or cycles a second, so that the period of
 * the default of 99 Hz is some thirty millions.
 */
#ifndef PYCOST_SAMPLE_EVENT_H
#define PYCOST_SAMPLE_EVENT_H

#include <stdint.h>

#include "userspace/sink.h"

#define SAMPLE_NOMINAL 3000000000ull
#define SAMPLE_RATE_DEFAULT 99 /* not 100: nothing else on a machine goes at its pace */
#define SAMPLE_RATE_MAX 10000

struct sample_events;

/*
 * wanted 0: instructions where they are to be had, else cycles, else time.  period 0:
 * by the rate.  Nothing fires yet.  Errors of counter_open(); -ENOENT also for a metric
 * asked for by name whose PMU cannot interrupt.
 */
int sample_events_open(enum metric wanted, unsigned rate, uint64_t period,
		       struct sample_events **ret);
void sample_events_close(struct sample_events *e);

enum metric sample_events_metric(const struct sample_events *e);
uint64_t sample_events_period(const struct sample_events *e);
/* As of a counter: NULL unless the metric was second choice; what to mind in it. */
const char *sample_events_fallback_reason(const struct sample_events *e);
const char *sample_events_caution(const struct sample_events *e);

/* From now on the program runs at each sample. */
int sample_events_start(struct sample_events *e, int program_fd);
void sample_events_stop(struct sample_events *e);

/*
 * To be called about once a second.  A CPU that came online since gets an event; 0, or
 * -errno of the last that could not be had: what runs there is not sampled.
 */
int sample_events_follow_cpus(struct sample_events *e);

/* How often the kernel has held them back (PERF_RECORD_THROTTLE). */
uint64_t sample_events_throttled(struct sample_events *e);
/* The least share of the time, over the CPUs, that they were on the PMU. */
double sample_events_running(const struct sample_events *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of each CPU: of the metric, and of the same in kernel mode.
 */
#ifndef PYCOST_COUNTER_BPF_H
#define PYCOST_COUNTER_BPF_H

#include "bpf/losses.bpf.h"

/* One counter of the metric per CPU; empty for task-clock. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} counters SEC(".maps");

/* One counter per CPU; a single empty entry when kernel mode is not counted. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} kernel_counters SEC(".maps");

const volatile __u8 task_clock; /* the metric is nanoseconds, no counter */
const volatile __u8 kernel_mode; /* it is counted */

/* No reading of a counter: the CPU came online after the counters were opened. */
#define COUNTER_NONE (~0ull)

/*
 * The metric on this CPU, all its tasks together; on_switch() in life.bpf.c
 * takes the others out.
 */
static __always_inline __u64 counter_now(void)
{
	struct bpf_perf_event_value value;

	if (task_clock)
		return bpf_ktime_get_ns();
	if (bpf_perf_event_read_value(&counters, BPF_F_CURRENT_CPU, &value, sizeof(value)))
		return COUNTER_NONE;
	return value.counter;
}

/* What was not counted is lost; it must not become a difference to nothing. */
static __always_inline __u64 counter_advance(__u64 last, __u64 now)
{
	if (now >= last && now != COUNTER_NONE)
		return now - last;
	lose(WIRE_LOSS_UNCOUNTED);
	return 0;
}

static __always_inline __u64 kernel_now(void)
{
	struct bpf_perf_event_value value;

	if (!kernel_mode ||
	    bpf_perf_event_read_value(&kernel_counters, BPF_F_CURRENT_CPU, &value, sizeof(value)))
		return COUNTER_NONE;
	return value.counter;
}

#endif

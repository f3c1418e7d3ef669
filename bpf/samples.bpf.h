/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sample in the making, from the program that begins it to the one that sends it.
 *
 * Perf events come as interrupts that cannot be masked, so all maps here have their
 * memory from the start.  A program with a tail call may have no subprograms, which
 * arm64 has from 6.0 on only.
 */
#ifndef PYCOST_SAMPLES_BPF_H
#define PYCOST_SAMPLES_BPF_H

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#include "bpf/cpython.h"
#include "bpf/events.bpf.h"
#include "bpf/layout.bpf.h"
#include "bpf/wire.h"

const volatile struct cpython_runtime runtime;

static __always_inline int walk_read(void *dst, __u32 len, __u64 address)
{
	return bpf_probe_read_user(dst, len, (void *)address);
}

#include "bpf/walk.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} scratch SEC(".maps");

/* By build: see struct wire_sampled. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, WIRE_MAX_BUILDS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} walkers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WIRE_SAMPLES_RING);
} samples SEC(".maps");

/* The reader polls; only from so many bytes on it is woken. */
const volatile __u32 samples_wake = 2 << 20;

static __always_inline struct walk *scratch_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* Its native addresses follow the frames, and all go to the ring. */
static __always_inline void sample_send(struct bpf_perf_event_data *ctx, struct walk *w)
{
	__u64 n = w->sample.frames, size, flags = BPF_RB_NO_WAKEUP;
	void *room = &w->frames[0];
	long bytes;

	asm volatile("" : "+r"(n)); /* as in walk_room() */
	if (n > WIRE_SAMPLE_FRAMES + WIRE_SAMPLE_AWAITS)
		return;
	bytes = bpf_get_stack(ctx, room + n * sizeof(w->frames[0]), sizeof(w->natives),
			      BPF_F_USER_STACK);
	if (bytes < 0 || bytes > sizeof(w->natives))
		bytes = 0;
	w->sample.natives = bytes / 8;
	size = sizeof(w->sample) + n * sizeof(w->frames[0]) + bytes;
	if (bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA) >= samples_wake)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&samples, &w->sample, size, flags))
		lose(WIRE_LOSS_SAMPLES);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every kernel program shares, in both modes: rare events.
 */
#ifndef PYCOST_EVENTS_BPF_H
#define PYCOST_EVENTS_BPF_H

#include "bpf/losses.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

static __always_inline void tell(__u32 kind, __u32 tgid)
{
	struct wire_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		lose(WIRE_LOSS_EVENTS);
		return;
	}
	e->kind = kind;
	e->tgid = tgid;
	bpf_ringbuf_submit(e, 0);
}

static __always_inline void tell_fork(__u32 parent, __u32 child)
{
	struct wire_event_fork *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		lose(WIRE_LOSS_EVENTS);
		return;
	}
	e->head.kind = WIRE_EVENT_FORK;
	e->head.tgid = child;
	e->parent = parent;
	bpf_ringbuf_submit(e, 0);
}

#endif

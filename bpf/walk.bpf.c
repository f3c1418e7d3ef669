// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walking the frames of one interpreter build; on_sample() ends in it.
 *
 * What is done for each frame is a global function, which the verifier checks once,
 * however often it is called.
 */
#include "bpf/samples.bpf.h"
#include "bpf/prints.bpf.h"

/* The state that a thread was seen with last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32); /* tid */
	__type(value, __u64);
} states SEC(".maps");

__noinline int thread_search_step(void)
{
	struct walk *w = scratch_here();

	return w ? walk_search_step(w) : 0;
}

static __always_inline void thread_find(struct walk *w)
{
	__u32 tid = w->sample.tid;
	__u64 *known = bpf_map_lookup_elem(&states, &tid), state = known ? *known : 0;

	walk_recall(w, state);
	if (!walk_is_certain(w)) {
		walk_search(w);
		for (int i = 0; i < WALK_STATES; i++)
			if (!thread_search_step())
				break;
	}
	if (w->state && w->state != state) {
		state = w->state;
		bpf_map_update_elem(&states, &tid, &state, BPF_ANY);
	}
}

/*
 * The code object in code_words, of the frame recorded last; announced if it is met
 * for the first time.
 */
__noinline int frame_name(void)
{
	struct walk *w = scratch_here();
	struct wire_sample_frame *frame = w ? walk_room(w, w->sample.frames - 1ull) : 0;

	if (frame)
		frame->print = print_of(w);
	return 0;
}

__noinline int frame_step(void)
{
	struct walk *w = scratch_here();

	return w ? walk_step(w) : 0;
}

__noinline int await_step(void)
{
	struct walk *w = scratch_here();

	return w ? walk_await_step(w) : 0;
}

SEC("perf_event")
int walk(struct bpf_perf_event_data *ctx)
{
	struct walk *w = scratch_here();
	int more = 1;

	if (!w)
		return 0;
	thread_find(w);
	walk_start(w);
	for (int i = 0; i <= WALK_STEPS && more; i++) {
		more = frame_step();
		if (more > 0)
			frame_name();
	}
	walk_finish(w);
	more = runtime.tstate_task != PY_NONE;
	for (int i = 0; i < WIRE_SAMPLE_AWAITS && more; i++) {
		more = await_step();
		if (more > 0)
			frame_name();
	}
	sample_send(ctx, w);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

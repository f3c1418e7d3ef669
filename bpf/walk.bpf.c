// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walking the frames of one interpreter build, in two programs that on_sample() and
 * they themselves call as tails: one walks, the other names the code objects that have
 * not been met before.
 */
#include "bpf/samples.bpf.h"
#include "bpf/names.bpf.h"

/* Of each run; a program can be called as a tail 33 times in all. */
#define FRAMES_RUN 128
#define NAMES_RUN 64

/* The state that a thread was seen with last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32); /* tid */
	__type(value, __u64);
} states SEC(".maps");

/*
 * Code objects that have been announced.  One that is freed leaves its address to
 * another, which has other names: these are compared by address.
 */
struct print_key {
	__u64 code;
	__u32 tgid;
	__u32 epoch;
};

struct print {
	__u64 file, name;
	__u32 line;
	__u32 print;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct print_key);
	__type(value, struct print);
} prints SEC(".maps");

static __always_inline void thread_find(struct walk *w)
{
	__u32 tid = w->sample.tid;
	__u64 *known = bpf_map_lookup_elem(&states, &tid), state = known ? *known : 0;

	walk_recall(w, state);
	if (!walk_is_certain(w)) {
		walk_search(w);
		for (int i = 0; i < WALK_STATES; i++)
			if (!walk_search_step(w))
				break;
	}
	if (w->state && w->state != state) {
		state = w->state;
		bpf_map_update_elem(&states, &tid, &state, BPF_ANY);
	}
}

/* What names the code object whose words have been read. */
static __always_inline void print_describe(struct walk *w, struct print *ret)
{
	ret->file = WALK_WORD(w->code_words, layout.code_filename, 0);
	ret->name = WALK_WORD(w->code_words, layout.code_name, 0);
	ret->line = WALK_U32(w->code_words, layout.code_firstlineno, 0);
	ret->print = 0;
}

/* 0: it has not been met. */
static __always_inline __u32 print_known(struct walk *w, __u64 code)
{
	struct print_key key = {.code = code, .tgid = w->sample.head.tgid,
				.epoch = w->process.epoch};
	struct print *known = bpf_map_lookup_elem(&prints, &key), now;

	print_describe(w, &now);
	if (!known || known->file != now.file || known->name != now.name || known->line != now.line)
		return 0;
	return known->print;
}

/* The frame recorded last. */
static __always_inline void frame_name(struct walk *w)
{
	__u32 n = w->sample.frames - 1, print = print_known(w, w->code);

	if (n >= WIRE_SAMPLE_FRAMES + WIRE_SAMPLE_AWAITS)
		return;
	w->frames[n].print = print;
	if (!print)
		w->unnamed++;
}

/* 0: there may be more frames. */
static __always_inline int frames_walk(struct walk *w)
{
	int more;

	for (int i = 0; i < FRAMES_RUN; i++) {
		more = walk_step(w);
		if (!more)
			return 1;
		if (more > 0)
			frame_name(w);
	}
	return 0;
}

static __always_inline void awaits_walk(struct walk *w)
{
	int more;

	if (runtime.tstate_task == PY_NONE)
		return;
	for (int i = 0; i < WIRE_SAMPLE_AWAITS; i++) {
		more = walk_await_step(w);
		if (!more)
			return;
		if (more > 0)
			frame_name(w);
	}
}

SEC("perf_event")
int walk(struct bpf_perf_event_data *ctx)
{
	struct walk *w = scratch_here();

	if (!w)
		return 0;
	if (!w->begun) {
		w->begun = 1;
		thread_find(w);
		walk_start(w);
	}
	if (!frames_walk(w)) {
		bpf_tail_call(ctx, &walkers, WIRE_WALKER(w->process.build));
		w->sample.flags |= WIRE_SAMPLE_DEEP;
	}
	walk_finish(w);
	awaits_walk(w);
	if (w->sample.frames && w->unnamed)
		bpf_tail_call(ctx, &walkers, WIRE_NAMER(w->process.build));
	sample_send(ctx, w);
	return 0;
}

static __always_inline void code_name(struct walk *w, struct wire_sample_frame *f)
{
	struct print_key key = {.code = f->code, .tgid = w->sample.head.tgid,
				.epoch = w->process.epoch};
	struct print now;

	if (walk_read(w->code_words, sizeof(w->code_words), f->code))
		return;
	f->print = print_known(w, f->code);
	if (f->print)
		return;
	f->print = names_print(f->code);
	print_describe(w, &now);
	now.print = f->print;
	/* Had the ring been full, the next sample tries again. */
	if (!names_send(key.code, 0, key.tgid, now.print))
		bpf_map_update_elem(&prints, &key, &now, BPF_ANY);
}

SEC("perf_event")
int name(struct bpf_perf_event_data *ctx)
{
	struct walk *w = scratch_here();

	if (!w)
		return 0;
	for (int i = 0; i < NAMES_RUN; i++) {
		__u32 n = w->named;

		if (n >= w->sample.frames || n >= WIRE_SAMPLE_FRAMES + WIRE_SAMPLE_AWAITS)
			goto done;
		w->named = n + 1;
		if (!w->frames[n].print)
			code_name(w, &w->frames[n]);
	}
	bpf_tail_call(ctx, &walkers, WIRE_NAMER(w->process.build));
done:
	sample_send(ctx, w);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which code object it is that a walk has met, by a print of its names; announced when
 * it is met for the first time in its process.
 */
#ifndef PYCOST_PRINTS_BPF_H
#define PYCOST_PRINTS_BPF_H

#include "bpf/names.bpf.h"
#include "bpf/walk_state.bpf.h"

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

/* What names the code object whose words have been read. */
static __always_inline void print_describe(struct walk *w, struct print *ret)
{
	ret->file = WALK_WORD(w->code_words, layout.code_filename, 0);
	ret->name = WALK_WORD(w->code_words, layout.code_name, 0);
	ret->line = WALK_U32(w->code_words, layout.code_firstlineno, 0);
	ret->print = 0;
}

/* Of the code object in code_words, in the process of the walk. */
static __always_inline __u32 print_of(struct walk *w)
{
	struct print *known, now;
	struct print_key key = {};

	key.code = w->code;
	key.tgid = w->sample.head.tgid;
	key.epoch = w->process.epoch;
	print_describe(w, &now);
	known = bpf_map_lookup_elem(&prints, &key);
	if (known && known->file == now.file && known->name == now.name && known->line == now.line)
		return known->print;
	now.print = names_print(key.code);
	/* Had the ring been full, the next one tries again. */
	if (!names_send(key.code, 0, key.tgid, now.print))
		bpf_map_update_elem(&prints, &key, &now, BPF_ANY);
	return now.print;
}

#endif

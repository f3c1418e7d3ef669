// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether instructions of a build tell its calls: counts how often frames of each
 * name of a known script are entered and left at each of them, in a private child.
 *
 * Where no register is known to hold the frame, those are kept that at every return
 * held the one that was entered last.
 */
#include "bpf/python.bpf.h"

const volatile __u16 site_pages[PROOF_SITES]; /* offset in its page: that much is known of an address */
const volatile __u32 n_sites;
const volatile __u8 ip_reg; /* of struct pt_regs */
const volatile struct proof_name names[PROOF_NAMES];

struct proof proof;

/* The name of this frame's code; PROOF_NAMES: none of ours. */
static __always_inline __u32 name_of(__u64 frame)
{
	__u64 code = user_u64(frame + layout.frame_code) & ~(__u64)layout.code_tag_mask;
	__u64 str = user_u64(code + layout.code_name);
	struct proof_name name = {};

	bpf_probe_read_user_str(&name, sizeof(name), (void *)(str + layout.str_ascii_data));
	for (__u32 i = 0; i < PROOF_NAMES; i++)
		if (names[i].words[0] == name.words[0] && names[i].words[1] == name.words[1])
			return i;
	return PROOF_NAMES;
}

static __always_inline __u32 site_of(void *ctx)
{
	__u32 page = reg_read(ctx, ip_reg) & 0xfff;

	for (__u32 i = 0; i < PROOF_SITES; i++)
		if (i < n_sites && site_pages[i] == page)
			return i;
	return PROOF_SITES;
}

#define KEEP(n)                                                                                    \
	if (reg_read(ctx, n) == frame)                                                             \
		regs |= 1u << (n);

static __always_inline __u32 regs_with(void *ctx, __u64 frame)
{
	__u32 regs = 0;

	FRAME_REGS(KEEP)
	return regs;
}

/* Bounds an index that is below a power of 2 anyhow, in a way that no verifier misses. */
#define BOUND(i, power) asm volatile("%0 &= %1" : "+r"(i) : "i"((power)-1))

static __always_inline __u64 *stack_at(__u32 depth)
{
	if (depth >= PROOF_DEPTH)
		return 0;
	BOUND(depth, PROOF_DEPTH);
	return &proof.stack[depth];
}

static __always_inline void count(__u64 (*counts)[PROOF_COUNTS], __u32 name)
{
	__u32 phase = proof.phase;

	BOUND(phase, PROOF_PHASES);
	BOUND(name, PROOF_COUNTS);
	counts[phase][name]++;
}

SEC("uprobe")
int proof_entry(void *ctx)
{
	__u32 site = site_of(ctx);
	__u64 frame, *top;

	if (site >= PROOF_SITES || !proof.phase)
		return 0;
	BOUND(site, PROOF_SITES);
	proof.hits[site]++;
	frame = reg_read(ctx, proof.frame_regs[site]);
	top = stack_at(proof.depth);
	if (top && *top == frame)
		return 0; /* see entered_already() */
	proof.depth++;
	top = stack_at(proof.depth);
	if (top)
		*top = frame;
	count(proof.entries, name_of(frame));
	return 0;
}

SEC("uprobe")
int proof_return(void *ctx)
{
	__u32 site = site_of(ctx);
	__u64 *top, frame;
	struct py_frame f;

	if (site >= PROOF_SITES || !proof.phase)
		return 0;
	BOUND(site, PROOF_SITES);
	proof.hits[site]++;
	top = stack_at(proof.depth);
	if (!top || !proof.depth)
		return 0;
	if (proof.frame_regs[site] == REG_NONE) {
		frame = *top;
		proof.regs[site] &= regs_with(ctx, frame);
	} else {
		frame = reg_read(ctx, proof.frame_regs[site]);
		if (*top != frame) {
			if (!frame_read(&f, frame) && layout.frame_owner != PY_NONE &&
			    (frame_is_foreign(&f) || code_named_twice(f.code) || frame_never_ran(&f)))
				return 0;
			count(proof.returns, name_of(frame));
			return 0;
		}
	}
	*top = 0;
	proof.depth--;
	count(proof.returns, name_of(frame));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

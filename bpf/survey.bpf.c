// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where a build keeps the frame at its probes.
 *
 * The probes hand over names, not the frame; but the compiler still has the
 * frame in some register, another one in each build.  Run over a private child
 * with a known script, this program keeps, of all registers, those that in
 * every single hit pointed to a frame whose code object has the very name that
 * the probe announced.
 */
#include "bpf/python.bpf.h"

const volatile __u8 entry_name_reg = REG_NONE;

__u64 entry_hits, return_hits;
__u32 entry_regs = ~0u, return_regs = ~0u; /* a bit a register that was always right */

static __always_inline __u32 frame_names(__u64 frame, __u64 name)
{
	__u64 code = user_u64(frame + layout.frame_code) & ~(__u64)layout.code_tag_mask;

	return user_u64(code + layout.code_name) + layout.str_ascii_data == name;
}

#define CHECK(n)                                                                                   \
	if (frame_names(reg_read(ctx, n), name))                                                   \
		regs |= 1u << (n);

static __always_inline __u32 frame_regs(void *ctx, __u64 name)
{
	__u32 regs = 0;

	FRAME_REGS(CHECK)
	return regs;
}

SEC("uprobe")
int survey_entry(void *ctx)
{
	entry_regs &= frame_regs(ctx, reg_read(ctx, entry_name_reg));
	__sync_fetch_and_add(&entry_hits, 1);
	return 0;
}

SEC("uprobe")
int survey_return(void *ctx)
{
	__u64 name = reg_read(ctx, return_name_reg);

	if (name == reg_read(ctx, return_file_reg)) /* 3.15's shim */
		return 0;
	return_regs &= frame_regs(ctx, name);
	__sync_fetch_and_add(&return_hits, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

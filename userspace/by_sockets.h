/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How this kernel shows requests: by what goes through sockets, or by all system calls.
 */
#ifndef PYCOST_BY_SOCKETS_H
#define PYCOST_BY_SOCKETS_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * It tells of sockets, which is cheaper by far than to look at all system calls: from 6.5
 * on, see bpf/sleep.bpf.h.  With PYCOST_TRACE_SYSCALLS set it is not asked.
 */
static inline bool kernel_tells_of_sockets(void)
{
	struct btf *btf = getenv("PYCOST_TRACE_SYSCALLS") ? NULL : btf__load_vmlinux_btf();
	bool tells = btf &&
		     btf__find_by_name_kind(btf, "btf_trace_sock_recv_length", BTF_KIND_TYPEDEF) > 0 &&
		     btf__find_by_name_kind(btf, "splice_to_socket", BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return tells;
}

/* See bpf/steady.bpf.h: bpf_subprog_info of the verifier knows since then what may sleep. */
static inline bool kernel_keeps_steady(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *info;
	const struct btf_member *m;
	bool keeps = false;
	int id;

	id = btf ? btf__find_by_name_kind(btf, "bpf_subprog_info", BTF_KIND_STRUCT) : -ENOENT;
	info = id > 0 ? btf__type_by_id(btf, id) : NULL;
	for (int i = 0; info && i < btf_vlen(info); i++) {
		m = btf_members(info) + i;
		keeps |= !strcmp(btf__name_by_offset(btf, m->name_off), "might_sleep");
	}
	keeps = keeps && btf__find_by_name_kind(btf, "bpf_preempt_disable", BTF_KIND_FUNC) > 0 &&
		btf__find_by_name_kind(btf, "bpf_local_irq_save", BTF_KIND_FUNC) > 0;
	btf__free(btf);
	return keeps;
}

/*
 * Whether a program of ours may trace its function that closes a socket, sock_close() of
 * net/socket.c: 0, as far as loading one tells.  -ENOENT: it has none of that name;
 * -EPERM: it refuses all such programs, as it may in a sandbox.
 */
static inline int kernel_traces_closes(void)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = BPF_TRACE_FENTRY);
	int id = libbpf_find_vmlinux_btf_id("sock_close", BPF_TRACE_FENTRY), fd;

	if (id <= 0)
		return -ENOENT;
	o.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "pycost_try", "GPL", nothing,
			   sizeof(nothing) / sizeof(*nothing), &o);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

#endif

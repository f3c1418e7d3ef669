/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How this kernel shows requests: by what goes through sockets, or by all system calls.
 */
#ifndef PYCOST_BY_SOCKETS_H
#define PYCOST_BY_SOCKETS_H

#include <bpf/btf.h>
#include <stdbool.h>
#include <stdlib.h>

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

#endif

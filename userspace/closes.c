// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/closes.h"

#include <bpf/libbpf.h>
#include <errno.h>

#include "bpf/wire_request.h" /* the skeleton holds some of it */
#include "requests.skel.h"
#include "userspace/by_sockets.h"

void closes_choose(struct requests_bpf *p, bool sockets)
{
	bpf_program__set_autoload(p->progs.on_close, sockets && !kernel_traces_closes());
	bpf_program__set_autoload(p->progs.on_state, sockets);
	/* Only one of them. */
	bpf_program__set_autoattach(p->progs.on_close, false);
	bpf_program__set_autoattach(p->progs.on_state, false);
}

/*
 * What can be loaded may yet not be attached: on arm64 that takes a kernel with
 * DYNAMIC_FTRACE_WITH_DIRECT_CALLS, which came with 6.4 and a newer compiler.
 */
int closes_attach(struct requests_bpf *p, enum closes *ret)
{
	*ret = CLOSES_BY_CALLS;
	if (!bpf_program__autoload(p->progs.on_state))
		return 0;
	*ret = CLOSES_BY_SOCKETS;
	if (bpf_program__autoload(p->progs.on_close))
		p->links.on_close = bpf_program__attach(p->progs.on_close);
	if (p->links.on_close)
		return 0;
	*ret = CLOSES_BY_TCP;
	p->links.on_state = bpf_program__attach(p->progs.on_state);
	return p->links.on_state ? 0 : -errno;
}

const struct bpf_program *closes_detach(struct requests_bpf *p)
{
	const struct bpf_program *ret = p->links.on_close ? p->progs.on_close :
					p->links.on_state ? p->progs.on_state : NULL;

	bpf_link__destroy(p->links.on_close);
	bpf_link__destroy(p->links.on_state);
	p->links.on_close = p->links.on_state = NULL;
	return ret;
}

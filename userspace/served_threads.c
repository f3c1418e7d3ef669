/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/served_threads.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

#include "bpf/wire_request.h" /* the skeleton holds some of it, */
#include "symbolizer/layout.h" /* and of this */
#include "requests.skel.h"

void served_thread_forget(struct requests_bpf *p, uint32_t tid)
{
	char *nobody = calloc(1, bpf_map__value_size(p->maps.servers));
	uint32_t slot;

	if (!bpf_map_lookup_elem(bpf_map__fd(p->maps.server_slots), &tid, &slot) &&
	    !bpf_map_delete_elem(bpf_map__fd(p->maps.server_slots), &tid)) {
		/* A CPU may still have it as the one that it met last: see server_of(). */
		if (nobody)
			bpf_map_update_elem(bpf_map__fd(p->maps.servers), &slot, nobody, BPF_ANY);
		bpf_map_delete_elem(bpf_map__fd(p->maps.class_of), &tid);
		bpf_map_update_elem(bpf_map__fd(p->maps.free_servers), NULL, &slot, BPF_ANY);
	}
	free(nobody);
}

void served_threads_forget(struct requests_bpf *p)
{
	int slots = bpf_map__fd(p->maps.server_slots);
	uint32_t tid, next;
	int err = bpf_map_get_next_key(slots, NULL, &tid);

	while (!err) {
		err = bpf_map_get_next_key(slots, &tid, &next);
		served_thread_forget(p, tid);
		tid = next;
	}
}

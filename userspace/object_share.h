/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several BPF objects have in common, as they include the same headers. */
#ifndef PYCOST_OBJECT_SHARE_H
#define PYCOST_OBJECT_SHARE_H

struct bpf_object;

/* Gives `to`, open and not yet loaded, the maps of `from` that it has too, by name. */
int object_share_maps(const struct bpf_object *from, struct bpf_object *to);
/* And the values of its constants, by name and size. */
int object_share_constants(const struct bpf_object *from, struct bpf_object *to);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections go to which back end, for the kernel's programs: bpf/backend.bpf.h. */
#ifndef PYCOST_SERVED_BACKENDS_H
#define PYCOST_SERVED_BACKENDS_H

struct request_config;

/* map: their `backends`.  -errno of writing into it. */
int served_backends_fill(int map, const struct request_config *config);

#endif

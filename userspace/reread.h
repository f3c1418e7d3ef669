/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that the kernel programs could not read.
 *
 * They read without waiting for a page: one that is not mapped just now, or on
 * arm64 processors without a hardware access flag one that has not been used for a
 * while, is not to be had.  From here such a page is waited for.
 */
#ifndef PYCOST_REREAD_H
#define PYCOST_REREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cpython_layout;
struct wire_event_code;

bool reread_is_due(const struct wire_event_code *e);

/*
 * Reads what is missing in e from the process.  -ESRCH, -EPERM, -EFAULT when it
 * cannot be read, or is not what it should be.
 */
int reread_code(pid_t pid, const struct cpython_layout *layout, struct wire_event_code *e);

#define REREAD_LINETABLE_MAX (1u << 20)
/*
 * A line table of which an announced code object has the beginning, whole: e's
 * linetable_size bytes, to be freed.  -ESTALE: what is there now is another one, or too
 * long; errors as above.
 */
int reread_linetable(pid_t pid, const struct cpython_layout *layout,
		     const struct wire_event_code *e, uint8_t **ret);

#endif

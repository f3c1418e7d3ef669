/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PYCOST_RIGHTS_H
#define PYCOST_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/capability.h>

/* False too for a capability that this kernel has never heard of, and for NULL caps. */
bool rights_has(cap_t caps, cap_value_t value);

enum rights_mode { RIGHTS_ANY_MODE, RIGHTS_EXACT, RIGHTS_SAMPLE };

/*
 * When err is -EPERM or -EACCES, adds to the text which capabilities, of those
 * that can matter to pycost in that mode, this process does not have.
 */
void rights_explain(int err, enum rights_mode mode, char *text, size_t len);

#endif

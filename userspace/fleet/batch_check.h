/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a batch is what batch.h says it is. */
#ifndef PYCOST_BATCH_CHECK_H
#define PYCOST_BATCH_CHECK_H

#include "userspace/fleet/batch.h"

/* -EBADMSG, and in err what is wrong. */
int batch_check(const struct batch *b, char *err, size_t errlen);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of the time a recording's hardware counter counted, in numbers and
 * words, from its losses: LOSS_MULTIPLEXED has the part that is missing.
 */
#ifndef PYCOST_COUNTER_SHARE_H
#define PYCOST_COUNTER_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/sink.h"

/* From 0 to 1, which is all of the time. */
double counter_share(const uint64_t losses[LOSS_MAX]);

/*
 * "counter on the PMU 63.2 % of the time: costs are parts only, not scaled";
 * false, and "", when it was there all of the time.
 */
bool counter_share_text(const uint64_t losses[LOSS_MAX], char *ret, size_t size);

/* While it is recorded, and was not there all of the time: for the user to know. */
const char *counter_share_notice(void);

#endif

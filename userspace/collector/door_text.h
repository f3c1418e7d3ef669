/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What strangers write into the head of a request. Pure functions, for tests and fuzzers. */
#ifndef PYCOST_DOOR_TEXT_H
#define PYCOST_DOOR_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace/fleet/batch.h"

/* 32 hexadecimal digits; -EINVAL. */
int door_batch_id(const char *text, uint8_t ret[BATCH_ID_SIZE]);
/* Digits only, of this age of the world; -EINVAL. */
int door_unix_time(const char *text, int64_t *ret);
/* Whether a Host is an address or localhost, with or without a port. */
bool door_host_is_local(const char *host);

/*
 * How far a sender's clock is behind ours, in whole minutes, as far as it is more than the
 * way here may take. sent_s 0: it did not say, so it is right.
 */
int64_t door_clock_shift(int64_t sent_s, int64_t now_s);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many batches and bytes a sender may bring. What it has not used in a while it may
 * use at once, up to ten minutes of it: a sender that was cut off has to catch up.
 */
#ifndef PYCOST_SENDER_RATE_H
#define PYCOST_SENDER_RATE_H

#include <stddef.h>
#include <stdint.h>

#define SENDERS_MAX 65536 /* known at a time; the one that was silent longest goes */

struct sender_rates;

/* Per minute. NULL: no memory. */
struct sender_rates *sender_rates_new(uint64_t batches, uint64_t bytes);
void sender_rates_free(struct sender_rates *r);

/*
 * Counts one batch; 0: it may come, else in how many seconds it may be tried again, and it
 * is not counted. Any thread.
 */
unsigned sender_rates_take(struct sender_rates *r, const char *grant, const char *sender,
			   size_t bytes, uint64_t now_ns);
size_t sender_rates_count(struct sender_rates *r);

#endif

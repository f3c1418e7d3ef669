/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose turn it is to measure exactly. Time is cut into windows, the same everywhere, and
 * in each of them a share of all hosts has its turn, by a hash of host and window: so no
 * host needs to know of another, each has its turn as often as any, and what is measured
 * exactly is a fair part of what the fleet does.
 */
#ifndef PYCOST_TURNS_H
#define PYCOST_TURNS_H

#include <stdbool.h>
#include <stdint.h>

/* now_s: Unix time. share: of 0 to 1. */
bool turn_is_exact(const char *host, uint64_t now_s, unsigned window_s, double share);
/* When the window ends that now_s is in. */
uint64_t turn_end(uint64_t now_s, unsigned window_s);

#endif

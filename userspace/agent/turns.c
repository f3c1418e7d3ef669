/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/turns.h"

#include <string.h>
#include <xxhash.h>

bool turn_is_exact(const char *host, uint64_t now_s, unsigned window_s, double share)
{
	uint64_t window = window_s ? now_s / window_s : 0;

	/* 53 bits are a double's. */
	return (XXH64(host, strlen(host), window) >> 11) * 0x1p-53 < share;
}

uint64_t turn_end(uint64_t now_s, unsigned window_s)
{
	return window_s ? (now_s / window_s + 1) * window_s : UINT64_MAX;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exact mode's programs with the constants of one interpreter, not yet loaded. */
#ifndef PYCOST_EXACT_H
#define PYCOST_EXACT_H

#include <stdbool.h>
#include <stdint.h>

struct exact_bpf;
struct kernel;

/*
 * Which register holds what at the probes: enum usdt_reg, or PROBE_NO_REG.  For a
 * return's frame that is: the frame on top.
 */
struct exact_regs {
	uint8_t entry_frame, entry_line;
	uint8_t return_frame, return_file, return_name, return_line;
	bool trapped; /* no USDT probes, which hand over the others */
};

/*
 * For Python 3.MINOR, on the session's maps.  -ENOMEM, also when no layout of it is
 * known.  To be loaded, and destroyed with exact_bpf__destroy().
 */
int exact_open(const struct kernel *k, int minor, const struct exact_regs *regs,
	       struct exact_bpf **ret);

#endif

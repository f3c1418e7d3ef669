/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The opcodes with which a Python function begins and ends, by minor version.
 *
 * Numbers are of Include/opcode.h (3.11, 3.12) and Include/opcode_ids.h (3.13
 * on).  They are fixed by a minor's magic number, so all its micros agree.
 */
#ifndef PYCOST_EVAL_OPCODES_H
#define PYCOST_EVAL_OPCODES_H

#include <stdbool.h>
#include <stdint.h>

enum eval_role {
	EVAL_ENTRY = 1, /* once for each call and each resumption of a generator */
	EVAL_RETURN,	/* the frame ends; not by an exception */
	EVAL_YIELD,	/* the frame is left and lives on */
};

struct eval_opcode {
	enum eval_role role; /* 0: after the last */
	uint8_t number;
	const char *name;
	bool instrumented; /* its form under sys.monitoring */
};

#define EVAL_OPCODES_MAX 10
#define EVAL_GAPS_MAX 4

struct eval_opcodes {
	int minor;
	struct eval_opcode ops[EVAL_OPCODES_MAX];
	/* Numbers from first to last that mean no opcode; first 0: after the last. */
	struct eval_gap {
		uint8_t first, last;
	} gaps[EVAL_GAPS_MAX];
};

/* NULL: before 3.11, where functions have no opcode of their own, or too new. */
const struct eval_opcodes *eval_opcodes_for(int minor);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/eval_opcodes.h"

#include <stddef.h>

static const struct eval_opcodes known[] = {
	{
		/* Include/opcode.h, 3.11.2 */
		.minor = 11,
		.ops = {
			{ EVAL_ENTRY, 151, "RESUME" },
			{ EVAL_ENTRY, 150, "RESUME_QUICK" },
			{ EVAL_RETURN, 83, "RETURN_VALUE" },
			{ EVAL_YIELD, 86, "YIELD_VALUE" },
		},
		.gaps = { { 181, 254 } },
	},
	{
		/* Include/opcode.h, 3.12.1 */
		.minor = 12,
		.ops = {
			{ EVAL_ENTRY, 151, "RESUME" },
			{ EVAL_ENTRY, 240, "INSTRUMENTED_RESUME", true },
			{ EVAL_RETURN, 83, "RETURN_VALUE" },
			{ EVAL_RETURN, 121, "RETURN_CONST" },
			{ EVAL_RETURN, 242, "INSTRUMENTED_RETURN_VALUE", true },
			{ EVAL_RETURN, 247, "INSTRUMENTED_RETURN_CONST", true },
			{ EVAL_YIELD, 150, "YIELD_VALUE" },
			{ EVAL_YIELD, 243, "INSTRUMENTED_YIELD_VALUE", true },
		},
		.gaps = { { 169, 170 }, { 177, 236 }, { 255, 255 } },
	},
	{
		/* Include/opcode_ids.h, 3.13.5 */
		.minor = 13,
		.ops = {
			{ EVAL_ENTRY, 149, "RESUME" },
			{ EVAL_ENTRY, 207, "RESUME_CHECK" },
			{ EVAL_ENTRY, 236, "INSTRUMENTED_RESUME", true },
			{ EVAL_RETURN, 36, "RETURN_VALUE" },
			{ EVAL_RETURN, 103, "RETURN_CONST" },
			{ EVAL_RETURN, 239, "INSTRUMENTED_RETURN_VALUE", true },
			{ EVAL_RETURN, 240, "INSTRUMENTED_RETURN_CONST", true },
			{ EVAL_YIELD, 118, "YIELD_VALUE" },
			{ EVAL_YIELD, 241, "INSTRUMENTED_YIELD_VALUE", true },
		},
		.gaps = { { 119, 148 }, { 223, 235 }, { 255, 255 } },
	},
	{
		/* Include/opcode_ids.h, 3.14.10 */
		.minor = 14,
		.ops = {
			{ EVAL_ENTRY, 128, "RESUME" },
			{ EVAL_ENTRY, 196, "RESUME_CHECK" },
			{ EVAL_ENTRY, 245, "INSTRUMENTED_RESUME", true },
			{ EVAL_RETURN, 35, "RETURN_VALUE" },
			{ EVAL_RETURN, 246, "INSTRUMENTED_RETURN_VALUE", true },
			{ EVAL_YIELD, 120, "YIELD_VALUE" },
			{ EVAL_YIELD, 247, "INSTRUMENTED_YIELD_VALUE", true },
		},
		.gaps = { { 121, 127 }, { 212, 233 } },
	},
	{
		/* Include/opcode_ids.h, 3.15.2 */
		.minor = 15,
		.ops = {
			{ EVAL_ENTRY, 128, "RESUME" },
			{ EVAL_ENTRY, 200, "RESUME_CHECK" },
			{ EVAL_ENTRY, 201, "RESUME_CHECK_JIT" },
			{ EVAL_ENTRY, 244, "INSTRUMENTED_RESUME", true },
			{ EVAL_RETURN, 33, "RETURN_VALUE" },
			{ EVAL_RETURN, 245, "INSTRUMENTED_RETURN_VALUE", true },
			{ EVAL_YIELD, 119, "YIELD_VALUE" },
			{ EVAL_YIELD, 246, "INSTRUMENTED_YIELD_VALUE", true },
		},
		.gaps = { { 120, 127 }, { 219, 232 } },
	},
};

const struct eval_opcodes *eval_opcodes_for(int minor)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].minor == minor)
			return &known[i];
	return NULL;
}

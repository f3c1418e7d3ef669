/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>

#include "symbolizer/debug_offsets.h"
#include "symbolizer/layout.h"

/* What is believed must be offsets that the walker can use, and none of them no member. */
static void check(const struct cpython_layout *l, const struct cpython_runtime *r,
		  const struct debug_offsets *d)
{
	const unsigned short *words[] = { &l->frame_code,    &l->frame_previous, &l->frame_owner,
					  &l->frame_instr,   &l->code_filename,  &l->code_name,
					  &l->code_qualname, &l->code_bytecode,  &l->tuple_items,
					  &r->interp_next,   &r->interp_threads, &r->tstate_frame,
					  &r->tstate_next,   &r->gen_frame };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (*words[i] == PY_NONE)
			abort();
	if (l->minor < DEBUG_FIRST_MINOR || l->frame_code == l->frame_previous ||
	    r->tstate_frame + 8u > d->v[DEBUG_TSTATE_STRUCT] ||
	    r->interp_gc_collecting < d->v[DEBUG_INTERP_GC])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cpython_layout l = *layout_for(DEBUG_LAST_MINOR);
	struct cpython_runtime r = *runtime_for(DEBUG_LAST_MINOR, false);
	struct debug_offsets d;
	const char *why = NULL;
	int err = debug_offsets_parse(data, size, &d, &why);

	if (err && !why && size >= 24 && err != -2)
		abort();
	if (!err) {
		debug_offsets_apply(&d, &l, &r);
		check(&l, &r, &d);
	}
	asyncio_offsets_apply(data, size, &r);
	return 0;
}

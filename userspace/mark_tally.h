/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Imports and collections as they come, until the sink is told: equal ones together.
 */
#ifndef PYCOST_MARK_TALLY_H
#define PYCOST_MARK_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/wire_marks.h"

struct mark_tally;
struct sink;

int mark_tally_new(struct mark_tally **ret);
void mark_tally_free(struct mark_tally *t);

/* function: of the sink; 0: not known.  -ENOMEM; -ENOSPC: beyond those that are kept apart. */
int mark_tally_import(struct mark_tally *t, const struct wire_event_import *e, uint32_t function);
int mark_tally_collection(struct mark_tally *t, const struct wire_event_collection *e,
			  uint32_t function);

/*
 * Tells the sink.  Those of a class whose endpoint is not known yet wait for the next
 * time, but not for ever: last, they are of none.
 */
int mark_tally_tell(struct mark_tally *t, struct sink *sink,
		    uint32_t (*endpoint)(void *arg, uint64_t class_id), void *arg, bool last);

#endif

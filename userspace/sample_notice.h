/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the user should know of how samples come, while they do. */
#ifndef PYCOST_SAMPLE_NOTICE_H
#define PYCOST_SAMPLE_NOTICE_H

#include <stdbool.h>
#include <stddef.h>

struct sample_events;

struct sample_notices {
	bool told_unsampled, told_shared, told_throttled;
};

/*
 * To be called about once a second, as it follows CPUs that come online.  Each is told
 * once, and only when the last was taken: when `notice` is "".
 */
void sample_notice(struct sample_events *e, struct sample_notices *told, char *notice,
		   size_t size);

#endif

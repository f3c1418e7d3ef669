/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal, as pycost top draws on it; there is one. */
#ifndef PYCOST_TOP_SCREEN_H
#define PYCOST_TOP_SCREEN_H

#include "userspace/top.h"

/*
 * From here on until the close, and at any death but kill -9, the terminal is
 * put back as it was.  -ENOTSUP: TERM names no terminal that can be drawn on.
 */
int top_screen_open(void);
void top_screen_close(void);

/* v NULL: nothing was measured yet.  message: what to tell the user, or NULL. */
int top_screen_draw(const struct interval *v, const struct session_status *st,
		    struct top_state *s, const char *message);

/* Hands what was typed to the state; true when there is something to draw anew. */
bool top_screen_keys(struct top_state *s);

#endif

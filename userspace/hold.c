// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/hold.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/behind.h"
#include "userspace/traps.h"

static int semaphores_open(const struct interpreter *in, pid_t pid, struct hold *h)
{
	/* Returns first: an entry whose return is not seen would cost a repair. */
	int err = semaphore_raise(in, SEMAPHORE_RETURN, pid, &h->semaphores);

	return err ? err : semaphore_raise(in, SEMAPHORE_ENTRY, pid, &h->semaphores);
}

int hold_open(const struct interpreter *in, const struct traps *traps, pid_t pid, bool children,
	      struct hold *ret)
{
	struct hold h = HOLD_NONE;
	int err = semaphores_open(in, pid, &h);

	if (!err && traps)
		err = traps_set(traps, pid, children, &h.trapped);
	if (err)
		hold_close(&h);
	else
		*ret = h;
	return err;
}

int hold_open_forked(const struct interpreter *in, const struct hold *parent, pid_t pid,
		     struct hold *ret)
{
	struct hold h = HOLD_NONE;
	int err = semaphores_open(in, pid, &h);

	h.trapped = trapped_share(parent->trapped);
	if (h.trapped)
		h.guard = traps_guard(pid);
	if (err)
		hold_close(&h);
	else
		*ret = h;
	return err;
}

void hold_dismiss_forked(const struct interpreter *in, const struct traps *traps, pid_t pid)
{
	struct hold passing;

	/* Opened and closed. */
	if (!hold_open(in, traps, pid, false, &passing))
		hold_close(&passing);
}

void hold_close(struct hold *h)
{
	/* Entries first, for the same reason. */
	semaphore_drop(&h->semaphores, SEMAPHORE_ENTRY);
	trapped_close(h->trapped);
	h->trapped = NULL;
	if (h->guard >= 0)
		close(h->guard);
	h->guard = -1;
	semaphore_drop(&h->semaphores, SEMAPHORE_RETURN);
}

void hold_close_returns(struct hold *h)
{
	semaphore_drop(&h->semaphores, SEMAPHORE_RETURN);
	trapped_close_returns(h->trapped);
}

static void close_copy(void *arg)
{
	hold_close(arg);
	free(arg);
}

void hold_close_behind(struct hold *h)
{
	struct hold *copy = malloc(sizeof(*copy));

	if (!copy) {
		hold_close(h);
		return;
	}
	*copy = *h;
	*h = HOLD_NONE;
	behind(close_copy, copy);
}

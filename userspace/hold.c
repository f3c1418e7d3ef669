// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/hold.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/behind.h"
#include "userspace/traps.h"

/*
 * Ends first, as semaphores_trap() has them: a beginning whose end is not seen would cost a
 * repair, or never end.
 */
static int semaphores_open(const struct hold_by *by, pid_t pid, struct hold *h)
{
	int err = 0;

	for (int use = SEMAPHORE_USES; use-- > 0 && !err;)
		if (by->uses & 1u << use)
			err = semaphore_raise(by->in, use, pid, &h->semaphores);
	return err;
}

int hold_open(const struct hold_by *by, pid_t pid, bool children, struct hold *ret)
{
	struct hold h = HOLD_NONE;
	int err = by->traps ? traps_set(by->traps, pid, children, &h.trapped)
			    : semaphores_open(by, pid, &h);

	if (err)
		hold_close(&h);
	else
		*ret = h;
	return err;
}

int hold_open_forked(const struct hold_by *by, const struct hold *parent, pid_t pid,
		     struct hold *ret)
{
	struct hold h = HOLD_NONE;
	int err;

	if (by->traps && !traps_inherited(by->traps))
		return hold_open(by, pid, false, ret);
	err = by->traps ? 0 : semaphores_open(by, pid, &h);
	h.trapped = trapped_share(parent->trapped);
	if (h.trapped)
		h.guard = traps_guard(pid);
	if (err)
		hold_close(&h);
	else
		*ret = h;
	return err;
}

void hold_dismiss_forked(const struct hold_by *by, pid_t pid)
{
	struct hold passing;

	/* Opened and closed. */
	if (!hold_open(by, pid, false, &passing))
		hold_close(&passing);
}

void hold_close(struct hold *h)
{
	/* Beginnings first, for the same reason. */
	trapped_close(h->trapped);
	h->trapped = NULL;
	if (h->guard >= 0)
		close(h->guard);
	h->guard = -1;
	semaphores_drop(&h->semaphores);
}

static void close_item(void *item)
{
	hold_close(item);
}

void holds_close(struct hold *v, size_t n)
{
	together(close_item, v, n, sizeof(*v));
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

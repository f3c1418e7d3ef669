/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work that nobody waits for: it goes on in a thread of its own. */
#ifndef PYCOST_BEHIND_H
#define PYCOST_BEHIND_H

/* Calls work(arg): here and now where no thread is to be had. */
void behind(void (*work)(void *arg), void *arg);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work that goes on in threads of its own, without signals: these are for the thread that waits
 * for them. */
#ifndef PYCOST_BEHIND_H
#define PYCOST_BEHIND_H

#include <pthread.h>
#include <stddef.h>

/* -errno. */
int thread_start(pthread_t *ret, void *(*work)(void *arg), void *arg);

/* Nobody waits for work(arg): it is called here and now where no thread is to be had. */
void behind(void (*work)(void *arg), void *arg);

/*
 * Calls work() on each of n items, of so many bytes, in no order, and waits until all is done:
 * what waits for the kernel's grace periods does so at the same time.
 */
void together(void (*work)(void *item), void *items, size_t n, size_t size);

#endif

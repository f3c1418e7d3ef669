// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/behind.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct job {
	void (*work)(void *arg);
	void *arg;
};

static void *job_run(void *arg)
{
	struct job job = *(struct job *)arg;

	free(arg);
	job.work(job.arg);
	return NULL;
}

void behind(void (*work)(void *arg), void *arg)
{
	struct job *job = malloc(sizeof(*job));
	sigset_t all, before;
	pthread_t thread;
	int err = 1;

	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (job) {
		*job = (struct job){work, arg};
		err = pthread_create(&thread, NULL, job_run, job);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err) {
		pthread_detach(thread);
		return;
	}
	free(job);
	work(arg);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/behind.h"

#include <signal.h>
#include <stdlib.h>

#define THREADS 32

struct job {
	void (*work)(void *arg);
	void *arg;
};

struct jobs {
	void (*work)(void *item);
	char *items;
	size_t n, size, next;
};

int thread_start(pthread_t *ret, void *(*work)(void *arg), void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(ret, NULL, work, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

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
	pthread_t thread;

	if (job) {
		*job = (struct job){work, arg};
		if (!thread_start(&thread, job_run, job)) {
			pthread_detach(thread);
			return;
		}
	}
	free(job);
	work(arg);
}

static void *jobs_run(void *arg)
{
	struct jobs *j = arg;
	size_t i;

	while ((i = __atomic_fetch_add(&j->next, 1, __ATOMIC_RELAXED)) < j->n)
		j->work(j->items + i * j->size);
	return NULL;
}

void together(void (*work)(void *item), void *items, size_t n, size_t size)
{
	struct jobs jobs = {.work = work, .items = items, .n = n, .size = size};
	pthread_t threads[THREADS];
	size_t started = 0;

	while (started < THREADS && started + 1 < n &&
	       !thread_start(&threads[started], jobs_run, &jobs))
		started++;
	jobs_run(&jobs);
	while (started--)
		pthread_join(threads[started], NULL);
}

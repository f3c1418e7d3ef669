// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/trace_event.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUP "pycost_%d"
#define NAME "e%u"

/* How long a definition that is in use is tried to be removed. */
#define TRIES 500
#define TRY_NS 10000000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int tracefs = -1; /* a mount of our own, which nobody else sees */
static unsigned *defined; /* how many there ever were, shared with the helper */

static int mount_open(void)
{
	int fs = syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC), fd, err = 0;

	if (fs < 0)
		return errno == ENODEV ? -ENOTSUP : -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		err = -errno;
	fd = err ? -1 : (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (!err && fd < 0)
		err = -errno;
	close(fs);
	return err ? err : fd;
}

/* A line of its own for each: the kernel takes a write for so many whole lines. */
static int events_write(const char *line)
{
	int fd = openat(tracefs, "uprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno == ENOENT ? -ENOTSUP : -errno;
	if (write(fd, line, strlen(line)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int event_remove(int pid, unsigned number)
{
	struct timespec wait = {.tv_nsec = TRY_NS};
	char line[64];
	int err;

	snprintf(line, sizeof(line), "-:" GROUP "/" NAME "\n", pid, number);
	for (int i = 0; i < TRIES; i++) {
		err = events_write(line);
		if (err != -EBUSY)
			break;
		nanosleep(&wait, NULL);
	}
	return err;
}

/* Waits for our end, and removes what is left then. */
static void helper_run(int pid, int alive)
{
	char byte;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setsid();
	/* What we hold open must end with us, not with it. */
	dup2(tracefs, 3);
	dup2(alive, 4);
	tracefs = 3;
	syscall(SYS_close_range, 5u, ~0u, 0u);
	close(0);
	close(1);
	close(2);
	while (read(4, &byte, 1) < 0 && errno == EINTR)
		;
	for (unsigned i = 1; i <= *defined; i++)
		event_remove(pid, i);
	_exit(0);
}

static int helper_ends[2];
static pid_t helper;

static void helper_end(void)
{
	close(helper_ends[1]);
	while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
}

static int helper_start(void)
{
	int pid = getpid();

	defined = mmap(NULL, sizeof(*defined), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (defined == MAP_FAILED || pipe2(helper_ends, O_CLOEXEC))
		return -errno;
	helper = fork();
	if (helper < 0)
		return -errno;
	if (!helper) {
		close(helper_ends[1]);
		/* Above 4, where it wants to put them. */
		helper_run(pid, fcntl(helper_ends[0], F_DUPFD, 16));
	}
	close(helper_ends[0]);
	atexit(helper_end); /* otherwise the pipe ends when we do */
	return 0;
}

/* Of those that ended, helper and all, before theirs were removed. */
static void leftovers_remove(void)
{
	int fd = openat(tracefs, "events", O_RDONLY | O_DIRECTORY | O_CLOEXEC), pid, end;
	DIR *groups = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *group;

	while (groups && (group = readdir(groups))) {
		char path[300];
		struct dirent *e;
		DIR *events;

		end = 0;
		if (sscanf(group->d_name, GROUP "%n", &pid, &end) != 1 || group->d_name[end] ||
		    !kill(pid, 0) || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "events/%s", group->d_name);
		fd = openat(tracefs, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		events = fd < 0 ? NULL : fdopendir(fd);
		while (events && (e = readdir(events)))
			if (e->d_name[0] == 'e' && atoi(e->d_name + 1) > 0)
				event_remove(pid, atoi(e->d_name + 1));
		if (events)
			closedir(events);
	}
	if (groups)
		closedir(groups);
}

static int tracefs_open(void)
{
	int err;

	if (tracefs >= 0)
		return 0;
	tracefs = mount_open();
	if (tracefs < 0)
		return tracefs;
	err = helper_start();
	if (err) {
		close(tracefs);
		tracefs = -1;
		return err;
	}
	leftovers_remove();
	return 0;
}

static int id_read(unsigned number, int *ret)
{
	char path[64], text[16] = "";
	int fd, n;

	snprintf(path, sizeof(path), "events/" GROUP "/" NAME "/id", getpid(), number);
	fd = openat(tracefs, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	*ret = n > 0 ? atoi(text) : 0;
	return *ret > 0 ? 0 : -EPROTO;
}

/* The file by its descriptor: a path would have to be without blanks. */
static int event_define(int fd, uint64_t offset, uint64_t semaphore, struct trace_event *ret)
{
	char line[128], counter[32] = "";
	int err = tracefs_open();

	if (err)
		return err;
	ret->number = ++*defined;
	if (semaphore)
		snprintf(counter, sizeof(counter), "(0x%llx)", (unsigned long long)semaphore);
	snprintf(line, sizeof(line), "p:" GROUP "/" NAME " /proc/self/fd/%d:0x%llx%s\n", getpid(),
		 ret->number, fd, (unsigned long long)offset, counter);
	err = events_write(line);
	if (!err)
		err = id_read(ret->number, &ret->id);
	if (err) {
		event_remove(getpid(), ret->number);
		ret->number = 0;
	}
	return err;
}

int trace_event_define(int fd, uint64_t offset, uint64_t semaphore, struct trace_event *ret)
{
	int err;

	pthread_mutex_lock(&lock);
	err = event_define(fd, offset, semaphore, ret);
	pthread_mutex_unlock(&lock);
	return err;
}

void trace_event_remove(struct trace_event *e)
{
	if (e->number)
		event_remove(getpid(), e->number);
	e->number = 0;
}

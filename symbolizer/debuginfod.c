/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/debuginfod.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char client[] = "debuginfod-find";

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int debuginfod_check(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS"), *path = getenv("PATH");
	char file[PATH_MAX];

	if (!urls || !urls[strspn(urls, " ")])
		return -EDESTADDRREQ;
	while (path && *path) {
		size_t n = strcspn(path, ":");
		int len = snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, client);

		if (n && len < (int)sizeof(file) && !access(file, X_OK))
			return 0;
		path += n + (path[n] == ':');
	}
	return -ENOENT;
}

/* In the child: only calls that are safe after a fork. */
static void run(pid_t parent, int out, const char *build_id)
{
	char *argv[] = { (char *)client, "debuginfo", (char *)build_id, NULL };
	int null = open("/dev/null", O_RDWR);

	/* It ends with us, by whatever death; which may have been already. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || getppid() != parent || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(null, 2) < 0)
		_exit(127);
	setpgid(0, 0); /* Ctrl-C is for us to handle */
	execvp(client, argv);
	_exit(127);
}

int debuginfod_start(struct debuginfod_query *q, const char *build_id, unsigned seconds)
{
	pid_t parent = getpid();
	int pipes[2], err;

	if (!*build_id || strspn(build_id, "0123456789abcdef") != strlen(build_id))
		return -EINVAL;
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	q->pid = fork();
	if (q->pid == 0)
		run(parent, pipes[1], build_id);
	err = -errno;
	close(pipes[1]);
	if (q->pid < 0) {
		close(pipes[0]);
		q->pid = 0;
		return err;
	}
	q->out = pipes[0];
	q->n = 0;
	q->deadline = now() + seconds * UINT64_C(1000000000);
	return 0;
}

void debuginfod_cancel(struct debuginfod_query *q)
{
	if (!q->pid)
		return;
	kill(q->pid, SIGKILL);
	while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(q->out);
	q->pid = 0;
}

/* What it printed is the path of the file in its cache. */
static int open_answer(struct debuginfod_query *q)
{
	int fd;

	q->path[q->n] = 0;
	q->path[strcspn(q->path, "\n")] = 0;
	if (q->path[0] != '/')
		return -ENOENT;
	fd = open(q->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int debuginfod_poll(struct debuginfod_query *q, int *ret_fd)
{
	ssize_t n;
	int fd;

	while ((n = read(q->out, q->path + q->n, sizeof(q->path) - 1 - q->n)) > 0)
		q->n += (size_t)n;
	if (n < 0 && errno == EAGAIN) {
		if (now() < q->deadline)
			return -EAGAIN;
		debuginfod_cancel(q);
		return -ETIMEDOUT;
	}
	/* Its end of the pipe is closed: it has said all, or fills more than a path. */
	debuginfod_cancel(q);
	fd = open_answer(q);
	if (fd < 0)
		return -ENOENT;
	*ret_fd = fd;
	return 0;
}

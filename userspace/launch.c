// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct pipes {
	int go[2], in[2], out[2], failed[2];
};

static void pipes_close(struct pipes *p)
{
	int *all = (int *)p;

	for (size_t i = 0; i < sizeof(*p) / sizeof(int); i++)
		if (all[i] >= 0)
			close(all[i]);
}

static int pipes_open(struct pipes *p, int with_stdio)
{
	memset(p, -1, sizeof(*p));
	if (pipe2(p->go, O_CLOEXEC) || pipe2(p->failed, O_CLOEXEC) ||
	    (with_stdio && (pipe2(p->in, O_CLOEXEC) || pipe2(p->out, O_CLOEXEC)))) {
		int err = -errno;

		pipes_close(p);
		return err;
	}
	return 0;
}

/* In the child: waits for the word; 0 bytes mean that our parent is gone. */
static void await_go(const struct pipes *p)
{
	char word;

	close(p->go[1]);
	if (read(p->go[0], &word, 1) != 1)
		_exit(127);
}

static void exec_failed(const struct pipes *p)
{
	int err = errno;

	if (write(p->failed[1], &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static void launch_take(struct launch *ret, struct pipes *p, pid_t pid)
{
	*ret = (struct launch){.pid = pid, .go = p->go[1], .in = p->in[1], .out = p->out[0],
			       .failed = p->failed[0]};
	p->go[1] = p->in[1] = p->out[0] = p->failed[0] = -1;
	pipes_close(p);
}

/* What a child does from fork() on: it never returns. */
typedef void child_fn(const struct pipes *p, const void *arg);

static int launch_start(int with_stdio, child_fn *child, const void *arg, struct launch *ret)
{
	struct pipes p;
	int err = pipes_open(&p, with_stdio);
	pid_t pid;

	if (err)
		return err;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		pipes_close(&p);
		return err;
	}
	if (!pid)
		child(&p, arg);
	launch_take(ret, &p, pid);
	return 0;
}

static void signals_default(void)
{
	sigset_t none;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void command_child(const struct pipes *p, const void *arg)
{
	char *const *argv = arg;

	signals_default();
	await_go(p);
	execvp(argv[0], argv);
	exec_failed(p);
}

int launch_command(char *const argv[], struct launch *ret)
{
	return launch_start(0, command_child, argv, ret);
}

/* "NAME=value" of another process's environment, or NULL.  Caller frees. */
static char *environ_of(pid_t pid, const char *name)
{
	char path[64], *line = NULL, *found = NULL;
	size_t size = 0, len = strlen(name);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	while (!found && getdelim(&line, &size, '\0', f) > 0)
		if (!strncmp(line, name, len) && line[len] == '=')
			found = strdup(line);
	free(line);
	fclose(f);
	return found;
}

/* Into the root and under the user of `like`.  Leaves both when we may not. */
static int become_like(pid_t like)
{
	struct stat ours, theirs, proc;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", like);
	if (stat(path, &proc))
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/root/", like);
	if (stat("/", &ours) || stat(path, &theirs))
		return -errno;
	if ((ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino) &&
	    (chroot(path) || chdir("/")))
		return -errno;
	if (geteuid() == 0 && proc.st_uid != 0 &&
	    (setgroups(0, NULL) || setgid(proc.st_gid) || setuid(proc.st_uid)))
		return -errno;
	return 0;
}

struct python {
	const char *path, *script;
	pid_t like;
};

static void python_child(const struct pipes *p, const void *arg)
{
	const struct python *python = arg;
	char *const argv[] = {(char *)python->path, "-I", "-S", "-E", "-c",
			      (char *)python->script, NULL};
	char *env[] = {NULL, NULL};
	int null = open("/dev/null", O_RDWR);

	/* It must not outlive us, whatever our death. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0); /* Ctrl-C is for us */
	signals_default();
	dup2(p->in[0], 0);
	dup2(p->out[1], 1);
	dup2(null, 2);
	await_go(p);
	if (python->like) {
		env[0] = environ_of(python->like, "LD_LIBRARY_PATH");
		errno = -become_like(python->like);
		if (errno)
			exec_failed(p);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() clears it */
	}
	execve(python->path, argv, env);
	exec_failed(p);
}

int launch_python(const char *path, pid_t like, const char *script, struct launch *ret)
{
	struct python python = {.path = path, .script = script, .like = like};

	return launch_start(1, python_child, &python, ret);
}

int launch_go(struct launch *l)
{
	int err = 0;
	ssize_t n;

	if (write(l->go, "", 1) != 1)
		return -errno;
	/* Closed by a successful exec, so this ends as soon as it is known. */
	do
		n = read(l->failed, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	return n == sizeof(err) ? -err : 0;
}

#define ANSWER_MS 20000

/* One byte of the child's output. */
static int launch_take_byte(struct launch *l, char *ret)
{
	struct pollfd ready = {.fd = l->out, .events = POLLIN};
	int got;

	do
		got = poll(&ready, 1, ANSWER_MS);
	while (got < 0 && errno == EINTR);
	if (!got)
		return -ETIMEDOUT;
	return got == 1 && read(l->out, ret, 1) == 1 ? 0 : -ECHILD;
}

int launch_ask(struct launch *l, const char *words)
{
	size_t n = strlen(words);
	char answer;

	if (write(l->in, words, n) != (ssize_t)n)
		return -ECHILD;
	return launch_take_byte(l, &answer);
}

int launch_hear(struct launch *l, char *ret, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int err = launch_take_byte(l, &ret[i]);

		if (err)
			return err;
		if (ret[i] == '\n') {
			ret[i] = 0;
			return 0;
		}
	}
	return -EMSGSIZE;
}

void launch_leave(struct launch *l)
{
	int *fds[] = {&l->go, &l->in, &l->out, &l->failed};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

void launch_end(struct launch *l)
{
	launch_leave(l);
	if (l->pid > 0) {
		kill(l->pid, SIGKILL);
		waitpid(l->pid, NULL, 0);
	}
	l->pid = 0;
}

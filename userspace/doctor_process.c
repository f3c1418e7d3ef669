// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "symbolizer/procmap.h"
#include "userspace/doctor.h"
#include "userspace/jit.h"

/* Before it, a function's class is known from its source file only. */
#define QUALNAME_MINOR 11
#define JIT_MINOR 13 /* the oldest that has one */

struct status {
	char name[32], state;
	int tgid;
	unsigned uid;
};

static int status_read(pid_t pid, struct status *ret)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret = (struct status){.state = '?'};
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "Name: %31[^\n]", ret->name);
		sscanf(line, "State: %c", &ret->state);
		sscanf(line, "Tgid: %d", &ret->tgid);
		sscanf(line, "Uid: %*u %u", &ret->uid);
	}
	fclose(f);
	return 0;
}

/* False when there is nothing more to look at. */
static bool check_exists(struct checkup *c, pid_t pid)
{
	struct status status;
	char mend[64];
	int err = status_read(pid, &status);

	snprintf(mend, sizeof(mend), "-p %d", status.tgid);
	if (err)
		checkup_add(c, CHECK_NO, "process", "ps -C python3 lists some that exist",
			    err == -ESRCH ? "there is no process %d" : "process %d cannot be looked at",
			    pid);
	else if (status.state == 'Z')
		checkup_add(c, CHECK_NO, "process", NULL, "%d (%s) has ended already", pid,
			    status.name);
	else if (status.tgid != pid)
		checkup_add(c, CHECK_NO, "process", mend, "%d is a thread of process %d", pid,
			    status.tgid);
	else
		checkup_add(c, CHECK_OK, "process", NULL, "%d (%s), user %u", pid, status.name,
			    status.uid);
	return !err && status.state != 'Z' && status.tgid == pid;
}

static void check_unreadable(struct checkup *c, pid_t pid, int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		checkup_add(c, CHECK_NO, "may be read", "run as root, or with CAP_SYS_PTRACE",
			    "no right to look at process %d", pid);
		break;
	case -ENOENT:
		checkup_add(c, CHECK_NO, "Python",
			    "name a Python process: a wrapper's child, perhaps (pstree -p)",
			    "no CPython interpreter is mapped in process %d", pid);
		break;
	case -ESTALE:
		checkup_add(c, CHECK_NO, "may be read", "restart it",
			    "its interpreter's file was replaced on disk and cannot be reached");
		break;
	default:
		checkup_add(c, CHECK_NO, "may be read", NULL, "process %d: %s", pid,
			    err == -ESRCH ? "it has just ended" : strerror(-err));
	}
}

static bool namespace_is_ours(pid_t pid, const char *which)
{
	char path[64];
	struct stat ours, theirs;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", which);
	if (stat(path, &ours))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, which);
	return stat(path, &theirs) || (ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev);
}

/* Source files are read as the process sees them. */
static void check_files(struct checkup *c, pid_t pid, const struct interpreter *in)
{
	const char *where = namespace_is_ours(pid, "mnt") ? "our mount namespace"
							  : "another mount namespace";
	const char *need = in->minor < QUALNAME_MINOR ? "qualified names come from its source files"
						      : "only the report's file names refer to them";
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root/", pid);
	/* access() would forget what capabilities allow. */
	if (!faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS))
		checkup_add(c, CHECK_OK, "its files", NULL, "%s, can be reached", where);
	else
		checkup_add(c, CHECK_NO, "its files", "run as root, or with CAP_SYS_PTRACE",
			    "%s cannot be reached (%s): %s", where, strerror(errno), need);
}

static void check_cgroup(struct checkup *c, pid_t pid)
{
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "0::", 3)) {
			line[strcspn(line, "\n")] = 0;
			checkup_add(c, CHECK_OK, "cgroup", NULL, "%s (--cgroup takes it)",
				    line + 3);
		}
	fclose(f);
}

/* The JIT's machine code has no probes in it. */
static void check_jit(struct checkup *c, pid_t pid, const struct interpreter *in)
{
	if (in->minor < JIT_MINOR)
		return;
	if (jit_is_on(in, pid))
		checkup_add(c, CHECK_NO, "JIT", "restart it with PYTHON_JIT=0, or use --mode sample",
			    "its JIT compiler is on (PYTHON_JIT), whose code has no probes");
	else
		checkup_add(c, CHECK_OK, "JIT", NULL, "not switched on by its environment");
}

/* ---- what is mapped ---- */

/*
 * Where the process has this byte of the interpreter's file, of the mappings
 * that the kernel would look for a semaphore in: valid_ref_ctr_vma() in
 * kernel/events/uprobes.c wants a private one that can be written.
 */
static bool holds_semaphore(const char *line, size_t len, const struct interpreter *in,
			    uint64_t offset, uint64_t *ret)
{
	char permissions[5] = "";
	struct procmap map;

	if (procmap_parse(line, len, &map) || map.inode != in->inode ||
	    sscanf(line, "%*x-%*x %4s", permissions) != 1 || permissions[1] != 'w' ||
	    permissions[3] != 'p' || offset < map.offset ||
	    offset - map.offset >= map.end - map.start)
		return false;
	*ret = map.start + (offset - map.offset);
	return true;
}

static int semaphore_read(pid_t pid, const struct interpreter *in, uint64_t offset, uint16_t *ret)
{
	char path[64], *line = NULL;
	uint64_t address = 0;
	size_t size = 0;
	bool found = false;
	ssize_t n;
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!found && (n = getline(&line, &size, f)) > 0)
		found = holds_semaphore(line, line[n - 1] == '\n' ? n - 1 : n, in, offset, &address);
	free(line);
	fclose(f);
	if (!found)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pread(fd, ret, sizeof(*ret), address);
	close(fd);
	return n == sizeof(*ret) ? 0 : -EIO;
}

static void check_tracers(struct checkup *c, pid_t pid, const struct interpreter *in)
{
	uint16_t entry = 0, exit = 0;
	int err = 0;

	if (in->probes != PROBES_NOTED || !in->entries.n || !in->returns.n ||
	    !in->entries.v[0].semaphore || !in->returns.v[0].semaphore)
		return;
	err = semaphore_read(pid, in, in->entries.v[0].semaphore, &entry);
	if (!err)
		err = semaphore_read(pid, in, in->returns.v[0].semaphore, &exit);
	if (err)
		checkup_add(c, CHECK_WARN, "other tracers", NULL,
			    "the probes' semaphores cannot be read: %s", strerror(-err));
	else if (entry || exit)
		checkup_add(c, CHECK_WARN, "other tracers",
			    "stop the other pycost, bpftrace, SystemTap or perf",
			    "somebody has its function probes on (entry %u, return %u): what that "
			    "costs is measured too",
			    entry, exit);
	else
		checkup_add(c, CHECK_OK, "other tracers", NULL, "none has its function probes on");
}

struct embedding {
	const char *part; /* of a mapped file's path */
	const char *meaning;
	bool seen;
};

static void check_embedding(struct checkup *c, pid_t pid)
{
	struct embedding known[] = {
		{"greenlet/_greenlet", "greenlet: stacks are told apart by their frames"},
		{"/gevent/", "gevent: stacks are told apart by their frames"},
		{"uwsgi", "uWSGI embeds the interpreter: its workers are forks of one process"},
		{"mod_wsgi", "mod_wsgi embeds the interpreter in Apache's workers"},
	};
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0)
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			known[i].seen |= strstr(line, known[i].part) != NULL;
	free(line);
	if (f)
		fclose(f);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].seen)
			checkup_add(c, CHECK_OK, "embedding", NULL, "%s", known[i].meaning);
}

void doctor_process(struct doctor *d, pid_t pid)
{
	struct checkup *c = &d->checkup;
	struct interpreter in;
	int err;

	if (!check_exists(c, pid))
		return;
	err = interpreter_find(pid, &in);
	if (err) {
		check_unreadable(c, pid, err);
		return;
	}
	checkup_add(c, CHECK_OK, "may be read", NULL, "its mappings and memory");
	check_files(c, pid, &in);
	check_cgroup(c, pid);
	check_embedding(c, pid);
	check_jit(c, pid, &in);
	check_tracers(c, pid, &in);
	doctor_python(d, &in, pid);
	interpreter_clear(&in);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/process_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/process_tags.h"

#define ENVIRONMENT_MAX (128u << 10)

static ssize_t proc_read(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[64];
	size_t have = 0;
	ssize_t n = 1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (have < size - 1 && (n = read(fd, ret + have, size - 1 - have)) > 0)
		have += n;
	close(fd);
	ret[have] = 0;
	return n < 0 && !have ? -errno : (ssize_t)have;
}

/* ---- control groups ---- */

/* The last part of the path that is a service's: systemd's own go around those of others. */
static void unit_find(struct process_facts *f)
{
	const char *at = f->group.path;

	while (*at) {
		size_t n = strcspn(at, "/");

		if (n > 8 && n < sizeof(f->unit) && !strncmp(at + n - 8, ".service", 8) &&
		    strncmp(at, "user@", 5))
			snprintf(f->unit, sizeof(f->unit), "%.*s", (int)n, at);
		at += n + (at[n] == '/');
	}
}

void process_facts_cgroup(struct process_facts *f, const char *text)
{
	cgroup_parse(text, &f->group);
	snprintf(f->container, sizeof(f->container), "%.*s", CGROUP_CONTAINER_SHORT, f->group.container);
	unit_find(f);
}

/* ---- the rest ---- */

static void user_find(struct process_facts *f)
{
	char path[64], text[1024];
	struct passwd entry, *found = NULL;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", f->pid);
	if (stat(path, &st))
		return;
	if (!getpwuid_r(st.st_uid, &entry, text, sizeof(text), &found) && found)
		snprintf(f->user, sizeof(f->user), "%.63s", found->pw_name);
	else
		snprintf(f->user, sizeof(f->user), "%u", st.st_uid);
}

int process_facts_read(pid_t pid, const char *root, struct process_facts *ret)
{
	char text[8192];
	const char *server;
	ssize_t n;

	*ret = (struct process_facts){.pid = pid, .root = root};
	n = proc_read(pid, "cmdline", ret->command, sizeof(ret->command));
	if (n <= 0)
		return -ESRCH;
	server = server_name(ret->command, n);
	snprintf(ret->server, sizeof(ret->server), "%s", server ? server : "");
	while (n && !ret->command[n - 1])
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (!ret->command[i])
			ret->command[i] = ' ';
	user_find(ret);
	if (proc_read(pid, "cgroup", text, sizeof(text)) > 0)
		process_facts_cgroup(ret, text);
	return 0;
}

void process_facts_clear(struct process_facts *f)
{
	if (f->environment)
		explicit_bzero(f->environment, f->environment_size); /* secrets are kept in there */
	free(f->environment);
	labels_clear(&f->labels);
	f->environment = NULL;
}

static void environment_read(struct process_facts *f)
{
	ssize_t n;

	f->has_environment = true;
	f->environment = malloc(ENVIRONMENT_MAX);
	if (!f->environment)
		return;
	n = proc_read(f->pid, "environ", f->environment, ENVIRONMENT_MAX);
	f->environment_size = n > 0 ? n : 0;
}

const char *process_facts_environment(struct process_facts *f, const char *variable)
{
	size_t length = strlen(variable);
	const char *at, *end;

	if (!f->has_environment)
		environment_read(f);
	if (!f->environment)
		return NULL;
	at = f->environment;
	end = at + f->environment_size;
	while (at < end) {
		const char *next = memchr(at, 0, end - at);

		if (!next)
			return NULL; /* it was cut */
		if (!strncmp(at, variable, length) && at[length] == '=')
			return at + length + 1;
		at = next + 1;
	}
	return NULL;
}

const char *process_facts_label(struct process_facts *f, const char *key)
{
	if (!f->has_labels && *f->group.container) {
		labels_read(f->root, f->group.container, &f->labels);
		f->has_labels = true;
	}
	return labels_get(&f->labels, key);
}

static const char *program(const struct process_facts *f)
{
	static _Thread_local char name[64];
	size_t n = strcspn(f->command, " :");
	const char *slash = memrchr(f->command, '/', n);
	const char *from = slash ? slash + 1 : f->command;

	snprintf(name, sizeof(name), "%.*s", (int)(f->command + n - from), from);
	return name;
}

const char *process_facts_named(const struct process_facts *f, const char *name)
{
	const char *found = !strcmp(name, "unit")	 ? f->unit
			    : !strcmp(name, "cgroup")	 ? f->group.path
			    : !strcmp(name, "container") ? f->container
			    : !strcmp(name, "pod")	 ? f->group.pod
			    : !strcmp(name, "user")	 ? f->user
			    : !strcmp(name, "server")	 ? f->server
			    : !strcmp(name, "program")	 ? program(f)
							 : NULL;

	return found && *found ? found : NULL;
}

bool process_facts_name_is_known(const char *name)
{
	static const char *const known[] = {"unit", "cgroup", "container", "pod", "user", "server",
					    "program"};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(name, known[i]))
			return true;
	return false;
}

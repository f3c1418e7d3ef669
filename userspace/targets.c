// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/targets.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int target_add(struct targets *t, pid_t pid)
{
	pid_t *grown;

	for (size_t i = 0; i < t->n; i++)
		if (t->v[i] == pid)
			return 0;
	grown = realloc(t->v, (t->n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->v = grown;
	t->v[t->n++] = pid;
	return 0;
}

int targets_add_list(struct targets *t, const char *list)
{
	char *end;
	long pid;
	int err;

	do {
		errno = 0;
		pid = strtol(list, &end, 10);
		if (end == list || errno || pid <= 0 || pid > INT_MAX || (*end && *end != ','))
			return -EINVAL;
		err = target_add(t, pid);
		if (err)
			return err;
		list = end + 1;
	} while (*end);
	return 0;
}

static void cmdline_read(const char *pid, char *ret, size_t size)
{
	char path[64];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	f = fopen(path, "re");
	if (f) {
		n = fread(ret, 1, size - 1, f);
		fclose(f);
	}
	while (n && !ret[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if (!ret[i])
			ret[i] = ' ';
	ret[n] = 0;
}

int targets_add_matching(struct targets *t, const char *expression, char *text, size_t len)
{
	char cmdline[8192];
	struct dirent *e;
	regex_t regex;
	DIR *proc;
	int err = regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB);

	if (err) {
		regerror(err, &regex, text, len);
		return -EINVAL;
	}
	proc = opendir("/proc");
	if (!proc) {
		err = -errno;
		regfree(&regex);
		return err;
	}
	while (!err && (e = readdir(proc))) {
		if (!isdigit((unsigned char)*e->d_name) || atoi(e->d_name) == getpid())
			continue;
		cmdline_read(e->d_name, cmdline, sizeof(cmdline));
		if (*cmdline && !regexec(&regex, cmdline, 0, NULL, 0))
			err = target_add(t, atoi(e->d_name));
	}
	closedir(proc);
	regfree(&regex);
	return err;
}

/* This directory's processes and those of the ones below. */
static int cgroup_walk(struct targets *t, const char *dir, int depth)
{
	char path[PATH_MAX];
	struct dirent *e;
	struct stat st;
	FILE *f;
	DIR *d;
	int pid, err = 0;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!err && fscanf(f, "%d", &pid) == 1)
		err = target_add(t, pid);
	fclose(f);
	d = opendir(dir);
	while (!err && depth < 32 && d && (e = readdir(d))) {
		if (*e->d_name == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path) ||
		    stat(path, &st) || !S_ISDIR(st.st_mode))
			continue;
		err = cgroup_walk(t, path, depth + 1);
	}
	if (d)
		closedir(d);
	return err;
}

int targets_add_cgroup(struct targets *t, const char *name)
{
	static const char *const mounts[] = {"", "/sys/fs/cgroup/", "/sys/fs/cgroup/unified/",
					     "/sys/fs/cgroup/systemd/"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		snprintf(path, sizeof(path), "%s%s/cgroup.procs", mounts[i], name);
		if (access(path, R_OK))
			continue;
		*strrchr(path, '/') = 0;
		return cgroup_walk(t, path, 0);
	}
	return -ENOENT;
}

void targets_clear(struct targets *t)
{
	free(t->v);
	*t = (struct targets){0};
}

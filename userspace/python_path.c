// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/python_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"

static char *python_named(const char *root, const char *name)
{
	static const char *const dirs[] = {"/usr/bin", "/usr/local/bin", "/opt/python/bin"};
	char path[512], seen[1024];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		snprintf(seen, sizeof(seen), "%s%s", root, path);
		if (!access(seen, X_OK))
			return strdup(path);
	}
	return NULL;
}

/* A library's own command, as it is installed: PREFIX/lib and PREFIX/bin. */
static char *python_beside(const char *root, const char *library, const char *name)
{
	const char *slash = strrchr(library, '/');
	char path[4096], seen[4200];

	if (!slash)
		return NULL;
	snprintf(path, sizeof(path), "%.*s/../bin/%s", (int)(slash - library), library, name);
	snprintf(seen, sizeof(seen), "%s%s", root, path);
	return access(seen, X_OK) ? NULL : strdup(path);
}

char *python_path(const struct interpreter *in, pid_t pid)
{
	char exe[4096], link[64], root[64] = "", name[32];
	const char *base;
	char *beside;
	ssize_t n;

	base = strrchr(in->target_path, '/');
	if (base && !strncmp(base + 1, "python", 6))
		return strdup(in->target_path);
	if (pid) {
		snprintf(link, sizeof(link), "/proc/%d/exe", pid);
		n = readlink(link, exe, sizeof(exe) - 1);
		exe[n > 0 ? n : 0] = 0;
		base = strrchr(exe, '/');
		if (base && !strncmp(base + 1, "python", 6))
			return strdup(exe);
		snprintf(root, sizeof(root), "/proc/%d/root", pid);
	}
	snprintf(name, sizeof(name), "python%d.%d", in->major, in->minor);
	beside = python_beside(root, in->target_path, name);
	return beside ? beside : python_named(root, name);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/jit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"

#define VARIABLE "PYTHON_JIT"

/* The interpreter looks the variable up only where it was built with a JIT. */
static bool jit_is_built(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool found = false;
	void *p;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && st.st_size > 0) {
		p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p != MAP_FAILED) {
			found = memmem(p, st.st_size, VARIABLE, sizeof(VARIABLE));
			munmap(p, st.st_size);
		}
	}
	close(fd);
	return found;
}

static bool is_set(const char *value)
{
	return value && *value && strcmp(value, "0");
}

static bool is_set_in(pid_t pid)
{
	char path[64], *line = NULL;
	size_t size = 0;
	bool set = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (getdelim(&line, &size, '\0', f) > 0)
		if (!strncmp(line, VARIABLE "=", sizeof(VARIABLE)))
			set = is_set(line + sizeof(VARIABLE));
	free(line);
	fclose(f);
	return set;
}

bool jit_is_on(const struct interpreter *in, pid_t pid)
{
	return in->minor >= 13 && (pid ? is_set_in(pid) : is_set(getenv(VARIABLE))) &&
	       jit_is_built(in->path);
}

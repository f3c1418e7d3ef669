/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of a test's own, gone after it. */
#ifndef PYCOST_TEST_TREE_H
#define PYCOST_TEST_TREE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_path[64];

static inline int tree_make(void)
{
	strcpy(tree_path, "/tmp/pycost-test-XXXXXX");
	return mkdtemp(tree_path) ? 0 : -1;
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type,
				  struct FTW *ftw)
{
	return remove(path);
}

static inline int tree_remove(void)
{
	return nftw(tree_path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The absolute path of a name in the tree; the last four results stay valid. */
static inline const char *tree_at(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", tree_path, name);
	return path;
}

static inline int tree_directory(const char *name)
{
	return mkdir(tree_at(name), 0755);
}

static inline int tree_write(const char *name, const char *text)
{
	FILE *f = fopen(tree_at(name), "w");

	if (!f)
		return -1;
	fputs(text, f);
	return fclose(f);
}

static inline int tree_open(const char *name)
{
	return open(tree_at(name), O_PATH | O_DIRECTORY | O_CLOEXEC);
}

#endif

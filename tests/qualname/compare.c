/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what names.py prints and compares pysource_scan() with it.
 * Exit status 1 when a name that is unambiguous was told wrong or not at all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/pysource.h"

static struct counts {
	unsigned long files, names, equal, ambiguous, wrong, missing;
} counts;

static struct pyscopes *scan_file(const char *path)
{
	struct pyscopes *scopes = NULL;
	FILE *f = fopen(path, "rb");
	char *text;
	long size;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	text = malloc((size_t)size + 1);
	if (text && fread(text, 1, (size_t)size, f) == (size_t)size)
		pysource_scan(text, (size_t)size, &scopes);
	free(text);
	fclose(f);
	return scopes;
}

static void compare(const struct pyscopes *scopes, const char *path, char *line)
{
	char *name = strchr(line, ' '), *qualname = name ? strchr(name + 1, ' ') : NULL;
	unsigned number = (unsigned)atoi(line);
	char ours[4096] = "";
	int err;

	if (!qualname)
		return;
	*name++ = 0;
	*qualname++ = 0;
	counts.names++;
	err = scopes ? pyscopes_qualname(scopes, name, number, ours, sizeof(ours)) : -EIO;
	if (!err && !strcmp(ours, qualname)) {
		counts.equal++;
	} else if (err == -ENOTUNIQ) {
		counts.ambiguous++;
	} else {
		*(err ? &counts.missing : &counts.wrong) += 1;
		printf("%s:%u: %s is %s, not %s\n", path, number, name, qualname,
		       err ? strerror(-err) : ours);
	}
}

int main(void)
{
	struct pyscopes *scopes = NULL;
	char *line = NULL, *path = strdup("");
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = 0;
		if (line[0] == '=') {
			pyscopes_free(scopes);
			free(path);
			path = strdup(line + 1);
			scopes = scan_file(path);
			counts.files++;
		} else {
			compare(scopes, path, line);
		}
	}
	printf("%lu files, %lu names: %lu equal, %lu ambiguous, %lu wrong, %lu missing\n",
	       counts.files, counts.names, counts.equal, counts.ambiguous, counts.wrong,
	       counts.missing);
	pyscopes_free(scopes);
	free(path);
	free(line);
	return counts.wrong || counts.missing;
}

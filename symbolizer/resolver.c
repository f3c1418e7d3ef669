/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "symbolizer/pymodule.h"
#include "symbolizer/pysource.h"
#include "symbolizer/rootfs.h"
#include "symbolizer/strpool.h"

#define FILES_MAX 256
#define SCOPES_BYTES_MAX ((size_t)4 << 20)
#define STRINGS_BYTES_MAX ((size_t)8 << 20)
#define SOURCE_BYTES_MAX ((size_t)4 << 20)
#define QUALNAME_MAX 4096

struct file {
	const char *name; /* interned: the key */
	const char *module;
	struct pyscopes *scopes; /* NULL: not scanned, or nothing to scan */
	bool scanned;
	UT_hash_handle hh; /* in the order of last use */
};

struct resolver {
	struct rootfs fs;
	struct strpool *strings;
	struct file *files;
	size_t scopes_bytes;
};

struct resolver *resolver_new(int root_fd, int cwd_fd)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->fs.root_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	r->fs.cwd_fd = cwd_fd < 0 ? -1 : fcntl(cwd_fd, F_DUPFD_CLOEXEC, 0);
	r->strings = strpool_new(STRINGS_BYTES_MAX);
	if (r->fs.root_fd < 0 || !r->strings) {
		resolver_free(r);
		return NULL;
	}
	return r;
}

static void file_free(struct resolver *r, struct file *f)
{
	HASH_DEL(r->files, f);
	if (f->scopes)
		r->scopes_bytes -= pyscopes_bytes(f->scopes);
	pyscopes_free(f->scopes);
	free(f);
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	while (r->files)
		file_free(r, r->files);
	strpool_free(r->strings);
	if (r->fs.root_fd >= 0)
		close(r->fs.root_fd);
	if (r->fs.cwd_fd >= 0)
		close(r->fs.cwd_fd);
	free(r);
}

/* Forgets the files that were not used for the longest time, but not `keep`. */
static void files_trim(struct resolver *r, const struct file *keep)
{
	while (r->files && r->files != keep &&
	       (HASH_COUNT(r->files) > FILES_MAX || r->scopes_bytes > SCOPES_BYTES_MAX))
		file_free(r, r->files);
}

static struct file *file_new(struct resolver *r, const char *name)
{
	struct file *f = calloc(1, sizeof(*f));
	char module[PATH_MAX];

	if (!f)
		return NULL;
	if (pymodule_name(&r->fs, name, module, sizeof(module)))
		module[0] = 0;
	f->name = name;
	f->module = strpool_intern(r->strings, module);
	if (f->module)
		return f;
	free(f);
	return NULL;
}

/* The file of an interned name; NULL: no memory or no room. */
static struct file *file_get(struct resolver *r, const char *name)
{
	struct file *f;

	HASH_FIND_PTR(r->files, &name, f);
	if (f)
		HASH_DEL(r->files, f); /* to the end of the order */
	else
		f = file_new(r, name);
	if (!f)
		return NULL;
	HASH_ADD_PTR(r->files, name, f);
	files_trim(r, f);
	return f;
}

/*
 * The modules that are frozen into every Python are of the standard library, and
 * compiled from the same text.
 */
static int read_frozen(struct resolver *r, const char *module, int minor, char **ret_text,
		       size_t *ret_len)
{
	static const char *const prefixes[] = { "/usr", "/usr/local" };
	char path[PATH_MAX], parts[256];
	int err = -ENOENT;

	snprintf(parts, sizeof(parts), "%s", module);
	for (char *dot = strchr(parts, '.'); dot; dot = strchr(dot, '.'))
		*dot = '/';
	for (size_t i = 0; err && i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		snprintf(path, sizeof(path), "%s/lib/python3.%d/%s.py", prefixes[i], minor, parts);
		err = rootfs_read(&r->fs, path, SOURCE_BYTES_MAX, ret_text, ret_len);
	}
	return err;
}

/* Fills in f->scopes, unless there is no source to be had. */
static void file_scan(struct resolver *r, struct file *f, int minor)
{
	char *text;
	size_t len;
	int err = -ENOENT;

	f->scanned = true;
	if (f->name[0] != '<')
		err = rootfs_read(&r->fs, f->name, SOURCE_BYTES_MAX, &text, &len);
	else if (!strncmp(f->name, "<frozen ", strlen("<frozen ")))
		err = read_frozen(r, f->module, minor, &text, &len);
	if (err)
		return;
	if (!pysource_scan(text, len, &f->scopes)) {
		r->scopes_bytes += pyscopes_bytes(f->scopes);
		files_trim(r, f);
	}
	free(text);
}

/* False when only the bare name is known, which is in ret then. */
static bool find_qualname(struct resolver *r, struct file *f, const struct code_facts *in,
			  const char *name, char ret[QUALNAME_MAX])
{
	if (in->qualname && in->qualname[0]) {
		snprintf(ret, QUALNAME_MAX, "%s", in->qualname);
		return true;
	}
	snprintf(ret, QUALNAME_MAX, "%s", name);
	if (!strcmp(name, "<module>"))
		return true;
	if (!f->scanned)
		file_scan(r, f, in->minor);
	return f->scopes && in->firstlineno &&
	       !pyscopes_qualname(f->scopes, name, in->firstlineno, ret, QUALNAME_MAX);
}

/*
 * What is before the last dot, unless that is a function or another piece of
 * code in angle brackets: "f.<locals>", "f.<locals>.<genexpr>".
 */
static void class_of(const char *qualname, char ret[QUALNAME_MAX])
{
	const char *dot = strrchr(qualname, '.');
	size_t len = dot ? (size_t)(dot - qualname) : 0;

	if (len && qualname[len - 1] == '>')
		len = 0;
	memcpy(ret, qualname, len);
	ret[len] = 0;
}

static bool intern_all(struct resolver *r, struct code_name *n)
{
	const char **strings[] = { &n->qualname, &n->class_name, &n->name, &n->wraps };

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		*strings[i] = strpool_intern(r->strings, *strings[i]);
		if (!*strings[i])
			return false;
	}
	return true;
}

int resolver_resolve(struct resolver *r, const struct code_facts *in, struct code_name *ret)
{
	char qualname[QUALNAME_MAX], class_name[QUALNAME_MAX];
	const char *wraps = in->wrapped_qualname ? in->wrapped_qualname : "";
	struct code_name out = { .line = in->firstlineno, .name = in->name ? in->name : "" };
	struct file *f;

	out.file = strpool_intern(r->strings, in->filename ? in->filename : "");
	f = out.file ? file_get(r, out.file) : NULL;
	if (!f)
		return -ENOSPC;
	out.module = f->module;
	out.unresolved = !find_qualname(r, f, in, out.name, qualname);
	class_of(qualname, class_name);
	out.qualname = qualname;
	out.class_name = class_name;
	out.wraps = strcmp(wraps, qualname) ? wraps : "";
	if (!intern_all(r, &out))
		return -ENOSPC;
	*ret = out;
	return 0;
}

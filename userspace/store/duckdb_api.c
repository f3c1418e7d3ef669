// SPDX-License-Identifier: GPL-2.0-or-later
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/store/duckdb_api.h"

#define LIBRARY "libduckdb.so"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct duck_api api;
static bool loaded;

static void *open_at(const char *path)
{
	return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* path may be a directory. */
static void *open_named(const char *path, char *err, size_t errlen)
{
	char within[4096];
	struct stat st;
	void *library;

	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		snprintf(within, sizeof(within), "%s/" LIBRARY, path);
		path = within;
	}
	library = open_at(path);
	if (!library)
		snprintf(err, errlen, "$PYCOST_DUCKDB: %s", dlerror());
	return library;
}

static void *find(char *err, size_t errlen)
{
	static const char *const places[] = { "/usr/local/lib/pycost/" LIBRARY,
					      "/usr/lib/pycost/" LIBRARY, LIBRARY };
	const char *named = getenv("PYCOST_DUCKDB");
	void *library;

	if (named && *named)
		return open_named(named, err, errlen);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		library = open_at(places[i]);
		if (library)
			return library;
		/* One that is there, but broken, is worth a word. */
		if (!access(places[i], F_OK)) {
			snprintf(err, errlen, "%s", dlerror());
			return NULL;
		}
	}
	snprintf(err, errlen, "no DuckDB here, which keeps a store in a directory: run "
		 "deploy/install-deps.sh --duckdb, or set PYCOST_DUCKDB to its " LIBRARY);
	return NULL;
}

static int load_symbols(void *library, char *err, size_t errlen)
{
	const char *missing = NULL;

#define LOAD(type, name, arguments) \
	api.name = (type(*) arguments)dlsym(library, "duckdb_" #name); \
	if (!api.name) \
		missing = "duckdb_" #name;
	DUCK_FUNCTIONS(LOAD)
#undef LOAD
	if (!missing)
		return 0;
	snprintf(err, errlen, "this " LIBRARY " has no %s: run deploy/install-deps.sh --duckdb "
		 "for one that has", missing);
	return -ENOEXEC;
}

static int load(char *err, size_t errlen)
{
	void *library = find(err, errlen);
	int ret;

	if (!library)
		return -ENOENT;
	ret = load_symbols(library, err, errlen);
	if (ret) {
		dlclose(library);
		return ret;
	}
	loaded = true;
	return 0;
}

int duck_api_load(const struct duck_api **ret, char *err, size_t errlen)
{
	int failed;

	pthread_mutex_lock(&lock);
	failed = loaded ? 0 : load(err, errlen);
	pthread_mutex_unlock(&lock);
	if (!failed)
		*ret = &api;
	return failed;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/store/duckdb_store.h"

#define MEMORY_DEFAULT (1ull << 30)
#define MEMORY_MIN (64ull << 20)

const uint32_t duck_step_seconds[DUCK_STEPS] = { 60, 3600, 86400 };

static struct duck_store *of(struct store *s)
{
	return (struct duck_store *)s;
}

static int lock_directory(struct duck_store *s, char *err, size_t errlen)
{
	char path[4096], pid[16] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "%s/lock", s->directory);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0) {
		n = errno;
		snprintf(err, errlen, "%s: %s", path, strerror((int)n));
		return -(int)n;
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB)) {
		n = read(s->lock_fd, pid, sizeof(pid) - 1);
		pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
		snprintf(err, errlen, "%s: in use by process %s, and a store is one process's: "
			 "ask that one, as in pycost query --url http://127.0.0.1:7680",
			 s->directory, *pid ? pid : "unknown");
		return -EBUSY;
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	/* Only for people to read: that it cannot be written is no reason to stop. */
	if (ftruncate(s->lock_fd, 0) || pwrite(s->lock_fd, pid, (size_t)n, 0) < 0)
		return 0;
	return 0;
}

static int make_directory(const char *path, char *err, size_t errlen)
{
	struct stat st;
	int failed;

	if (!mkdir(path, 0700) || (errno == EEXIST && !stat(path, &st) && S_ISDIR(st.st_mode)))
		return 0;
	failed = errno;
	snprintf(err, errlen, "%s: %s", path, failed == EEXIST ? "no directory" : strerror(failed));
	return failed == EEXIST ? -ENOTDIR : -failed;
}

/* No extension is loaded or fetched, whatever a statement says. */
static int configure(struct duck_store *s, void **config, char *err, size_t errlen)
{
	char memory[32], spill[4096];
	const char *const settings[][2] = {
		{ "memory_limit", memory },
		{ "temp_directory", spill },
		{ "autoinstall_known_extensions", "false" },
		{ "autoload_known_extensions", "false" },
		{ "preserve_insertion_order", "false" },
		{ "checkpoint_threshold", "64MB" },
	};

	snprintf(memory, sizeof(memory), "%" PRIu64 "B", s->options.memory);
	snprintf(spill, sizeof(spill), "%s/spill", s->directory);
	if (s->api->create_config(config)) {
		snprintf(err, errlen, "DuckDB: no configuration");
		return -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (s->api->set_config(*config, settings[i][0], settings[i][1])) {
			snprintf(err, errlen, "DuckDB %s does not know the setting %s",
				 s->api->library_version(), settings[i][0]);
			return -ENOEXEC;
		}
	return 0;
}

static int open_file(struct duck_store *s, char *err, size_t errlen)
{
	char path[4096], *message = NULL;
	void *config = NULL;
	int failed = configure(s, &config, err, errlen);

	snprintf(path, sizeof(path), "%s/pycost.duckdb", s->directory);
	if (!failed && s->api->open_ext(path, &s->db, config, &message)) {
		snprintf(err, errlen, "%s: %s", path, message ? message : "cannot be opened");
		err[strcspn(err, "\n")] = 0;
		s->db = NULL;
		failed = -EIO;
	}
	if (message)
		s->api->free(message);
	s->api->destroy_config(&config);
	return failed;
}

static int connect_link(struct duck_store *s, struct duck_link *ret, char *err, size_t errlen)
{
	ret->api = s->api;
	if (!s->api->connect(s->db, &ret->connection))
		return 0;
	snprintf(err, errlen, "DuckDB: no connection to be had");
	return -EAGAIN;
}

static void close_file(struct duck_store *s)
{
	while (s->idle_count)
		s->api->disconnect(&s->idle[--s->idle_count]);
	if (s->db)
		s->api->close(&s->db);
	s->db = NULL;
}

/* in_use is held for writing, or nobody else is there yet. */
static int open_database(struct duck_store *s, char *err, size_t errlen)
{
	/* After this, statements reach no file but the database, and cannot change that. */
	static const char *const last = "SET enable_external_access = false;"
					"SET lock_configuration = true";
	struct duck_link link;
	int failed;

	close_file(s);
	failed = open_file(s, err, errlen);
	if (failed)
		return failed;
	failed = connect_link(s, &link, err, errlen);
	if (!failed) {
		failed = duck_tables(s, &link, err, errlen);
		if (!failed)
			failed = duck_run(&link, last, err, errlen);
		s->api->disconnect(&link.connection);
	}
	if (failed)
		close_file(s);
	else
		s->broken = false;
	return failed;
}

static int open_anew(struct duck_store *s, char *err, size_t errlen)
{
	int failed = 0;

	pthread_rwlock_wrlock(&s->in_use);
	if (s->broken)
		failed = open_database(s, err, errlen);
	pthread_rwlock_unlock(&s->in_use);
	return failed ? -EAGAIN : 0;
}

int duck_take(struct duck_store *s, struct duck_link *ret, char *err, size_t errlen)
{
	int failed = 0;

	for (;;) {
		pthread_rwlock_rdlock(&s->in_use);
		if (!s->broken)
			break;
		pthread_rwlock_unlock(&s->in_use);
		failed = open_anew(s, err, errlen);
		if (failed)
			return failed;
	}
	*ret = (struct duck_link){ .api = s->api };
	pthread_mutex_lock(&s->idle_lock);
	if (s->idle_count)
		ret->connection = s->idle[--s->idle_count];
	pthread_mutex_unlock(&s->idle_lock);
	if (!ret->connection)
		failed = connect_link(s, ret, err, errlen);
	if (failed)
		pthread_rwlock_unlock(&s->in_use);
	return failed;
}

int duck_give(struct duck_store *s, struct duck_link *l, int result)
{
	if (result == -ENOTRECOVERABLE) {
		s->broken = true;
		result = -EAGAIN;
	}
	pthread_mutex_lock(&s->idle_lock);
	if (!s->broken && s->idle_count < DUCK_IDLE_MAX) {
		s->idle[s->idle_count++] = l->connection;
		l->connection = NULL;
	}
	pthread_mutex_unlock(&s->idle_lock);
	if (l->connection)
		s->api->disconnect(&l->connection);
	pthread_rwlock_unlock(&s->in_use);
	return result;
}

static void duck_close(struct store *base)
{
	struct duck_store *s = of(base);

	duck_watch_close(&s->watch);
	close_file(s);
	for (int i = 0; i < SCHEMA_NAMES; i++)
		id_set_free(&s->known[i]);
	for (int i = 0; i < DUCK_STEPS; i++)
		id_set_free(&s->touched[i]);
	ledger_filter_free(&s->ledger);
	tally_clear(&s->loose);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_rwlock_destroy(&s->in_use);
	pthread_mutex_destroy(&s->idle_lock);
	pthread_mutex_destroy(&s->writing);
	pthread_mutex_destroy(&s->state_lock);
	pthread_mutex_destroy(&s->maintaining);
	free(s->directory);
	free(s);
}

static void take_options(struct duck_store *s, const struct store_options *o)
{
	static const struct store_options none;

	if (!o)
		o = &none;
	s->options = (struct store_options){
		.minute_days = o->minute_days ? o->minute_days : 2,
		.hour_days = o->hour_days ? o->hour_days : 90,
		.day_days = o->day_days ? o->day_days : 800,
		.ledger_days = o->ledger_days ? o->ledger_days : 8,
		.memory = !o->memory ? MEMORY_DEFAULT :
			  o->memory < MEMORY_MIN ? MEMORY_MIN : o->memory,
	};
}

static int duck_open(const char *where, const struct store_options *o, struct store **ret,
		     char *err, size_t errlen)
{
	struct duck_store *s = calloc(1, sizeof(*s));
	int failed;

	if (!s)
		return -ENOMEM;
	s->base.engine = &duckdb_engine;
	s->lock_fd = -1;
	pthread_rwlock_init(&s->in_use, NULL);
	duck_watch_init(&s->watch);
	pthread_mutex_init(&s->idle_lock, NULL);
	pthread_mutex_init(&s->writing, NULL);
	pthread_mutex_init(&s->state_lock, NULL);
	pthread_mutex_init(&s->maintaining, NULL);
	take_options(s, o);
	s->directory = strdup(where);
	failed = s->directory ? duck_api_load(&s->api, err, errlen) : -ENOMEM;
	if (!failed)
		failed = make_directory(where, err, errlen);
	if (!failed)
		failed = lock_directory(s, err, errlen);
	if (!failed)
		failed = open_database(s, err, errlen);
	if (failed)
		duck_close(&s->base);
	else
		*ret = &s->base;
	return failed == -ENOTRECOVERABLE ? -EIO : failed;
}

static int select_until(struct duck_store *s, struct duck_link *l, const char *sql,
			uint64_t until_ns, store_row_fn row, void *arg, char *err, size_t errlen)
{
	struct duck_watched watched;
	int failed = duck_watch_begin(&s->watch, &watched, l, until_ns);

	if (failed) {
		snprintf(err, errlen, "no thread to be had");
		return failed;
	}
	failed = duck_select(l, sql, row, arg, err, errlen);
	if (duck_watch_end(&s->watch, &watched) && failed == -EAGAIN) {
		snprintf(err, errlen, "DuckDB: it takes too long");
		failed = -ETIMEDOUT;
	}
	return failed;
}

static int duck_select_for(struct store *base, const char *sql, uint64_t until_ns,
			   store_row_fn row, void *arg, char *err, size_t errlen)
{
	struct duck_store *s = of(base);
	struct duck_link link;
	int failed = duck_take(s, &link, err, errlen);

	if (failed)
		return failed;
	failed = until_ns ? select_until(s, &link, sql, until_ns, row, arg, err, errlen) :
			    duck_select(&link, sql, row, arg, err, errlen);
	return duck_give(s, &link, failed);
}

static void duck_quote(const struct store *s, FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', out);
		fputc(*text, out);
	}
	fputc('\'', out);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int list_touched(const struct id_set *set, uint64_t since, uint64_t until, uint64_t **ret,
			size_t *ret_count)
{
	uint64_t *list = calloc(set->count + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i] >= since && set->slots[i] < until && set->slots[i])
			list[n++] = set->slots[i];
	qsort(list, n, sizeof(*list), by_value);
	*ret = list;
	*ret_count = n;
	return 0;
}

static int duck_buckets(struct store *base, uint64_t since, uint64_t until,
			struct store_buckets *ret, char *err, size_t errlen)
{
	struct duck_store *s = of(base);
	int failed;

	pthread_mutex_lock(&s->state_lock);
	ret->minutes_from = s->kept_from[DUCK_MINUTE];
	ret->hours_from = s->kept_from[DUCK_HOUR];
	ret->days_from = s->kept_from[DUCK_DAY];
	failed = list_touched(&s->touched[DUCK_HOUR], since, until, &ret->hours, &ret->hour_count);
	if (!failed)
		failed = list_touched(&s->touched[DUCK_DAY], since, until, &ret->days,
				      &ret->day_count);
	pthread_mutex_unlock(&s->state_lock);
	if (failed) {
		store_buckets_free(ret);
		snprintf(err, errlen, "out of memory");
	}
	return failed;
}

static uint64_t file_bytes(const struct duck_store *s, const char *name)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", s->directory, name);
	return stat(path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

static int duck_status(struct store *base, struct store_status *ret, char *err, size_t errlen)
{
	struct duck_store *s = of(base);

	*ret = (struct store_status){
		.bytes = file_bytes(s, "pycost.duckdb") + file_bytes(s, "pycost.duckdb.wal"),
		.batches = s->batches,
		.rows = s->rows,
	};
	pthread_mutex_lock(&s->state_lock);
	ret->rolled_until_s = s->rolled_until;
	pthread_mutex_unlock(&s->state_lock);
	return 0;
}

const struct store_engine duckdb_engine = {
	.open = duck_open,
	.close = duck_close,
	.write = duck_write,
	.select = duck_select_for,
	.quote = duck_quote,
	.buckets = duck_buckets,
	.maintain = duck_maintain,
	.status = duck_status,
};

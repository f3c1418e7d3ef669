/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stores [--cluster NAME] [--user NAME] [--password WORD] [--ca FILE] [--minutes DAYS] WHERE
 * stores --schema [CLUSTER]	the tables that it makes in ClickHouse, as deploy/clickhouse has them
 *
 * A store by itself, told what to do by lines on standard input, each answered by lines of
 * JSON (rows) and one of "ok ..." or "error -ERRNO ...":
 *	write FILE...		batches, as batches.c makes them, as one group: ok new duplicate...
 *	ask SQL			rows
 *	within MS SQL		rows, or the error that it took longer
 *	facts FACT SINCE UNTIL STEP HOSTS SQL
 *				rows; "@" in the SQL stands for what store_from() writes
 *	query WHAT KEY=VALUE...	the answer to a question (values without blanks)
 *	maintain NOW
 *	quote SQL TEXT		rows; "@" in the SQL (which has no blanks) stands for the literal
 *	status
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/clock.h"
#include "userspace/query/query.h"
#include "userspace/store/clickhouse.h"
#include "userspace/store/store.h"

#define BATCHES_MAX 4096
#define UNPACKED_MAX (256u << 20)

static char why[1024];

static int load(const char *path, struct batch *ret)
{
	FILE *f = fopen(path, "re");
	char *bytes = NULL;
	long size = -1;
	int err;

	if (f && !fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0) {
		rewind(f);
		bytes = malloc((size_t)size + 1);
	}
	if (!bytes || fread(bytes, 1, (size_t)size, f) != (size_t)size)
		err = -EIO;
	else
		err = batch_unpack(bytes, (size_t)size, UNPACKED_MAX, ret, why, sizeof(why));
	free(bytes);
	if (f)
		fclose(f);
	return err;
}

static int write_files(struct store *s, char *line)
{
	static struct batch batches[BATCHES_MAX];
	static const struct batch *list[BATCHES_MAX];
	static enum store_written written[BATCHES_MAX];
	size_t n = 0;
	int err = 0;

	for (char *at = strtok(line, " "); at && !err && n < BATCHES_MAX; at = strtok(NULL, " ")) {
		memset(&batches[n], 0, sizeof(*batches));
		err = load(at, &batches[n]);
		list[n] = &batches[n];
		n++;
	}
	if (!err)
		err = store_write(s, list, n, written, why, sizeof(why));
	for (size_t i = 0; i < n; i++)
		batch_free(&batches[i]);
	if (err)
		return err;
	fputs("ok", stdout);
	for (size_t i = 0; i < n; i++)
		fputs(written[i] == STORE_NEW ? " new" : " duplicate", stdout);
	putchar('\n');
	return 0;
}

static int print_row(void *arg, const struct store_value *v, size_t count)
{
	json_t *row = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(row, v[i].type == STORE_TEXT ? json_string(v[i].text) :
				      v[i].type == STORE_U64 ? json_integer((json_int_t)v[i].u64) :
							       json_real(v[i].f64));
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
	return 0;
}

static int facts(struct store *s, char *line)
{
	struct store_source source;
	uint64_t since, until;
	unsigned step, by_host;
	char name[32], *sql = NULL, *at;
	int used = 0, fact = 0, err;
	size_t size;
	FILE *out;

	if (sscanf(line, "%31s %" SCNu64 " %" SCNu64 " %u %u %n", name, &since, &until, &step, &by_host,
		   &used) != 5 || !used || !(at = strchr(line + used, '@')))
		return -EINVAL;
	while (fact < STORE_FACTS && strcmp(schema_fact(fact)->name, name))
		fact++;
	if (fact == STORE_FACTS)
		return -EINVAL;
	err = store_source(s, since, until, step, by_host, &source, why, sizeof(why));
	if (err)
		return err;
	out = open_memstream(&sql, &size);
	fwrite(line + used, 1, (size_t)(at - line - used), out);
	store_from(s, &source, fact, out);
	fputs(at + 1, out);
	fclose(out);
	err = store_select(s, sql, print_row, NULL, why, sizeof(why));
	free(sql);
	return err;
}

static int quote(struct store *s, char *line)
{
	char *text = strchr(line, ' '), *at = strchr(line, '@'), *sql = NULL;
	size_t size;
	FILE *out;
	int err;

	if (!text || !at || at > text)
		return -EINVAL;
	*text++ = '\0';
	for (char *c = line; *c; c++)
		if (*c == '_')
			*c = ' ';
	out = open_memstream(&sql, &size);
	fwrite(line, 1, (size_t)(at - line), out);
	store_quote(s, out, text);
	fputs(at + 1, out);
	fclose(out);
	err = store_select(s, sql, print_row, NULL, why, sizeof(why));
	free(sql);
	return err;
}

static int ask(struct store *s, char *line)
{
	char *what = strtok(line, " "), *equals;
	uint64_t now = (uint64_t)time(NULL);
	struct query q;
	json_t *answer;
	int err = 0;

	if (!what || !query_by_name(what))
		return -EINVAL;
	query_init(&q, query_by_name(what), now);
	for (char *at = strtok(NULL, " "); at && !err; at = strtok(NULL, " ")) {
		equals = strchr(at, '=');
		if (!equals)
			return -EINVAL;
		*equals = '\0';
		err = query_set(&q, at, equals + 1, now, why, sizeof(why));
	}
	if (!err)
		err = query_run(s, &q, &answer, why, sizeof(why));
	if (err)
		return err;
	json_dumpf(answer, stdout, JSON_COMPACT | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(answer);
	return 0;
}

static int status(struct store *s)
{
	struct store_status st;
	int err = store_status(s, &st, why, sizeof(why));

	if (!err)
		printf("[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]\n", st.bytes, st.batches,
		       st.rows, st.rolled_until_s);
	return err;
}

static int within(struct store *s, const char *line)
{
	char *sql;
	uint64_t ms = strtoull(line, &sql, 10);

	return store_select_until(s, sql, clock_ns() + ms * 1000000, print_row, NULL, why, sizeof(why));
}

static int obey(struct store *s, char *line)
{
	char *rest = strchr(line, ' ');

	if (rest)
		*rest++ = '\0';
	else
		rest = line + strlen(line);
	if (!strcmp(line, "ask"))
		return store_select(s, rest, print_row, NULL, why, sizeof(why));
	if (!strcmp(line, "within"))
		return within(s, rest);
	if (!strcmp(line, "facts"))
		return facts(s, rest);
	if (!strcmp(line, "query"))
		return ask(s, rest);
	if (!strcmp(line, "quote"))
		return quote(s, rest);
	if (!strcmp(line, "maintain"))
		return store_maintain(s, strtoull(rest, NULL, 10), why, sizeof(why));
	if (!strcmp(line, "status"))
		return status(s);
	return -EINVAL;
}

static void answer(struct store *s, char *line)
{
	bool writing = !strncmp(line, "write ", 6);
	int err;

	line[strcspn(line, "\n")] = '\0';
	*why = '\0';
	err = writing ? write_files(s, line + 6) : obey(s, line);
	if (err)
		printf("error %d %s\n", err, why);
	else if (!writing)
		puts("ok");
	fflush(stdout);
}

/* A line for each part of a statement. */
static int print_statement(void *arg, const char *sql)
{
	static const char *const parts[] = { " ENGINE = ", " PARTITION BY ", " ORDER BY ", " AS SELECT " };

	for (; *sql; sql++) {
		for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
			if (!strncmp(sql, parts[i], strlen(parts[i]))) {
				fputs("\n   ", stdout);
				break;
			}
		putchar(*sql);
	}
	puts(";");
	return 0;
}

static int print_schema(const char *cluster)
{
	struct clickhouse_place p = { .database = "pycost", .own = "pycost", .cluster = cluster };

	if (cluster) {
		p.own = "pycost_shard";
		p.shard = 1;
	}
	printf("-- The tables that pycost makes in ClickHouse%s; nobody has to run this.\n"
	       "-- Made by: build/stores --schema%s%s\n",
	       cluster ? ", on each server of a cluster" : "", cluster ? " " : "", cluster ? cluster : "");
	return clickhouse_schema(&p, print_statement, NULL);
}

int main(int argc, char **argv)
{
	struct store_options o = { 0 };
	struct store *s;
	char *line = NULL;
	size_t room = 0;
	int i = 1, err;

	if (argc > 1 && argc < 4 && !strcmp(argv[1], "--schema"))
		return print_schema(argv[2]) ? 1 : 0;
	for (; i + 2 < argc && !strncmp(argv[i], "--", 2); i += 2) {
		if (!strcmp(argv[i], "--cluster"))
			o.cluster = argv[i + 1];
		else if (!strcmp(argv[i], "--user"))
			o.user = argv[i + 1];
		else if (!strcmp(argv[i], "--password"))
			o.password = argv[i + 1];
		else if (!strcmp(argv[i], "--ca"))
			o.ca = argv[i + 1];
		else if (!strcmp(argv[i], "--minutes"))
			o.minute_days = (uint32_t)atoi(argv[i + 1]);
	}
	if (i + 1 != argc) {
		fputs("usage: stores [--cluster NAME] [--user NAME] [--password WORD] [--ca FILE] [--minutes DAYS] WHERE\n", stderr);
		return 2;
	}
	err = store_open(argv[i], &o, &s, why, sizeof(why));
	if (err) {
		printf("error %d %s\n", err, why);
		return 1;
	}
	puts("ok");
	fflush(stdout);
	while (getline(&line, &room, stdin) > 0)
		answer(s, line);
	free(line);
	store_close(s);
	return 0;
}

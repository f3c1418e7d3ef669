/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/serve_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/fleet/listen_address.h"
#include "userspace/fleet/quantity.h"
#include "userspace/fleet/yaml_file.h"

#define KEY_MAX 64

enum kind { TEXT, FLAG, COUNT, SIZE, TIME };

#define AT(member) offsetof(struct serve_config, member)
#define KI 1024ull
#define MI (KI * 1024)
#define GI (MI * 1024)
#define DAY 86400ull

static const struct key {
	const char *name;
	enum kind kind;
	size_t at;
	uint64_t start, least, most;
	const char *help;
} keys[] = {
	{ "listen", TEXT, AT(listen), 0, 0, 0, "ADDRESS:PORT; " SERVE_LISTEN_DEFAULT },
	{ "store", TEXT, AT(store), 0, 0, 0, "a directory, or http[s]://HOST:PORT/DATABASE of ClickHouse" },
	{ "tokens", TEXT, AT(tokens), 0, 0, 0, "file of who may do what" },
	{ "insecure", FLAG, AT(insecure), 0, 0, 0, "let everybody on the network in" },
	{ "open-metrics", FLAG, AT(open_metrics), 0, 0, 0, "/metrics for all" },
	{ "expiry", TIME, AT(expiry_s), 7 * DAY, 60, 400 * DAY, "older batches are refused" },
	{ "skew", TIME, AT(skew_s), DAY, 60, 30 * DAY, "a sender's clock may be off by so much" },
	{ "tls.certificate", TEXT, AT(tls_certificate), 0, 0, 0, "file, PEM, with its chain" },
	{ "tls.key", TEXT, AT(tls_key), 0, 0, 0, "file, PEM" },
	{ "tls.client-ca", TEXT, AT(tls_client_ca), 0, 0, 0, "file, PEM: who signs clients' certificates" },
	{ "keep.minutes", COUNT, AT(minute_days), 0, 0, 4000, "days that minutes are kept" },
	{ "keep.hours", COUNT, AT(hour_days), 0, 0, 4000, "days that hours are kept" },
	{ "keep.days", COUNT, AT(day_days), 0, 0, 40000, "days that days are kept" },
	{ "engine.memory", SIZE, AT(store_memory), 0, 0, KI * GI, "that the store may use" },
	{ "engine.cluster", TEXT, AT(cluster), 0, 0, 0, "ClickHouse: its name" },
	{ "engine.user", TEXT, AT(store_user), 0, 0, 0, "ClickHouse: as whom" },
	{ "engine.password-file", TEXT, AT(store_password_file), 0, 0, 0, "ClickHouse: first line" },
	{ "engine.ca", TEXT, AT(store_ca), 0, 0, 0, "ClickHouse by https: file, PEM: who signs its certificate" },
	{ "export.late", TIME, AT(export_late_s), 60, 1, 600, "that a minute's batches are waited for" },
	{ "export.series", COUNT, AT(export_series), 2000, 1, 100000,
	  "of a minute; those with few requests are put together as \"other\"" },
	{ "otlp.endpoint", TEXT, AT(otlp_endpoint), 0, 0, 0,
	  "http://HOST:4318, whose /v1/metrics each minute is sent to" },
	{ "otlp.headers-file", TEXT, AT(otlp_headers_file), 0, 0, 0, "headers, one a line, as for a token" },
	{ "otlp.metrics", FLAG, AT(otlp_metrics), 1, 0, 0, "of requests; true" },
	{ "otlp.profiles", FLAG, AT(otlp_profiles), 0, 0, 0,
	  "call paths, to /v1development/profiles: an alpha of OpenTelemetry" },
	{ "limits.body", SIZE, AT(body), 16 * MI, 64 * KI, GI, "of a batch as it travels" },
	{ "limits.unpacked", SIZE, AT(unpacked), 128 * MI, MI, 4 * GI, "of a batch in memory" },
	{ "limits.in-flight", SIZE, AT(in_flight), 512 * MI, 2 * MI, 64 * GI, "of all that waits" },
	{ "limits.connections", COUNT, AT(connections), 4096, 4, 1 << 20, "at a time" },
	{ "limits.connections-per-address", COUNT, AT(connections_per_address), 512, 1, 1 << 20,
	  "at a time" },
	{ "limits.sender-batches", COUNT, AT(sender_batches), 600, 1, 1 << 24, "of one, in a minute" },
	{ "limits.sender-bytes", SIZE, AT(sender_bytes), 256 * MI, 64 * KI, 64 * GI, "of one, in a minute" },
	{ "limits.request", TIME, AT(request_s), 60, 1, 3600, "for a request to arrive" },
	{ "limits.query", TIME, AT(query_s), 30, 1, 3600, "for the answer to a query" },
	{ "limits.queries", COUNT, AT(queries), 2, 1, 64, "at a time" },
	{ "threads", COUNT, AT(threads), 2, 2, 64, "for connections, and as many to unpack" },
	{ "group.ms", COUNT, AT(group_ms), 1000, 0, 60000, "that batches wait for others" },
	{ "group.busy-ms", COUNT, AT(group_busy_ms), 5000, 0, 60000,
	  "the same, while others keep coming" },
	{ "group.size", SIZE, AT(group_bytes), 128 * MI, 64 * KI, GI, "for which they do not" },
};
#define KEY_COUNT (sizeof(keys) / sizeof(*keys))

static void *member(struct serve_config *c, const struct key *k)
{
	return (char *)c + k->at;
}

void serve_config_init(struct serve_config *c)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (keys[i].kind >= COUNT)
			*(uint64_t *)member(c, &keys[i]) = keys[i].start;
		else if (keys[i].kind == FLAG)
			*(bool *)member(c, &keys[i]) = keys[i].start;
}

void serve_config_free(struct serve_config *c)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (keys[i].kind == TEXT)
			free(*(char **)member(c, &keys[i]));
	memset(c, 0, sizeof(*c));
}

/* ---- values ---- */

static int number(const struct key *k, const char *text, uint64_t *ret)
{
	char *end;

	if (k->kind == SIZE)
		return quantity_bytes(text, ret);
	if (k->kind == TIME)
		return quantity_seconds(text, ret);
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

/* As it would be written. */
static void show(const struct key *k, uint64_t value, char ret[QUANTITY_SIZE])
{
	if (k->kind == SIZE)
		quantity_bytes_show(value, ret);
	else if (k->kind == TIME)
		quantity_seconds_show(value, ret);
	else
		snprintf(ret, QUANTITY_SIZE, "%" PRIu64, value);
}

static int set_flag(bool *flag, const char *text)
{
	static const char *const yes[] = { "true", "yes", "on" }, *const no[] = { "false", "no", "off" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
			*flag = !strcmp(text, yes[i]);
			return 0;
		}
	return -EINVAL;
}

static int set_text(char **into, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*into);
	*into = copy;
	return 0;
}

static int set_number(struct serve_config *c, const struct key *k, const char *text, char *err,
		      size_t errlen)
{
	char least[QUANTITY_SIZE], most[QUANTITY_SIZE];
	uint64_t value;

	if (!number(k, text, &value) && value >= k->least && value <= k->most) {
		*(uint64_t *)member(c, k) = value;
		return 0;
	}
	show(k, k->least, least);
	show(k, k->most, most);
	snprintf(err, errlen, "'%s' is a %s from %s to %s, not '%.64s'", k->name,
		 k->kind == SIZE ? "size (KiB, MiB, GiB)" : k->kind == TIME ? "time (s, m, h, d)" : "number",
		 least, most, text);
	return -EINVAL;
}

int serve_config_set(struct serve_config *c, const char *key, const char *value, char *err,
		     size_t errlen)
{
	const struct key *k = NULL;

	for (size_t i = 0; i < KEY_COUNT; i++)
		if (!strcmp(keys[i].name, key))
			k = &keys[i];
	if (!k) {
		snprintf(err, errlen, "'%.64s' is not known: see pycost serve --help", key);
		return -EINVAL;
	}
	if (k->kind >= COUNT)
		return set_number(c, k, value, err, errlen);
	if (k->kind == FLAG) {
		if (!set_flag(member(c, k), value))
			return 0;
		snprintf(err, errlen, "'%s' must be true or false", key);
		return -EINVAL;
	}
	if (!*value) {
		snprintf(err, errlen, "'%s' is empty: leave it out, or say what it is", key);
		return -EINVAL;
	}
	snprintf(err, errlen, "no memory");
	return set_text(member(c, k), value);
}

/* ---- the file ---- */

struct section {
	struct serve_config *config;
	const char *name; /* NULL: the file */
	bool seen[KEY_COUNT];
};

static int take_key(struct yaml_file *y, const char *key, const yaml_node_t *at,
		    yaml_node_t *value, void *arg)
{
	struct section *s = arg;
	const char *text, *section = s->name;
	char name[KEY_MAX], why[256];
	int err;

	if (!section && value->type == YAML_MAPPING_NODE) {
		s->name = key;
		err = yaml_file_pairs(y, value, key, take_key, s);
		s->name = NULL;
		return err;
	}
	if (snprintf(name, sizeof(name), "%s%s%s", section ? section : "", section ? "." : "", key) >=
	    KEY_MAX)
		return yaml_file_fail(y, at, "'%.64s' is not known here", key);
	text = yaml_file_text(y, value, name);
	if (!text)
		return -EINVAL;
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (!strcmp(keys[i].name, name)) {
			if (s->seen[i])
				return yaml_file_fail(y, at, "'%s' is given twice", name);
			s->seen[i] = true;
		}
	err = serve_config_set(s->config, name, text, why, sizeof(why));
	return err ? yaml_file_fail(y, at, "%s", why) : 0;
}

int serve_config_text(struct serve_config *c, const char *name, const char *text, size_t size,
		      char *err, size_t errlen)
{
	struct section whole = { .config = c };
	struct yaml_file y;
	yaml_node_t *root;
	int error = yaml_file_parse(&y, name, text, size, err, errlen);

	if (error)
		return error;
	root = yaml_file_root(&y);
	error = root ? yaml_file_pairs(&y, root, "the file", take_key, &whole) : 0;
	yaml_file_free(&y);
	return error;
}

int serve_config_file(struct serve_config *c, const char *path, char *err, size_t errlen)
{
	size_t size;
	char *text;
	int error = yaml_file_read(path, &text, &size, err, errlen);

	if (error)
		return error;
	error = serve_config_text(c, path, text, size, err, errlen);
	free(text);
	return error;
}

void serve_config_explain(FILE *out)
{
	char start[QUANTITY_SIZE];

	for (size_t i = 0; i < KEY_COUNT; i++) {
		const struct key *k = &keys[i];

		fprintf(out, "  %-32s %s", k->name, k->help);
		if (k->kind >= COUNT && k->start) {
			show(k, k->start, start);
			fprintf(out, "; %s", start);
		}
		putc('\n', out);
	}
}

/* ---- what fits together ---- */

int serve_config_address(const struct serve_config *c, struct sockaddr_storage *ret, bool *ret_local,
			 char *err, size_t errlen)
{
	if (!listen_address_parse(c->listen, ret, ret_local))
		return 0;
	snprintf(err, errlen, "'%.128s' is no address to listen at: write 127.0.0.1:7680, [::]:7680 or "
		 ":7680", c->listen);
	return -EINVAL;
}

static int refuse(char *err, size_t errlen, const char *why)
{
	snprintf(err, errlen, "%s", why);
	return -EINVAL;
}

int serve_config_check(struct serve_config *c, char *err, size_t errlen)
{
	struct sockaddr_storage address;
	bool local;
	int error;

	if (!c->listen && set_text(&c->listen, SERVE_LISTEN_DEFAULT))
		return -ENOMEM;
	if (!c->store)
		return refuse(err, errlen, "there is no store: give --store DIR, or 'store:' in the file");
	error = serve_config_address(c, &address, &local, err, errlen);
	if (error)
		return error;
	if (!c->tls_certificate != !c->tls_key)
		return refuse(err, errlen, "'tls.certificate' and 'tls.key' go together: give both");
	if (c->tls_client_ca && !c->tls_certificate)
		return refuse(err, errlen, "'tls.client-ca' needs 'tls.certificate' and 'tls.key', too");
	if (c->tls_client_ca && !c->tokens)
		return refuse(err, errlen,
			      "'tls.client-ca' says whose certificates are real, 'tokens' what they may: "
			      "give both");
	if (c->unpacked + c->body > c->in_flight)
		return refuse(err, errlen,
			      "'limits.in-flight' must be 'limits.body' and 'limits.unpacked' at least");
	if (c->body > c->unpacked)
		return refuse(err, errlen, "'limits.body' must not be more than 'limits.unpacked'");
	if (local || c->tokens || c->insecure)
		return 0;
	return refuse(err, errlen,
		      "others than this machine could write and read everything: give 'tokens', listen at "
		      "127.0.0.1, or say --insecure");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `pycost serve` is told: by a file, by options, or not at all. */
#ifndef PYCOST_SERVE_CONFIG_H
#define PYCOST_SERVE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SERVE_LISTEN_DEFAULT "127.0.0.1:7680"

/* Texts are the configuration's own; NULL: not given. */
struct serve_config {
	char *listen; /* ADDRESS:PORT, [ADDRESS]:PORT, :PORT */
	char *store, *cluster, *store_user, *store_password_file, *store_ca;
	char *tokens; /* file: see access.h */
	char *tls_certificate, *tls_key, *tls_client_ca; /* files, PEM */
	char *otlp_endpoint, *otlp_headers_file; /* see otlp.h */
	bool insecure; /* others than this machine may come without showing anything */
	bool open_metrics; /* /metrics without a token */
	bool otlp_metrics, otlp_profiles;
	uint64_t minute_days, hour_days, day_days, store_memory;
	uint64_t body, unpacked; /* bytes of one batch: as it comes, and in memory */
	uint64_t in_flight; /* bytes of all that is not yet stored */
	uint64_t connections, connections_per_address, threads;
	uint64_t sender_batches, sender_bytes; /* of one sender in a minute */
	uint64_t request_s; /* for a request to arrive */
	uint64_t query_s, queries; /* for its answer; how many at a time */
	/* A group of batches is written after so long, or so much; later when more keep coming. */
	uint64_t group_ms, group_busy_ms, group_bytes;
	uint64_t export_late_s, export_series; /* how long a minute is waited for; of how many rows */
	uint64_t expiry_s, skew_s; /* how old a batch, and how wrong its sender's clock, may be */
};

void serve_config_init(struct serve_config *c);
void serve_config_free(struct serve_config *c);

/*
 * Sentences with file and line in err; what was read before stays. -EINVAL, -ENOMEM, or
 * errors of files.
 */
int serve_config_file(struct serve_config *c, const char *path, char *err, size_t errlen);
int serve_config_text(struct serve_config *c, const char *name, const char *text, size_t size,
		      char *err, size_t errlen);
/* One by its key, as "limits.body"; for options. */
int serve_config_set(struct serve_config *c, const char *key, const char *value, char *err,
		     size_t errlen);
/* Whether it fits together; fills in what has a default. */
int serve_config_check(struct serve_config *c, char *err, size_t errlen);

/* Every key with what it is and its default, for --help. */
void serve_config_explain(FILE *out);

/*
 * Where it listens: sockaddr_in or sockaddr_in6 in ret (of sizeof(struct sockaddr_storage)).
 * -EINVAL and a sentence.
 */
struct sockaddr_storage;
int serve_config_address(const struct serve_config *c, struct sockaddr_storage *ret, bool *ret_local,
			 char *err, size_t errlen);

#endif

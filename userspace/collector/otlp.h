/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is of each minute, to a receiver of OpenTelemetry: posted once a minute, as
 * OTLP/HTTP with protobuf, by a thread of its own.
 *
 * Metrics are those of minute.h, as what happened in that minute (delta temporality).
 * Profiles are call paths, by the alpha of the format that opentelemetry-proto 1.11 has; a
 * receiver of before 1.10 answers 200 and has no values.
 *
 * A minute is sent some time after its end, as its batches take a while to come; what
 * comes later is in the store only, and counted. A receiver that is away gets the last hour
 * afterwards; what is older, and what it will never take, is counted as dropped.
 */
#ifndef PYCOST_OTLP_H
#define PYCOST_OTLP_H

#include <stddef.h>
#include <stdint.h>

struct collector;
struct minute;
struct otlp;
struct query_tree;

/* 0 and NULL when none is configured. -errno, and a sentence in err. */
int otlp_start(struct collector *c, struct otlp **ret, char *err, size_t errlen);
void otlp_stop(struct otlp *o); /* NULL: nothing; cuts short what is under way */

/* Messages of otlp.proto, packed; free(*ret). -ENOMEM; -ENODATA: there is nothing to send. */
int otlp_metrics_pack(const struct minute *m, uint8_t **ret, size_t *ret_size);
/*
 * Of a tree by service and version. -E2BIG: more than 2^31 entries. Each profile has an id
 * that depends on what it is of alone, so that one that comes twice can be told.
 */
int otlp_profiles_pack(const struct query_tree *t, uint64_t begin_s, uint64_t seconds,
		       uint8_t **ret, size_t *ret_size);

#endif

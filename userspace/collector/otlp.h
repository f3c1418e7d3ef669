/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What requests cost, as OpenTelemetry metrics: once a minute, minute by minute, posted to
 * a receiver as OTLP/HTTP with JSON (opentelemetry-proto 1.x: metrics/v1/metrics.proto,
 * and docs/specification.md for the mapping of JSON).
 *
 * A minute is sent when it is two minutes old, as its batches take a while to come; what
 * comes later is in the store only. A receiver that is away gets the last hour afterwards.
 */
#ifndef PYCOST_OTLP_H
#define PYCOST_OTLP_H

#include <jansson.h>
#include <stdint.h>

struct collector;
struct otlp;

/* 0 and NULL when none is configured. -errno, and a sentence in err. */
int otlp_start(struct collector *c, struct otlp **ret, char *err, size_t errlen);
void otlp_stop(struct otlp *o); /* NULL: nothing */

/*
 * An answer about requests, of one stretch of time, as an ExportMetricsServiceRequest: each
 * service is a resource, each column of numbers a gauge at the end of the stretch. NULL: no
 * memory, or no answer.
 */
json_t *otlp_metrics(const json_t *answer);

#endif

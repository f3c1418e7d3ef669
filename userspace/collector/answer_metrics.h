/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A query's answer as OpenMetrics: each column of numbers is a gauge, pycost_WHAT_COLUMN, whose
 * labels are the columns of text. Times are in seconds, shares are ratios; costs are in
 * units of the label "metric".
 */
#ifndef PYCOST_ANSWER_METRICS_H
#define PYCOST_ANSWER_METRICS_H

#include <jansson.h>
#include <stdio.h>

/* -EBADMSG: it is no answer, or one by time. */
int answer_metrics_write(const json_t *answer, FILE *out);

#endif

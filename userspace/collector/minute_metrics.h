/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A minute as OpenMetrics, for Prometheus to scrape. All are gauges of that one minute, with
 * its end as their time: to whoever scrapes often it is one sample a minute, and the sum of
 * these over time is all that there was. They are not counters, as a collector has nothing
 * that would count on: any of several answers the same.
 */
#ifndef PYCOST_MINUTE_METRICS_H
#define PYCOST_MINUTE_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "userspace/query/minute.h"

/*
 * older: in the text format of before OpenMetrics, which has no histogram of gauges: it is
 * called a histogram there, and its count and sum are gauges of their own.
 */
void minute_metrics_write(const struct minute *m, bool older, FILE *out);

#endif

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a store is asked."""
DAY, HOUR = 86400, 3600


def sums_sql(store_columns):
    return "SELECT t, slice, %s FROM @ AS f GROUP BY t, slice ORDER BY t, slice" % store_columns


ALL_SUMS = {
    "costs": "sum(minutes), sum(calls), sum(samples), sum(self), sum(cumulative), sum(self_squares),"
             " sum(cumulative_squares), sum(self_variance), count(*) > 0",
    "path_costs": "sum(calls), sum(samples), sum(self), min(path), max(path)",
    "requests": "sum(n), sum(estimate), sum(estimate_variance), sum(cost_sum), sum(latency_squares)",
    "bins": "sum(n), sum(n * bin), max(distribution)",
    "backends": "sum(calls), sum(ns), min(backend), max(backend)",
    "users": "max(level), min(slot), max(slot)",
    "counters": "sum(value), min(name), max(name)",
}


def questions(begin, now):
    """Of every kind: over stretches that are answered from minutes, hours and days."""
    for since, until in ((begin + 7 * HOUR + 120, begin + 9 * HOUR), (begin, begin + 2 * DAY), (begin, now),
                         (now - 5 * HOUR - 60, now)):
        span = " since=%d until=%d limit=1000" % (since, until)
        for words in ("functions", "functions by=service,mode", "functions where=service=shop by=endpoint",
                      "functions function=*g where=endpoint=POST* sort=calls", "functions where=mode=exact",
                      "callers function=shop.m1.*", "callers function=*f3* where=service=shop", "paths",
                      "paths where=service=s* by=version", "requests", "requests by=endpoint,status",
                      "requests by=service where=status=5*", "requests by=version", "requests by=host",
                      "requests where=host=web-1",
                      "series", "series measure=self by=service", "series measure=latency.p99 by=service",
                      "series measure=latency.mean step=1h", "series measure=requests by=status step=1d",
                      "series measure=users step=1h", "series measure=counter.loss.nodes", "users",
                      "users by=service step=1h", "tags", "tags by=service", "counters", "counters by=host"):
            yield words + span

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of question, answered from a real store, against what is added up here.

query.py [STORE]: another store than a DuckDB of its own; it has to be empty.
"""
import collections
import csv
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time

import query_rig
from query_rig import answer, ask, cases, close, everything, lib, now, options_of, recent, rows, \
    same, world
from query_truth import DAY, HOSTS, HOUR, MEASURES, MINUTE, quantile

OUTSIDE = "<outside Python functions>"


# ---- functions ----


def functions_expected(since, until, where, by):
    expected = {}
    totals = {}
    for key, facts in world.grouped("costs", since, until, where, (), ("metric", "mode")).items():
        totals[key] = sum(f[4] for f in facts)
    for key, facts in world.grouped("costs", since, until, where, by, ("metric", "mode")).items():
        by_name = {}
        for f in facts:
            by_name.setdefault(world.name(f[1]), []).append(f)
        for name, found in by_name.items():
            own = sum(f[4] for f in found)
            expected[key + (name,)] = {
                "calls": sum(f[2] for f in found), "samples": sum(f[3] for f in found),
                "self": own, "cumulative": sum(f[5] for f in found), "minutes": len(found),
                "self_error": math.sqrt(sum(f[6] for f in found)),
                "cumulative_error": math.sqrt(sum(f[7] for f in found)),
                "self_share": 100 * own / totals[key[-2:]]}
    return expected


def functions():
    for name, since, until, where, by in cases():
        got = answer("functions", "-n", "0", *options_of(where, by), since=since, until=until)
        keyed = {tuple(r[k] for k in by + ("metric", "mode", "function")): r for r in rows(got)}
        same("functions: " + name, keyed, functions_expected(since, until, where, by))
    got = rows(answer("functions", "--function", "Cart.total", since=everything[0], until=now))
    expected = {k: v for k, v in functions_expected(*everything, (), ()).items()
                if k[-1] == "shop.cart.Cart.total"}
    same("functions: the end of a name", {(r["metric"], r["mode"], r["function"]): r for r in got},
         expected)
    lib.check("functions: what differs from version to version is not told",
              all(r["file"] == "" and r["line"] is None for r in got), repr(got[:1]))
    got = answer("functions", "-n", "2", "--sort", "calls")
    pairs = {}
    for r in rows(got):
        pairs.setdefault((r["metric"], r["mode"]), []).append(r["calls"])
    lib.check("functions: a limit for each metric and mode, the greatest first",
              got["truncated"] and sorted(pairs) == sorted(set(HOSTS.values())) and
              all(len(v) == 2 and v == sorted(v, reverse=True) for v in pairs.values()), repr(pairs))


# ---- call paths ----


def paths_expected(since, until, where, by):
    expected = {}
    for key, facts in world.grouped("path_costs", since, until, where, by, ("metric", "mode")).items():
        for f in facts:
            at = expected.setdefault(key + tuple(world.stack(f[1])),
                                     {"calls": 0, "samples": 0, "self": 0})
            for column, value in (("calls", f[2]), ("samples", f[3]), ("self", f[4])):
                at[column] += value
    return expected


def paths_got(answered, by):
    nodes, got = {0: ()}, {}
    for r in rows(answered):
        key = tuple(r[k] for k in by + ("metric", "mode"))
        nodes[r["node"]] = nodes[r["parent"]] + (r["function"],)
        at = got.setdefault(key + nodes[r["node"]], {"calls": 0, "samples": 0, "self": 0})
        for column in at:
            at[column] += r[column]
    return {k: v for k, v in got.items() if v["self"] or v["calls"]}


def paths():
    for name, since, until, where, by in cases():
        got = answer("paths", *options_of(where, by), since=since, until=until)
        same("paths: " + name, paths_got(got, by), paths_expected(since, until, where, by))
    limited = rows(answer("paths", "-n", "3"))
    sums = {}
    for r in limited:
        sums[r["metric"], r["mode"]] = sums.get((r["metric"], r["mode"]), 0) + r["self"]
    expected = {k: sum(f[4] for f in v) for k, v in
                world.grouped("path_costs", *recent, more=("metric", "mode")).items()}
    lib.check("paths: what is beyond the limit is not lost", sums == expected,
              "%r, not %r" % (sums, expected))


EXACT = ("--where", "metric=instructions:u", "--where", "mode=exact")
EXACT_WHERE = (("metric", "instructions:u", False), ("mode", "exact", False))


def exports():
    since, until = everything
    expected = {}
    for key, v in paths_expected(since, until, EXACT_WHERE, ()).items():
        stack = key[2:] if key[2] != OUTSIDE else ()
        expected[stack] = expected.get(stack, 0) + v["self"]
    folded = ask("paths", *EXACT, since=since, until=until, format="folded").stdout.decode()
    got = {}
    for line in folded.splitlines():
        stack, own = line.rsplit(" ", 1)
        frames = tuple(stack.split(";"))
        lib.counts["roots"] += frames[0] != "all"
        got[frames[1:]] = got.get(frames[1:], 0) + int(own)
    lib.check("paths: folded", got == expected and not lib.counts["roots"], folded[:300])
    scope = json.loads(ask("paths", *EXACT, "--by", "service", since=since, until=until,
                           format="speedscope").stdout)
    weights = collections.Counter()
    for p in scope["profiles"]:  # one for each root
        weights[p["name"]] += sum(p["weights"])
    by_service = {}
    for key, v in paths_expected(since, until, EXACT_WHERE, ("service",)).items():
        name = key[0] + ": instructions:u"
        by_service[name] = by_service.get(name, 0) + v["self"]
    lib.equal("paths: speedscope, the sums of each service", weights, by_service)
    pprofs(since, until, expected)
    both = ask("paths", format="folded")
    lib.check("paths: a flame graph is of one metric and one mode",
              both.returncode == 2 and b"--where metric=" in both.stderr, both.stderr.decode())


def pprofs(since, until, expected):
    import gzip
    import protobuf
    data = gzip.decompress(ask("paths", *EXACT, since=since, until=until, format="pprof").stdout)
    total = sum(protobuf.varints(value)[1] for field, sample in protobuf.fields(data) if field == 2
                for at, value in protobuf.fields(sample) if at == 2)
    lib.equal("paths: pprof has all of it", total, sum(expected.values()))
    where = ("--where", "metric=task-clock")
    data = gzip.decompress(ask("paths", *where, since=since, until=until, format="pprof").stdout)
    strings = [value.decode() for field, value in protobuf.fields(data) if field == 6]
    lib.check("paths: pprof does not call samples exact",
              "samples" in strings and not any("exact" in s for s in strings), repr(strings[:8]))


def callers():
    since, until = everything
    answered = rows(answer("callers", "--function", "*", "-n", "0", since=since, until=until))
    got = {(r["metric"], r["mode"], r["function"], r["is"], r["other"]): r for r in answered}
    expected = {}
    for key, v in paths_expected(since, until, (), ()).items():
        pair, stack = key[:2], tuple(n for n in key[2:] if n != OUTSIDE)
        seen = set()
        for caller, callee in zip((OUTSIDE,) + stack, stack):
            seen |= {(callee, "itself", callee), (callee, "caller", caller)}
            if caller != OUTSIDE:
                seen.add((caller, "callee", callee))
        for one in seen:
            at = expected.setdefault(pair + one, {"cumulative": 0, "self": 0, "calls": 0})
            at["cumulative"] += v["self"]
        if stack:
            caller, callee = ((OUTSIDE,) + stack)[-2:]
            ends = {(callee, "itself", callee), (callee, "caller", caller)}
            if caller != OUTSIDE:
                ends.add((caller, "callee", callee))
            for one in ends:
                expected[pair + one]["self"] += v["self"]
                expected[pair + one]["calls"] += v["calls"]
    for key, v in expected.items():
        if key[1] == "sampled":
            v["calls"] = None
        v["share"] = 100 * v["cumulative"] / expected[key[:3] + ("itself", key[2])]["cumulative"]
    same("callers", got, expected)
    errors = [r["cumulative_error"] for r in answered if r["mode"] == "sampled"]
    lib.check("callers: samples have errors", all(e > 0 for e in errors) and errors)


# ---- requests ----


def request_expected(facts, seconds):
    count = sum(f["count"] for f in facts)
    estimate = sum(f["estimate"] for f in facts)
    cost = [v for f in facts for v in f["values"]["cost"]]
    total = sum(sum(f["values"]["cost"]) * f["estimate"] / f["count"] for f in facts)
    mean = total / estimate
    plain = sum(cost) / count
    variance = sum((v - plain) ** 2 for v in cost) / (count - 1) if count > 1 else 0
    weight = sum(f["estimate"] * (f["estimate"] - f["count"]) / f["count"] for f in facts)
    expected = {
        "requests": count, "estimate": estimate, "rate": estimate / seconds, "cost": total,
        "cost_mean": mean,
        "estimate_error": math.sqrt(sum(f["variance"] for f in facts)),
        "cost_error": math.sqrt(mean ** 2 * sum(f["variance"] for f in facts) + variance * weight),
        "backends": {"db": {"calls": count, "ns": count * 1000},
                     "redis": {"calls": len(facts), "ns": 7 * len(facts)}}}
    for m in MEASURES[1:]:
        expected[m + "_mean"] = sum(sum(f["values"][m]) for f in facts) / count
    for m in ("cost", "latency", "cpu"):
        values = [v for f in facts for v in f["values"][m]]
        for q in (50, 90, 99):
            expected["%s_p%d" % (m, q)] = quantile(values, q / 100)
    if count > 100:
        expected["cost_mean_error"] = None, 1.96 * math.sqrt(variance / count)
    return expected


def requests():
    for name, since, until, where, by in cases():
        answered = answer("requests", "-n", "0", *options_of(where, by), since=since, until=until)
        got = {tuple(r[k] for k in by + ("metric",)): r for r in rows(answered)}
        groups = world.grouped("requests", since, until, where, by)
        failed = {k: 0 for k in groups}
        for t, tags, f in world.found("requests", since, until, where):
            if tags["status"] in ("", "500", "503"):
                failed[tuple(tags.get(k, "") for k in by + ("metric",))] += f["count"]
        expected = {k: dict(request_expected(v, until - since), failed=failed[k])
                    for k, v in groups.items()}
        for key in expected:
            _, half = expected[key].pop("cost_mean_error", (None, None))
            if half and key in got and not close(got[key]["cost_mean_error"], half, 0.02):
                lib.fail("requests: " + name, "interval %r, not about %r"
                         % (got[key]["cost_mean_error"], half))
        same("requests: " + name, got, expected, 1e-7)
    by_host = {(r["host"], r["metric"]): r for r in rows(answer("requests", "--by", "host"))}
    same("requests: by host", by_host,
         {k: {"requests": sum(f["count"] for f in v)}
          for k, v in world.grouped("requests", *recent, by=("host",)).items()})
    sums = rows(answer("requests", "--by", "endpoint,status", "--sort", "latency-p99"))
    for metric in ("instructions:u", "task-clock"):
        p99 = [r["latency_p99"] for r in sums if r["metric"] == metric]
        lib.check("requests: sorted by a quantile, %s" % metric, p99 == sorted(p99, reverse=True))


# ---- over time ----


def series():
    measures = {
        "requests": lambda fs: sum(f["estimate"] for f in fs),
        "cost": lambda fs: sum(sum(f["values"]["cost"]) * f["estimate"] / f["count"] for f in fs),
        "latency.mean": lambda fs: (sum(sum(f["values"]["latency"]) for f in fs) /
                                    sum(f["count"] for f in fs)),
        "rss.sum": lambda fs: sum(sum(f["values"]["rss"]) for f in fs),
        "cpu.p90": lambda fs: quantile([v for f in fs for v in f["values"]["cpu"]], 0.9),
        "rate": lambda fs: sum(f["estimate"] for f in fs)}
    for measure, value in measures.items():
        for step, (since, until) in ((5 * MINUTE, recent), (DAY, (now - 9 * DAY - 12 * HOUR,
                                                                 now + 12 * HOUR))):
            answered = answer("series", "--measure", measure, "--by", "service", "--step",
                              "%dm" % (step // 60), since=since, until=until)
            got = {(r["t"], r["service"], r["metric"]): r for r in rows(answered)}
            divide = step if measure == "rate" else 1
            same("series: %s by %d min" % (measure, step // 60), got,
                 {k: {measure: value(v) / divide} for k, v in
                  world.grouped("requests", since, until, by=("service",), step=step).items()}, 1e-8)
    failed = {(r["t"], r["metric"]): r for r in rows(answer("series", "--measure", "failed",
                                                           "--step", "1h"))}
    expected = {}
    for t, tags, f in world.found("requests", *recent):
        at = expected.setdefault((t - t % HOUR, tags["metric"]), {"failed": 0})
        at["failed"] += f["count"] if tags["status"] in ("", "500", "503") else 0
    same("series: failed", failed, expected)
    functions_over_time()


def functions_over_time():
    answered = answer("series", "--measure", "cumulative", "--function", "f1", "--step", "1h")
    got = {(r["t"], r["metric"], r["mode"]): r for r in rows(answered)}
    expected = {k: {"cumulative": sum(f[5] for f in v if world.name(f[1]) == "mod1.f1"),
                    "error": math.sqrt(sum(f[7] for f in v if world.name(f[1]) == "mod1.f1"))}
                for k, v in world.grouped("costs", *recent, more=("metric", "mode"),
                                          step=HOUR).items()}
    same("series: a function", got, {k: v for k, v in expected.items() if v["cumulative"]})
    answered = answer("series", "--measure", "counter.workers.born", "--step", "1h")
    same("series: a counter", {(r["t"], r["metric"]): r for r in rows(answered)},
         {k: {"counter.workers.born": sum(f[2] for f in v if f[1] == "workers.born")}
          for k, v in world.grouped("counters", *recent, step=HOUR).items()})


def users():
    for by in ((), ("service",), ("service", "version")):
        answered = answer("users", *options_of((), by))
        truth = world.grouped("users", *recent, by=by, step=MINUTE)
        costs = world.grouped("requests", *recent, by=by, step=MINUTE)
        got = {(r["t"],) + tuple(r[k] for k in by + ("metric",)): r for r in rows(answered)}
        beyond = []
        for key, sets in truth.items():
            count = len(set().union(*sets))
            r = got.pop(key, None)
            if r is None or abs(r["users"] - count) > 4 * max(r["users_error"], 0.5):
                beyond.append((key, count, r))
                continue
            cost = request_expected(costs[key], 60) if key in costs else None
            each = cost["cost"] / r["users"]
            error = each * math.hypot(cost["cost_error"] / cost["cost"], r["users_error"] / r["users"])
            if not close(r["cost_per_user"], each, 1e-7) or not close(r["cost_per_user_error"], error,
                                                                     1e-6):
                beyond.append((key, each, error, r))
        lib.check("users by %s: %d minutes" % (",".join(by) or "nothing", len(truth)),
                  not beyond and not got, repr((beyond[:2], list(got)[:2])))
        peaks_check(by, answered)
    refused = ask("users", "--where", "endpoint=/shop/*")
    lib.check("users: not by endpoint", refused.returncode == 2 and
              b"not told apart by endpoint" in refused.stderr, refused.stderr.decode())


def peaks_check(by, answered):
    best = {}
    for r in rows(answered):
        key = tuple(r[k] for k in by + ("metric",))
        best[key] = max(best.get(key, 0), r["users"])
    names = [c["name"] for c in answered["columns"]]
    wrong = []
    all_ = world.grouped("users", *recent, by=by)
    for peak in answered["peaks"]:
        r = dict(zip(names, peak["row"]))
        key = tuple(r[k] for k in by + ("metric",))
        distinct = len(set().union(*all_[key]))
        if r["users"] != best.pop(key) or abs(peak["distinct"] - distinct) > 4 * peak["distinct_error"]:
            wrong.append((key, peak, distinct))
    lib.check("users by %s: the peaks, and all of them" % (",".join(by) or "nothing"),
              not wrong and not best, repr((wrong[:1], best)))


def tags_and_counters():
    got = {(r["key"], r["value"]) for r in rows(answer("tags"))}
    expected = {(k, v) for kind, t, tags, _ in world.facts if recent[0] <= t < recent[1] and
                kind in ("requests", "costs", "counters") for k, v in tags.items()
                # Costs are kept without hosts, which requests have all of.
                if v or k != "host"}
    lib.equal("tags", sorted(got), sorted(expected))
    got = {r["value"] for r in rows(answer("tags", "--by", "version", "--where", "service=shop"))}
    lib.equal("tags: of one key", got, {"1.0", "2.0"})
    answered = answer("counters", "--by", "service", since=everything[0], until=now)
    same("counters", {(r["service"], r["metric"], r["counter"]): r for r in rows(answered)},
         {key + (name,): {"value": sum(f[2] for f in v if f[1] == name)}
          for key, v in world.grouped("counters", *everything, by=("service",)).items()
          for name in ("loss.nodes", "workers.born")})
    losses = answer("functions", "--where", "service=shop", "--where", "endpoint=/shop/*")["losses"]
    lib.equal("losses are those of the service, whatever the endpoint", losses,
              {"loss.nodes": sum(f[2] for _, _, f in
                                 world.found("counters", *recent, (("service", "shop", False),))
                                 if f[1] == "loss.nodes")})


# ---- errors ----


def refusals():
    for name, kind, options, words in (
            ("no such kind", "functionz", [], "did you mean 'functions'"),
            ("a glob's range", "requests", ["--where", "a=[z-a]"], "ends before it begins"),
            ("no condition", "requests", ["--where", "service"], "not KEY=GLOB"),
            ("a time", "requests", ["--since", "yesterday"], "is no time"),
            ("a sort", "requests", ["--sort", "self"], "is none of: cost"),
            ("a function of requests", "requests", ["--function", "f"], "do not know it"),
            ("a step", "series", ["--step", "7m"], "is no step"),
            ("a measure", "series", ["--measure", "cost.p98"], "is none of"),
            ("a format", "functions", ["-f", "folded"], "is of paths"),
            ("callers of nothing", "callers", [], "which function"),
            ("functions by host", "functions", ["--by", "host"], "kept by host"),
            ("bytes that are no text", "requests", ["--where", b"service=\xff\xfe"], "UTF-8")):
        made = subprocess.run([lib.PYCOST, "query", kind, "--store", query_rig.store, *options],
                              capture_output=True)
        lib.check("refused: " + name, made.returncode == 2 and
                  words in " ".join(made.stderr.decode(errors="replace").split()),
                  made.stderr.decode(errors="replace"))
    for inject in ("x' OR '1'='1", "x\\' OR 1=1 --", "'; DROP TABLE tags; --", "\\"):
        for options in (["--where", "service=" + inject], ["--where", inject.replace("=", "") + "=x"],
                        ["--where", "service=*" + inject + "*"]):
            made = ask("requests", *options)
            if made.returncode or json.loads(made.stdout)["rows"]:
                lib.fail("injection", "%r: %s" % (options, made.stderr.decode()))
                return
        made = ask("requests", "--by", inject)
        if made.returncode or {r[0] for r in json.loads(made.stdout)["rows"]} != {""}:
            lib.fail("injection", "by %r: %s" % (inject, made.stderr.decode()))
            return
    lib.ok("what looks like SQL is a text like any other")


def nothing_there():
    made = ask("requests", since=now - 9 * DAY, until=now - 8 * DAY, format="table")
    text = made.stderr.decode()
    expected = time.strftime("there is some from %Y-%m-%d %H:%M", time.gmtime(now - 5 * DAY))
    lib.check("no data: says since when there is some", made.returncode == 1 and expected in text,
              "%r, not %r" % (text, expected))
    made = ask("requests", "--where", "service=nope", format="table")
    lib.check("no data with these conditions", made.returncode == 1 and
              b"with these conditions" in made.stderr, made.stderr.decode())
    made = subprocess.run([lib.PYCOST, "query", "tags", "--store", "/nowhere/at/all"],
                          capture_output=True)
    lib.check("no such store", made.returncode == 1 and b"No such file" in made.stderr)
    made = subprocess.run([lib.PYCOST, "query", "tags", "--url", "http://127.0.0.1:1"],
                          capture_output=True)
    lib.check("nobody there", made.returncode == 1 and b"does pycost serve run there" in made.stderr,
              made.stderr.decode())


def tables():
    table = ask("functions", "--by", "service", format="table").stdout.decode()
    lib.check("a table", "shop.cart.Cart.total" in table and "self share" in table and
              "lost: nodes" in table, table[:400])
    lib.check("a table without colour, as it is no terminal", "\033" not in table)
    wide = ask("requests", "--by", "endpoint,status", "--wide", format="table").stdout.decode()
    lib.check("a wide table has everything", "threads mean" in wide and "redis" in wide, wide[:400])
    text = ask("requests", "--by", "endpoint,status", format="csv").stdout.decode()
    listed = list(csv.DictReader(io.StringIO(text)))
    got = rows(answer("requests", "--by", "endpoint,status"))
    lib.check("csv is what json is", len(listed) == len(got) and all(
        close(float(a["cost_mean"]), b["cost_mean"]) and a["endpoint"] == b["endpoint"]
        for a, b in zip(listed, got)), text[:300])


def over_http():
    """The same from a collector: one process at a time has the store open."""
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    url = "http://127.0.0.1:%d" % port
    parts = ["--by", "service,endpoint", "--where", "service=it's; DROP TABLE tags--"]
    own = answer("requests", *parts)
    server = lib.start(lib.PYCOST, "serve", "--listen", "127.0.0.1:%d" % port, "--store", query_rig.store,
                       stderr=subprocess.PIPE)

    def asked():
        made = subprocess.run([lib.PYCOST, "query", "requests", "--url", url, "--since",
                               str(recent[0]), "--until", str(recent[1]), "-f", "json", *parts],
                              capture_output=True)
        return made if made.returncode == 0 or server.poll() is not None else None

    made = lib.until(asked, "an answer")
    lib.check("a collector says the same", made.returncode == 0 and json.loads(made.stdout) == own,
              made.stderr.decode()[:300])
    made = subprocess.run([lib.PYCOST, "query", "users", "--url", url, "--by", "status"],
                          capture_output=True)
    lib.check("a collector's refusal", made.returncode == 2 and b"told apart by status" in made.stderr,
              made.stderr.decode())
    lib.end_all()


TESTS = (functions, paths, exports, callers, requests, series, users, tags_and_counters, refusals,
         nothing_there, tables, over_http)

if __name__ == "__main__":
    store = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="pycost-query-")
    try:
        why = query_rig.setup(store)
        if "DuckDB" in why:
            lib.skip("query", why)
        elif why:
            lib.fail("query", why)
        for test in TESTS if not why else ():
            try:
                test()
            except Exception as error:  # a broken test must not hide the others
                lib.fail(test.__name__, "%s: %s" % (type(error).__name__, error))
                if os.environ.get("PYCOST_TEST_TRACE"):
                    raise
    finally:
        if len(sys.argv) == 1:
            shutil.rmtree(store, ignore_errors=True)
    sys.exit(lib.summary())

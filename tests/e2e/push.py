#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pycost push: the batches of a real site's recordings add up to their reports; what is
pushed again is the same; what a collector answers is understood.
"""
import collections
import http.client
import json
import os
import ssl
import time

import batch
import lib
import web

UNIT = os.path.join(os.path.dirname(lib.PYCOST), "unit")
TAGS = ("--requests", "--tag", "service=web", "--tag", "version=7", "--field",
        "header:X-User=user,user", "--field", "arg:page")
USERS = 40


def push(file, collector, *options):
    return lib.pycost("push", file, "--to", collector.url, *options)


def visit(site):
    """Some load, and users of whom some come again."""
    site.load(280)
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=lib.PATIENCE)
    for n in range(USERS + 10):
        connection.request("GET", "/product/7/?page=%d" % (n % 3),
                           headers={"X-User": "user %d" % (n % USERS)})
        connection.getresponse().read()
    connection.close()


def function_key(f):
    return (f["module"] or "", f["qualname"], f["wraps"] or "", f["file"], f["line"])


def costs_of(batches):
    """{function: [calls, samples, self, cumulative]}, None for what is outside any."""
    names = {id: f for b in batches for id, f in b.functions.items()}
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for b in batches:
        for cost in b.costs:
            key = function_key(names[cost["function"]]) if cost["function"] else None
            for i, name in enumerate(("calls", "samples", "self", "cumulative")):
                sums[key][i] += cost[name]
    return {key: tuple(row) for key, row in sums.items() if any(row)}


def costs_in(report):
    sums = {function_key(f): (f["calls"] or 0, f.get("samples") or 0, f["self"], f["cumulative"])
            for f in report.json["functions"]}
    return {key: row for key, row in sums.items() if any(row)}


def compare_functions(name, batches, report):
    got, expected = costs_of(batches), costs_in(report)
    outside = got.pop(None, (0, 0, 0, 0))
    wrong = {key: (got.get(key), expected.get(key)) for key in got.keys() | expected.keys()
             if got.get(key) != expected.get(key)}
    lib.check("push: %s: each function costs what it does in the report" % name,
              expected and not wrong, "%d of %d differ: %r" % (len(wrong), len(expected),
                                                               list(wrong.items())[:3]))
    lib.equal("push: %s: what is outside of functions" % name, outside[2],
              report.json["outside"]["self"])
    total = sum(cost["self"] for b in batches for cost in b.path_costs)
    lib.equal("push: %s: the paths add up to all" % name, total, report.json["total"])


def compare_paths(name, batches):
    """Each can be followed to its beginning, by names that are told once."""
    told = collections.Counter(id for b in batches for id in [*b.functions, *b.paths])
    lib.check("push: %s: names are told once" % name, max(told.values()) == 1, told.most_common(1))
    paths = {id: p for b in batches for id, p in b.paths.items()}
    names = {id for b in batches for id in b.functions}
    lost = 0
    for b in batches:
        for cost in b.path_costs:
            at = cost["path"]
            while at in paths and (paths[at]["function"] in names or not paths[at]["function"]):
                at = paths[at]["parent"]
            lost += at != 0
    lib.equal("push: %s: paths that lead nowhere" % name, lost, 0)


def compare_requests(name, batches, file):
    made = lib.pycost("requests", file, "--by", "endpoint,status", "--format", "json")
    expected = {tuple(row["keys"].values()) if isinstance(row["keys"], dict) else
                tuple(row["keys"]): row for row in json.loads(made.stdout)["rows"]}
    got = {}
    for b in batches:
        for r in b.requests:
            tags = b.slices[r["slice"]]
            row = got.setdefault((tags["endpoint"], tags["status"]),
                                 {"count": 0, "sums": collections.Counter(),
                                  "backends": collections.Counter()})
            row["count"] += r["count"]
            row["sums"].update(r["sums"])
            row["backends"].update({n: told["calls"] for n, told in r["backends"].items()})
    lib.equal("push: %s: the endpoints" % name, sorted(got), sorted(expected))
    wrong = []
    for key, row in expected.items():
        mine = got.get(key, {"count": 0, "sums": {}, "backends": {}})
        if mine["count"] != row["requests"]:
            wrong.append((key, "count", mine["count"], row["requests"]))
        for measure in batch.MEASURES:
            # What the probes cost is taken out of each batch's sum, and rounded.
            slack = len(batches) if measure == "cost" else 0
            if abs(mine["sums"].get(measure, 0) - row[measure]["sum"]) > slack:
                wrong.append((key, measure, mine["sums"].get(measure), row[measure]["sum"]))
        for backend, told in row["backends"].items():
            if mine["backends"].get(backend, 0) != told["calls"]:
                wrong.append((key, backend, mine["backends"].get(backend), told["calls"]))
    lib.check("push: %s: their counts and sums" % name, not wrong, wrong[:5])


def compare_users(name, batches):
    registers = {}
    for b in batches:
        for u in b.users:
            for index, rank in u["registers"].items():
                registers[index] = max(rank, registers.get(index, 0))
    # Of 4,096 registers, two of 40 users share one every fifth time.
    lib.check("push: %s: users, each once" % name, USERS - 3 <= len(registers) <= USERS,
              "%d registers" % len(registers))


def compare_tags(name, batches, mode):
    slices = [b.slices[cost["slice"]] for b in batches for cost in b.costs]
    lib.check("push: %s: tags of costs" % name,
              slices and all(s["service"] == "web" and s["version"] == "7" and s["mode"] == mode and
                             s["host"] and s["metric"] and "user" not in s for s in slices),
              slices[:1])
    endpoints = {s["endpoint"] for s in slices}
    lib.check("push: %s: costs by endpoint" % name, {"", "GET /product/*/"} <= endpoints, endpoints)


def minute_of_day():
    return time.time() % 60


def sampled():
    """Over the end of a minute: two batches, each with its part."""
    site = web.Site(2)
    while not 40 < minute_of_day() < 52:
        time.sleep(0.2)
    recording = lib.Recording("-p", ",".join(map(str, [site.master.pid, *site.workers])),
                              "--mode", "sample", "--rate", "999", *TAGS)
    lib.until(recording.serves, "nothing is measured")
    begin = time.time()
    while time.time() // 60 == begin // 60 or minute_of_day() < 3:
        visit(site)
    grown = batch.Collector()
    under_way(recording.file, grown)
    visit(site)
    recording.stop()
    site.end()
    collector = batch.Collector()
    made = push(recording.file, collector)
    lib.equal("push: sampled: it succeeds", (made.returncode, made.stderr), (0, b""))
    batches = sorted(collector.batches.values(), key=lambda b: b.begin)
    lib.equal("push: sampled: minutes", [b.begin - batches[0].begin for b in batches], [0, 60])
    lib.check("push: sampled: both have costs", all(b.costs and b.requests for b in batches))
    compare_functions("sampled", batches, lib.Report(recording.file))
    compare_paths("sampled", batches)
    compare_requests("sampled", batches, recording.file)
    compare_users("sampled", batches)
    compare_tags("sampled", batches, "sampled")
    made = push(recording.file, grown)
    lib.check("push: grown: what was there already is told", made.returncode == 0 and
              b"2 minutes pushed, 1 of them there already" in made.stdout, made.stdout)
    lib.equal("push: grown: the same batches", set(grown.batches), set(collector.batches))
    compare_functions("grown", sorted(grown.batches.values(), key=lambda b: b.begin),
                      lib.Report(recording.file))
    grown.end()
    again(recording.file, collector, len(batches))


def under_way(file, collector):
    """The minute that is over is pushed, once; the last one waits for what else it will be."""
    for duplicates in (0, 1):
        made = push(file, collector, "--partial")
        lib.check("push: under way: %d there already" % duplicates, made.returncode == 0 and
                  b"1 minute pushed, %d of them" % duplicates in made.stdout and
                  b"last minute may grow" in made.stderr, (made.stdout, made.stderr))
    lib.equal("push: under way: one batch", len(collector.batches), 1)


def again(file, collector, minutes):
    """Pushed twice, it counts once; also from standard input."""
    before = dict(collector.batches)
    made = push(file, collector)
    lib.check("push: again: it is told", made.returncode == 0 and
              b"%d of them there already" % minutes in made.stdout, made.stdout)
    with open(file, "rb") as recording:
        made = lib.subprocess.run([lib.PYCOST, "push", "-", "--to", collector.url, "-q"],
                                  stdin=recording, stdout=lib.subprocess.PIPE)
    lib.equal("push: again: quietly, from standard input", (made.returncode, made.stdout), (0, b""))
    lib.equal("push: again: nothing is new", collector.batches, before)
    lib.equal("push: again: all were sent", len(collector.heads), 3 * minutes)
    collector.end()


def exact():
    site = web.Site(1)
    while minute_of_day() > 25:
        time.sleep(0.2)
    recording = lib.Recording("-p", ",".join(map(str, [site.master.pid, *site.workers])), *TAGS)
    lib.until(recording.serves, "nothing is measured")
    visit(site)
    recording.stop()
    site.end()
    collector = batch.Collector()
    made = push(recording.file, collector)
    lib.equal("push: exact: it succeeds", (made.returncode, made.stderr), (0, b""))
    batches = list(collector.batches.values())
    lib.equal("push: exact: one minute", len(batches), 1)
    compare_functions("exact", batches, lib.Report(recording.file))
    compare_paths("exact", batches)
    compare_requests("exact", batches, recording.file)
    compare_users("exact", batches)
    compare_tags("exact", batches, "exact")
    probed = sum(c["value"] for b in batches for c in b.counters if c["name"] == "requests.probed")
    lib.equal("push: exact: requests whose calls were counted", probed,
              sum(r["count"] for b in batches for r in b.requests))
    collector.end()


def sample(what):
    file = os.path.join(lib.work, what + ".pycost")
    lib.subprocess.run([UNIT, "--write-sample", what, file], check=True)
    return file


def answers():
    """What a collector says decides what happens next."""
    file, collector = sample("shop-requests"), batch.Collector()
    token = lib.script("token", "open sesame?\n".replace(" ", "-"))
    for status, body, told in ((400, '{"error": "a text that is not there"}', b"a text that is not there"),
                               (401, '{"error": "no such token"}', b"no such token"),
                               (403, '{"error": "not your service"}', b"not your service"),
                               (410, '{"error": "too old"}', b"too old"),
                               (404, "<html>", b"of no pycost collector"),
                               (200, "<html>Welcome", b"no pycost collector")):
        collector.answers = [(status, {}, body)]
        made = push(file, collector, "--token-file", token)
        lib.check("push: %d: it fails, and says why" % status,
                  made.returncode == 1 and told in made.stderr and not made.stdout, made.stderr)
        lib.check("push: %d: the token stays secret" % status, b"sesame" not in made.stderr)
    lib.equal("push: each was asked once", len(collector.heads), 6)
    path, head = collector.heads[0]
    lib.equal("push: where to", path, "/v1/batches")
    lib.equal("push: the token is shown", head.get("Authorization"), "Bearer open-sesame?")
    lib.check("push: when it was sent", abs(int(head["X-Pycost-Sent"]) - time.time()) < 60)
    collector.answers = [(503, {"Retry-After": "1"}, '{"error": "busy"}'),
                         (500, {}, "<html>")]
    began = time.monotonic()
    made = push(file, collector)
    lib.check("push: a busy collector is asked again", made.returncode == 0 and
              len(collector.batches) == 1, made.stderr)
    lib.check("push: not at once", time.monotonic() - began > 1.9)
    collector.end()


def openssl(*arguments):
    lib.subprocess.run(["openssl", *arguments], check=True, cwd=lib.work,
                       stderr=lib.subprocess.DEVNULL)


def certificate(name, *signed_by):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", name + ".key", "-out", name + ".pem", *signed_by)
    return [os.path.join(lib.work, name + end) for end in (".pem", ".key")]


def tls():
    """Both sides know each other by their certificates, or nothing is sent."""
    if not lib.shutil.which("openssl"):
        return lib.skip("push: TLS", "there is no openssl")
    file, server, client = sample("shop-requests"), certificate("server"), certificate("client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server)
    context.load_verify_locations(client[0])
    context.verify_mode = ssl.CERT_REQUIRED
    collector = batch.Collector(context)
    made = push(file, collector, "--ca", server[0], "--certificate", client[0], "--key", client[1])
    lib.check("push: with a certificate", made.returncode == 0 and len(collector.batches) == 1,
              made.stderr)
    sent = len(collector.heads)
    made = push(file, collector, "--cert", client[0], "--key", client[1])
    lib.check("push: a collector that nobody vouches for", made.returncode == 1 and
              b"certificate" in made.stderr, made.stderr)
    lib.equal("push: nothing was sent to it", len(collector.heads), sent)
    collector.end()


def refused():
    """What cannot be pushed, in one clear line."""
    collector = batch.Collector()
    shop, tagged = sample("shop"), sample("shop-requests")
    made = push(shop, collector)
    lib.check("push: no service", made.returncode == 1 and b"--service" in made.stderr and
              not collector.batches, made.stderr)
    made = push(shop, collector, "--service", "shop", "--tag", "version=9")
    told = list(collector.batches.values())
    lib.check("push: its service by option", made.returncode == 0 and
              all(s["service"] == "shop" and s["version"] == "9" for s in told[0].slices),
              made.stderr)
    with open(tagged, "rb") as whole, open(os.path.join(lib.work, "cut"), "wb") as cut:
        cut.write(whole.read()[:-40])
    made = push(cut.name, collector)
    lib.check("push: without an end", made.returncode == 1 and b"--partial" in made.stderr,
              made.stderr)
    made = push(cut.name, collector, "--partial")
    lib.check("push: without an end, on purpose", made.returncode == 0 and
              b"incomplete" in made.stderr, made.stderr)
    for name, options, told in (
            ("no recording", [token_like(), "--to", collector.url], b"not a pycost recording"),
            ("no file", [os.path.join(lib.work, "absent"), "--to", collector.url], b"No such file"),
            ("no URL", [shop, "--to", "collector:7680"], b"http://HOST:PORT"),
            ("a measured tag", [shop, "--to", collector.url, "--tag", "mode=exact"], b"mode"),
            ("an empty token", [shop, "--to", collector.url, "--token-file", "/dev/null"], b"empty")):
        made = lib.pycost("push", *options)
        lib.check("push: %s" % name, made.returncode and told in made.stderr, made.stderr)
    collector.end()


def token_like():
    return lib.script("text", "this is no recording at all\n")


if __name__ == "__main__":
    lib.run(answers, tls, refused, exact, sampled)

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the collector tells others: minutes to Prometheus, and by OTLP to a receiver whose messages are
decoded by protoc with OpenTelemetry's own descriptions of them (Debian's libopentelemetry-proto-dev)."""
import collections
import glob
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from serve_rig import TOP, Server, batches, check, finish, need_store, servers, skip, work

SECRET = "receiver-secret-0123456789"
SHOP, BANK, PUSH = "shop-token-0123456789", "bank-token-0123456789", "push-token-0123456789"


def file_of(text):
    path = tempfile.mktemp(dir=work)
    with open(path, "w") as f:
        f.write(text)
    return path


# ---- OpenTelemetry's messages, as text ----

def length(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def descriptors():
    """A FileDescriptorSet of what the package's C++ has in it; None where it is not to be had."""
    fetched = subprocess.run([TOP + "/tests/fetch.sh", "otlp"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)
    if fetched.returncode or not shutil.which("protoc"):
        return None
    out = b""
    top = fetched.stdout.split()[-1] + "/usr/include/opentelemetry/proto"
    for path in sorted(glob.glob(top + "/**/*.pb.cc", recursive=True)):
        with open(path, encoding="latin-1") as f:
            found = re.search(r'descriptor_table_protodef_\w+\[\][^=]*=\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', f.read())
        if found:
            literals = re.findall(r'"((?:[^"\\]|\\.)*)"', found.group(1))
            data = "".join(t.replace("\\?", "?") for t in literals).encode("latin-1").decode("unicode_escape")
            out += b"\x0a" + length(len(data)) + data.encode("latin-1")
    path = tempfile.mktemp(dir=work)
    with open(path, "wb") as f:
        f.write(out)
    return path if out else None


def decode(description, message, data):
    """{field: [value or {...}]}; a field that OpenTelemetry does not know has a number for a name."""
    r = subprocess.run(["protoc", "--descriptor_set_in=" + description,
                        "--decode=opentelemetry.proto.collector." + message], input=data,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if r.returncode:
        raise ValueError(r.stderr.decode())
    stack = [collections.defaultdict(list)]
    for line in r.stdout.decode().splitlines():
        line = line.strip()
        if line.endswith(" {"):
            stack.append(collections.defaultdict(list))
            stack[-2][line[:-2]].append(stack[-1])
        elif line == "}":
            stack.pop()
        else:
            key, value = line.split(": ", 1)
            if value.startswith('"'):
                value = value[1:-1].encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")
            stack[-1][key].append(value)
    return stack[0]


def names_in(message):
    for key, values in message.items():
        yield key
        for value in values:
            if isinstance(value, dict):
                yield from names_in(value)


def attributes(of):
    return {a["key"][0]: a["value"][0]["string_value"][0] if a["value"][0]["string_value"] else ""
            for a in of["attributes"]}


# ---- a receiver ----

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        r = self.server
        tries = r.tries[self.path] = r.tries[self.path] + 1
        status, answer = r.answers(self.path, tries)
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        if status == 200:
            r.got[self.path].append((dict(self.headers), body))

    def log_message(self, *_):
        pass


def receiver(answers):
    r = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    r.answers, r.tries, r.got = answers, collections.Counter(), collections.defaultdict(list)
    threading.Thread(target=r.serve_forever, daemon=True).start()
    r.url = "http://127.0.0.1:%d" % r.server_port
    return r


def early_in_minute():
    """What is of the last minute must be so a while longer."""
    if not 2 < time.time() % 60 < 35:
        time.sleep((62.5 - time.time() % 60) % 60)
    return int(time.time()) // 60 * 60 - 60


class Filled:
    """A store with the last minute of two services."""

    def __init__(self):
        self.begin = early_in_minute()
        self.shop = batches(3, begin=self.begin, functions=20) + batches(2, begin=self.begin, version="2.0")
        self.bank = batches(1, begin=self.begin, service="bank")
        s = Server("--set", "group.ms=0")
        for b in self.shop + self.bank:
            assert s.post(b).status == 200
        s.stop()
        self.store = s.store


def wait_for(what, seconds=40):
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.1)
    return what()


def of(given, key):
    return sum(getattr(b, key) for b in given)


# ---- metrics ----

def check_metrics(description, filled, got):
    headers, body = got
    check("metrics: head", headers["X-Key"] == SECRET and headers["Content-Type"] == "application/x-protobuf",
          sorted(headers))
    check_metrics_message(description, filled, body)


def check_metrics_message(description, filled, body):
    if not description:
        skip("metrics: decoded", "no protoc, or no libopentelemetry-proto-dev")
        return
    all_of = decode(description, "metrics.v1.ExportMetricsServiceRequest", body)
    check("metrics: no field that OpenTelemetry does not know", not [n for n in names_in(all_of) if n.isdigit()])
    sums = collections.Counter()
    buckets, good, users = collections.Counter(), True, 0
    for resource in all_of["resource_metrics"]:
        service = attributes(resource["resource"][0])["service.name"]
        for metric in resource["scope_metrics"][0]["metrics"]:
            name = metric["name"][0]
            kind = "sum" if metric["sum"] else "histogram" if metric["histogram"] else "gauge"
            data = metric[kind][0]
            if kind != "gauge":
                good &= data["aggregation_temporality"] == ["AGGREGATION_TEMPORALITY_DELTA"]
            for p in data["data_points"]:
                good &= p["start_time_unix_nano"] == [str(filled.begin * 10**9)]
                good &= p["time_unix_nano"] == [str((filled.begin + 60) * 10**9)]
                if kind == "histogram":
                    counts = [int(c) for c in p["bucket_counts"]]
                    good &= len(counts) == len(p["explicit_bounds"]) + 1 and sum(counts) == int(p["count"][0])
                    sums[service, name] += float(p["sum"][0])
                    for bound, count in zip(p["explicit_bounds"] + ["inf"], counts):
                        buckets[service, float(bound)] += count
                else:
                    sums[service, name] += float(p["as_double"][0])
                users += name == "pycost.users"
    check("metrics: delta, of that minute", good)
    check("metrics: users", users == 3, users)
    for service, given in (("shop", filled.shop), ("bank", filled.bank)):
        requests = of(given, "requests")
        check("metrics: requests of " + service, sums[service, "pycost.requests"] == requests, sums)
        check("metrics: cost of " + service, sums[service, "pycost.request.instructions"] == requests, sums)
        seconds = 0.003 * len(given) + 0.03 * (requests - len(given))
        check("metrics: latency of " + service, abs(sums[service, "pycost.request.latency"] - seconds) < 1e-6,
              (sums, seconds))
        want = {0.005: len(given), 0.05: requests - len(given)}
        have = {b: n for (s, b), n in buckets.items() if s == service and n}
        check("metrics: buckets of " + service, have == want, (have, want))


# ---- profiles ----

def number(message, key):
    return int(message[key][0]) if message[key] else 0


def stack_names(dictionary, index):
    text = dictionary["string_table"]
    for location in dictionary["stack_table"][index]["location_indices"]:
        line = dictionary["location_table"][int(location)]["lines"][0]
        function = dictionary["function_table"][number(line, "function_index")]
        yield text[number(function, "name_strindex")], number(function, "start_line")


def is_none(message):
    """Nothing is said in it; a message within, in which nothing is said, may be."""
    return all(isinstance(v, dict) and is_none(v) for values in message.values() for v in values)


def check_profiles(description, filled, body):
    if not description:
        skip("profiles: decoded", "no protoc, or no libopentelemetry-proto-dev")
        return
    all_of = decode(description, "profiles.v1development.ExportProfilesServiceRequest", body)
    d = all_of["dictionary"][0]
    check("profiles: no field that OpenTelemetry does not know", not [n for n in names_in(all_of) if n.isdigit()])
    nulls = [is_none(d[t][0]) for t in ("mapping_table", "location_table", "function_table",
                                                              "attribute_table", "stack_table")]
    check("profiles: the first of each table is none", all(nulls) and d["string_table"][0] == "" and d["link_table"],
          nulls)
    check("profiles: no string twice", len(set(d["string_table"])) == len(d["string_table"]))
    sums, ids, good = collections.Counter(), [], True
    for resource in all_of["resource_profiles"]:
        service = attributes(resource["resource"][0])["service.name"]
        for p in resource["scope_profiles"][0]["profiles"]:
            kind = d["string_table"][number(p["sample_type"][0], "type_strindex")]
            unit = d["string_table"][number(p["sample_type"][0], "unit_strindex")]
            ids += p["profile_id"]
            good &= number(p, "time_unix_nano") == filled.begin * 10**9 and number(p, "period") > 0
            good &= unit == "count" and number(p, "duration_nano") == 60 * 10**9
            mode = d["attribute_table"][int(p["attribute_indices"][0])]
            good &= d["string_table"][number(mode, "key_strindex")] == "pycost.mode"
            good &= mode["value"][0]["string_value"] == ["exact"]
            for sample in p["samples"]:
                sums[service, kind] += int(sample["values"][0])
                for name, line in stack_names(d, number(sample, "stack_index")):
                    good &= name == "shop.function_%d" % (line - 1)
    check("profiles: time, period, unit, mode, functions", good)
    check("profiles: an id each", len(ids) == 6 and len(set(ids)) == 6, ids)
    for service, given in (("shop", filled.shop), ("bank", filled.bank)):
        check("profiles: cost of " + service, sums[service, "instructions:u"] == of(given, "path_self"), sums)
        check("profiles: calls of " + service, sums[service, "calls"] == of(given, "calls"), sums)


def test_otlp(description):
    filled = Filled()
    # Away at first; then it takes metrics but for one point.
    r = receiver(lambda path, tries: (503, b"") if tries == 1
                 else (200, b"\x0a\x09\x08\x01\x12\x05short" if path == "/v1/metrics" else b""))
    s = Server("--set", "otlp.endpoint=" + r.url, "--set", "otlp.profiles=true", "--set", "export.late=1",
               "--set", "otlp.headers-file=" + file_of("X-Key: %s\n\nX-Other: 1\n" % SECRET), store=filled.store)
    wait_for(lambda: len(r.got) == 2)
    if not check("otlp: both came", sorted(r.got) == ["/v1/metrics", "/v1development/profiles"], s.log()):
        return
    check_metrics(description, filled, r.got["/v1/metrics"][0])
    check_profiles(description, filled, r.got["/v1development/profiles"][0][1])
    metrics = wait_for(lambda: (lambda m: m if m["pycost_serve_otlp_messages_total"] == 2 else None)(s.metrics()))
    check("otlp: counted", metrics and metrics["pycost_serve_otlp_errors_total"] == 2
          and metrics["pycost_serve_otlp_rejected_total"] == 1
          and metrics["pycost_serve_otlp_dropped_total"] == 0, metrics)
    check("otlp: the receiver's words", 'reason=short' in s.log(), s.log())
    late = batches(1, begin=filled.begin)[0]
    s.post(late)
    check("otlp: what comes too late is counted", s.metrics()["pycost_serve_batches_late_total"] == 1)
    check("otlp: no secret in logs", SECRET not in s.log())
    s.stop()


def test_refused():
    """What will never be taken is dropped; who does not answer holds nothing up."""
    filled = Filled()
    r = receiver(lambda path, tries: (400, b""))
    s = Server("--set", "otlp.endpoint=" + r.url, "--set", "export.late=1", store=filled.store)
    dropped = wait_for(lambda: s.metrics()["pycost_serve_otlp_dropped_total"])
    check("refused: dropped at once", dropped == 1 and r.tries["/v1/metrics"] == 1, (dropped, r.tries))
    s.stop()
    mute = socket.create_server(("127.0.0.1", 0))
    s = Server("--set", "otlp.endpoint=http://127.0.0.1:%d" % mute.getsockname()[1], "--set", "export.late=1",
               "--set", "otlp.profiles=true", "--set", "group.ms=0", store=filled.store)
    mute.settimeout(20)
    caught = [mute.accept()[0], mute.accept()[0]]
    began = time.monotonic()
    for b in batches(20, begin=filled.begin):
        s.post(b)
    check("mute receiver: batches are stored", time.monotonic() - began < 10)
    began = time.monotonic()
    s.stop()
    check("mute receiver: the end does not wait", time.monotonic() - began < 10)
    for c in caught + [mute]:
        c.close()
    for options, words in ((("otlp.endpoint=localhost:4318",), "must be http://"),
                           (("otlp.endpoint=http://x", "otlp.headers-file=" + file_of("secret\n")), ":1: a header")):
        try:
            Server(*[w for o in options for w in ("--set", o)]).stop()
            check("refused: " + words, False, "it started")
        except RuntimeError as e:
            check("refused: " + words, words in str(e), str(e))


# ---- Prometheus ----

def samples(text):
    return [(name, dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels)), float(value), stamp)
            for name, labels, value, stamp in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)(?: (\S+))?$", text, re.M)]


def total(text, name):
    return sum(v for n, _, v, _ in samples(text) if n == name)


def check_page(filled, s):
    page = s.get("/v1/aggregates")
    older = s.get("/v1/aggregates", Accept="text/plain")
    check("page: its types", "openmetrics" in page.headers["Content-Type"]
          and "0.0.4" in older.headers["Content-Type"])
    requests = of(filled.shop + filled.bank, "requests")
    check("page: requests", total(page.body, "pycost_minute_requests") == requests, page.body)
    check("page: the same in the older format", total(older.body, "pycost_minute_latency_seconds_gcount") == requests)
    stamps = {t for n, _, _, t in samples(page.body) if n == "pycost_minute_requests"}
    check("page: at the minute's end", stamps == {str(filled.begin + 60)}, stamps)
    one = s.get("/v1/aggregates?where=" + urllib.parse.quote("service=bank"))
    check("page: where", total(one.body, "pycost_minute_requests") == of(filled.bank, "requests"), one.body)
    check("page: nothing but where", s.get("/v1/aggregates?since=1h").status == 400)
    tool = shutil.which("promtool")
    if tool:
        r = subprocess.run([tool, "check", "metrics"], input=older.body, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        check("page: promtool", r.returncode == 0, r.stdout)
    else:
        skip("page: promtool", "there is none: it is in Debian's package prometheus")
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
        kinds = {f.name: f.type for f in text_string_to_metric_families(page.body)}
        check("page: OpenMetrics", kinds["pycost_minute_latency_seconds"] == "gaugehistogram", kinds)
    except ImportError:
        skip("page: OpenMetrics", "no python3-prometheus-client")


def test_prometheus():
    filled = Filled()
    s = Server("--set", "export.late=1", store=filled.store)
    check_page(filled, s)
    if not shutil.which("prometheus"):
        skip("prometheus", "there is none: it is in Debian's package prometheus")
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    config = file_of("scrape_configs:\n- job_name: pycost\n  scrape_interval: 1s\n  metrics_path: /v1/aggregates\n"
                     "  honor_timestamps: true\n  static_configs:\n  - targets: ['127.0.0.1:%d']\n" % s.port)
    p = subprocess.Popen(["prometheus", "--config.file=" + config, "--web.listen-address=" + address,
                          "--storage.tsdb.path=" + tempfile.mkdtemp(dir=work)], stderr=subprocess.DEVNULL)

    def ask(query):
        try:
            url = "http://%s/api/v1/query?%s" % (address, urllib.parse.urlencode({"query": query}))
            with urllib.request.urlopen(url) as f:
                return {r["metric"].get("service"): float(r["value"][1]) for r in json.load(f)["data"]["result"]}
        except OSError:
            return {}
    wait_for(lambda: ask("count_over_time(up[1m]) >= 4"))
    want = {"shop": of(filled.shop, "requests"), "bank": of(filled.bank, "requests")}
    got = ask("sum by (service) (sum_over_time(pycost_minute_requests[5m]))")
    check("prometheus: each minute once, however often it is scraped", got == want, (got, want))
    got = ask("histogram_quantile(0.5, sum by (service, le) (sum_over_time(pycost_minute_latency_seconds_bucket[5m])))")
    check("prometheus: quantiles", len(got) == 2 and all(0.025 <= v <= 0.05 for v in got.values()), got)
    p.terminate()
    p.wait()
    s.stop()


def test_limits():
    begin = early_in_minute()
    tokens = file_of("tokens:\n" + "".join(
        "- {name: %s, token: %s, services: [%s], may: [%s]}\n" % row
        for row in (("shop", SHOP, "shop", "query, push"), ("bank", BANK, "bank", "query, push"),
                    ("push", PUSH, "'*'", "push, metrics"))))
    s = Server("--set", "export.series=2", "--set", "export.late=1", "--set", "tokens=" + tokens)
    given = [b for n in range(5) for b in batches(1, begin=begin, version="v%d" % n)]
    for b in given:
        s.post(b, token=SHOP)
    s.post(batches(1, begin=begin, service="bank", requests=1)[0], token=BANK)
    page = s.get("/v1/aggregates", Authorization="Bearer " + SHOP).body
    rows = [(labels["service"], labels["version"], value) for name, labels, value, _ in samples(page)
            if name == "pycost_minute_requests"]
    check("limits: rows", len(rows) == 3 and rows[2][:2] == ("shop", "other"), rows)
    check("limits: nothing is lost", sum(r[2] for r in rows) == of(given, "requests"), rows)
    check("limits: the largest are kept", sorted((b.requests for b in given), reverse=True)[:2]
          == [r[2] for r in rows[:2]], rows)
    # Three rows, and users of three versions.
    check("limits: told", total(page, "pycost_minute_cut") == 6, page)
    counted = s.metrics(Authorization="Bearer " + PUSH)["pycost_serve_export_cut_total"]
    check("limits: counted", counted == 6, counted)
    check("limits: no other's", "bank" not in page)
    check("limits: a token that may not query", s.get("/v1/aggregates", Authorization="Bearer " + PUSH).status == 403)
    check("limits: none", s.get("/v1/aggregates").status == 401)
    s.stop()


def main():
    need_store("otlp")
    description = descriptors()
    for test in (lambda: test_otlp(description), test_refused, test_prometheus, test_limits):
        try:
            test()
        except Exception as e:  # one that breaks must not hide the others
            check("test", False, "%s: %s" % (type(e).__name__, e))
    logs = "".join(s.log() for s in servers)
    check("logs: no secret", not any(t in logs for t in (SECRET, SHOP, BANK, PUSH)))
    finish()


if __name__ == "__main__":
    main()

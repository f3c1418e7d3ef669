#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the collector sends by OTLP, taken by programs that others wrote: VictoriaMetrics, and, with
PYCOST_TEST_LONG=1, an OpenTelemetry Collector, which takes it apart, and tells on what it understood."""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import otlp
from otlp import Filled, descriptors, file_of, of, receiver, wait_for
from serve_rig import TOP, Server, check, finish, need_store, skip, work

sys.path.insert(0, TOP + "/tests/e2e")
import lib  # noqa: E402


def fetched(name):
    r = subprocess.run([TOP + "/tests/fetch.sh", name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if r.returncode:
        skip(name, r.stderr.strip().splitlines()[-1])
        return None
    return r.stdout.split()[-1]


class Other:
    """A program of a root of tests/fetch.sh; what it says goes to a file."""

    def __init__(self, root, *command):
        self.path = tempfile.mktemp(dir=work)
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen([root + "/enter", *command], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=work)

    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def up(self, word):
        if not wait_for(lambda: word in self.log() or self.process.poll() is not None) \
                or self.process.poll() is not None:
            self.end()
            raise RuntimeError("it does not start: " + self.log()[-500:])
        return self

    def end(self):
        self.process.terminate()
        self.process.wait(30)


def exporter(filled, endpoint, *options):
    return Server("--set", "otlp.endpoint=" + endpoint, "--set", "export.late=1", *options, store=filled.store)


def told(s, messages):
    m = wait_for(lambda: (lambda m: m if m["pycost_serve_otlp_messages_total"] >= messages else None)(s.metrics()))
    check("%d messages, none refused" % messages, m and m["pycost_serve_otlp_errors_total"] == 0
          and m["pycost_serve_otlp_rejected_total"] == 0, (m, s.log()[-500:]))


# ---- OpenTelemetry's own collector ----

OTELCOL = """
receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:%d'}}}}
exporters:
  debug: {verbosity: normal}
  otlp_http:
    endpoint: %s
    compression: none
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
  otlp_http/json:
    endpoint: %s/json
    encoding: json
    compression: none
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [otlp], exporters: [debug, otlp_http, otlp_http/json]}
    profiles: {receivers: [otlp], exporters: [debug, otlp_http, otlp_http/json]}
"""


def json_sums(body):
    """{(service, metric): what its points come to}, by the Collector's own words for them."""
    sums = collections.Counter()
    for resource in json.loads(body)["resourceMetrics"]:
        service = {a["key"]: a["value"]["stringValue"] for a in resource["resource"]["attributes"]}["service.name"]
        for metric in resource["scopeMetrics"][0]["metrics"]:
            data = metric.get("sum") or metric.get("histogram") or metric["gauge"]
            for p in data["dataPoints"]:
                sums[service, metric["name"]] += p.get("asDouble", p.get("sum", 0))
    return sums


def json_profiles(body):
    """{(service, sample type): what its samples come to}, and the leaves' names."""
    all_of, sums, names = json.loads(body), collections.Counter(), set()
    d = all_of["dictionary"]
    text = d["stringTable"]
    for resource in all_of["resourceProfiles"]:
        service = {a["key"]: a["value"]["stringValue"] for a in resource["resource"]["attributes"]}["service.name"]
        for p in resource["scopeProfiles"][0]["profiles"]:
            for s in p["samples"]:
                sums[service, text[p["sampleType"]["typeStrindex"]]] += int(s["values"][0])
                leaf = d["locationTable"][d["stackTable"][s.get("stackIndex", 0)]["locationIndices"][0]]
                names.add(text[d["functionTable"][leaf["lines"][0]["functionIndex"]]["nameStrindex"]])
    return sums, names


def test_otelcol(description):
    if os.environ.get("PYCOST_TEST_LONG") != "1":
        skip("otelcol", "built in minutes: PYCOST_TEST_LONG=1")
        return
    root = fetched("otelcol")
    if not root:
        return
    filled = Filled()
    behind = receiver(lambda path, tries: (200, b"{}" if "/json" in path else b""))
    port = lib.free_port()
    config = file_of(OTELCOL % (port, behind.url, behind.url))
    other = Other(root, "otelcol", "--config", "file:" + config, "--feature-gates=service.profilesSupport"
                  ).up("Everything is ready")
    s = exporter(filled, "http://127.0.0.1:%d" % port, "--set", "otlp.profiles=true")
    try:
        told(s, 2)
        wait_for(lambda: len(behind.got) == 4)
        if not check("otelcol: it tells on all of it", len(behind.got) == 4, (sorted(behind.got), other.log())):
            return
        by = {("json " if path.startswith("/json") else "") + path.rsplit("/", 1)[1]: got[0][1]
              for path, got in behind.got.items()}
        otlp.check_metrics_message(description, filled, by["metrics"])
        otlp.check_profiles(description, filled, by["profiles"])
        sums = json_sums(by["json metrics"])
        profiles, names = json_profiles(by["json profiles"])
        for service, given in (("shop", filled.shop), ("bank", filled.bank)):
            check("otelcol: its own words for %s's requests" % service,
                  sums[service, "pycost.requests"] == of(given, "requests"), sums)
            check("otelcol: its own words for %s's cost" % service,
                  profiles[service, "instructions:u"] == of(given, "path_self"), profiles)
            check("otelcol: its own words for %s's calls" % service,
                  profiles[service, "calls"] == of(given, "calls"), profiles)
        check("otelcol: its own words for functions", names and all(
            re.fullmatch(r"shop\.function_\d+", n) for n in names), names)
        check("otelcol: it complains of nothing", not re.search(r"\t(error|warn)\t", other.log()), other.log())
    finally:
        s.stop()
        other.end()


# ---- VictoriaMetrics ----

def test_victoria(_):
    root = fetched("victoria")
    if not root:
        return
    filled = Filled()
    port = lib.free_port()
    url = "http://127.0.0.1:%d" % port
    other = Other(root, "victoria-metrics", "-storageDataPath=" + tempfile.mkdtemp(dir=work),
                  "-httpListenAddr=127.0.0.1:%d" % port, "-retentionPeriod=1d", "-search.latencyOffset=0s",
                  "-memory.allowedBytes=64MiB").up("started server at")
    s = exporter(filled, url + "/opentelemetry")

    def ask(query):
        with urllib.request.urlopen(url + "/internal/force_flush"):
            pass
        asked = urllib.parse.urlencode({"query": query, "time": filled.begin + 61})
        with urllib.request.urlopen("%s/api/v1/query?%s" % (url, asked)) as f:
            return {r["metric"].get("service.name"): float(r["value"][1]) for r in json.load(f)["data"]["result"]}
    try:
        told(s, 1)
        wait_for(lambda: ask('count_over_time({__name__="pycost.users"}[5m])'), 10)
        want = {"shop": of(filled.shop, "requests"), "bank": of(filled.bank, "requests")}
        for name in ("pycost.requests", "pycost.request.instructions", "pycost.request.latency_count"):
            got = ask('sum by ("service.name") (sum_over_time({__name__="%s"}[5m]))' % name)
            check("victoria: " + name, got == want, (got, want))
        got = ask('histogram_quantile(0.5, sum by ("service.name", le) '
                  '(sum_over_time({__name__="pycost.request.latency_bucket"}[5m])))')
        check("victoria: quantiles", len(got) == 2 and all(0.025 <= v <= 0.05 for v in got.values()), got)
        got = ask('count by ("service.name") (last_over_time({__name__="pycost.users"}[5m]))')
        check("victoria: users of each version", got == {"shop": 2, "bank": 1}, got)
    finally:
        s.stop()
        other.end()


def main():
    need_store("otlp_others")
    description = descriptors()
    for test in (test_victoria, test_otelcol):
        try:
            test(description)
        except Exception as e:  # one that breaks must not hide the others
            check(test.__name__, False, "%s: %s" % (type(e).__name__, e))
    finish()


if __name__ == "__main__":
    main()

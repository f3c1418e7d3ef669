#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings of requests: counts by endpoint and tag, what is kept of them and what is
not, the lives of workers; the same in each mode that requests are seen beside.
"""
import http.client
import json
import os
import signal
import subprocess

import lib

PREFORK = os.path.join(lib.TOP, "tests", "web", "prefork.py")
SECRETS = ("hush-hush", "alice", "bob", "eve", "sesame", "not-asked-for")
CONFIG = """\
routes:
  - /leak/*
  - pattern: /shop/**
    method: GET
    name: the shop
fields:
  - header: X-Platform
    as: platform
  - header: X-User
    as: user
    user: true
  - cookie: sid
  - header: User-Agent
    client: true
  - argument: page
tags:
  service: prefork
  commit: { env: GIT_COMMIT }
user-key: %s
"""


class Server:
    def __init__(self, workers, life, version="3.15"):
        self.port = lib.free_port()
        self.process = lib.start(*lib.python(version, PREFORK, self.port, workers, life),
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 env=dict(os.environ, GIT_COMMIT="c0ffee", SECRET="not-asked-for"))
        line = self.process.stdout.readline().decode().split()
        self.workers = [int(pid) for pid in line[1:]]
        self.pids = [self.process.pid] + self.workers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """With its workers, which no one else ends."""
        self.process.terminate()
        self.process.wait(lib.PATIENCE)

    def get(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=lib.PATIENCE)
        connection.request(method, path, headers={name.replace("_", "-"): value
                                                  for name, value in headers.items()})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status


def recording(server, *arguments):
    made = lib.Recording("-p", ",".join(map(str, server.pids)), *arguments)
    lib.until(lambda: made.process.poll() is not None or made.serves(), "nothing is measured")
    return made


def table(file, *options):
    made = lib.pycost("requests", file, "--format", "json", *options)
    if made.returncode:
        raise AssertionError("requests: " + made.stderr.decode())
    return json.loads(made.stdout)


def counts(file, *by):
    rows = table(file, "--by", ",".join(by))["rows"]
    return {tuple(row["keys"][field] or "" for field in by): row["requests"] for row in rows}


def config_file():
    key, config = os.path.join(lib.work, "key"), os.path.join(lib.work, "requests.yaml")
    with open(key, "w") as file:
        file.write("0123456789abcdef0123456789abcdef")
    with open(config, "w") as file:
        file.write(CONFIG % key)
    return config


def ask(server):
    """28 requests of known kinds."""
    for number in range(10):
        server.get("/leak/1?page=%d" % (number % 2), X_Platform="ios" if number % 2 else "android",
                   X_User="alice" if number < 6 else "bob", Cookie="a=b; sid=sesame; c=d",
                   User_Agent="Shop/5.12.3 (iPhone)", Authorization="Basic hush-hush")
    for number in range(8):
        server.get("/shop/%d/cart" % number, X_User="eve")
    for _ in range(3):
        server.get("/shop/7/cart", "POST")
    for number in range(4):
        server.get("/item/%d" % number)
    for _ in range(3):
        server.get("/missing")


ENDPOINTS = {("GET /leak/*", "200"): 10, ("GET the shop", "200"): 8, ("POST /shop/*/cart", "200"): 3,
             ("GET /item/*", "200"): 4, ("GET /missing", "404"): 3}


def kept():
    """What is told, and what is nowhere in the file."""
    with Server(2, 1000) as server:
        kept_of(server, config_file())


def kept_of(server, config):
    record = recording(server, "--requests-only", "--config", config)
    ask(server)
    record.stop()
    lib.equal("requests by endpoint and status", counts(record.file, "endpoint", "status"), ENDPOINTS)
    lib.equal("by a header", counts(record.file, "platform"),
              {("ios",): 5, ("android",): 5, ("",): 18})
    lib.equal("by an argument", counts(record.file, "page"), {("0",): 5, ("1",): 5, ("",): 18})
    lib.equal("by the client", counts(record.file, "client.platform", "client.version"),
              {("ios", "Shop 5.12"): 10, ("", ""): 18})
    users = counts(record.file, "user")
    lib.equal("users are told apart", sorted(users.values()), [4, 6, 8, 10])
    lib.check("users are hashes", all(len(user) == 16 for user, in users if user), users)
    lib.equal("a cookie is a hash", sorted((len(sid), n) for (sid,), n in
                                           counts(record.file, "sid").items()), [(0, 18), (16, 10)])
    lib.equal("by a variable", counts(record.file, "commit"), {("c0ffee",): 28})
    told = table(record.file)
    lib.equal("a tag of all", told["tags"].get("service"), "prefork")
    losses = {kind: n for kind, n in told["losses"].items() if n and kind != "slices"}
    lib.equal("nothing was lost", losses, {})
    with open(record.file, "rb") as file:
        content = file.read()
    found = [secret for secret in SECRETS if secret.encode() in content]
    lib.equal("no secret is in the file", found, [])
    # The same key, the same hashes; a key made up, others.
    again = recording(server, "--requests-only", "--config", config)
    ask(server)
    again.stop()
    lib.equal("hashes can be compared", counts(again.file, "user"), users)
    other = recording(server, "--requests-only", "--field", "header:x-user=user,user")
    ask(server)
    other.stop()
    shared = {user for user, in counts(other.file, "user")} & {user for user, in users} - {""}
    lib.equal("without a key they cannot", shared, set())


def lives():
    """Who died of what, who took its place, and what each served."""
    with Server(2, 10) as server:
        record = recording(server, "--requests-only")
        for _ in range(20):
            server.get("/x")
        # Both have served their ten, but for how they took turns.
        for _ in range(4):
            server.get("/leak/4096")
        server.get("/die/%d" % signal.SIGKILL)
        server.get("/x")
        record.stop()
    told = table(record.file, "--workers")["workers"]
    lib.equal("each request is of one of them", sum(worker["requests"] for worker in told), 26)
    lib.check("who has served enough exits",
              all(worker["requests"] == 10 for worker in told if worker["end"] == "exit 3") and
              any(worker["end"] == "exit 3" for worker in told), told)
    killed = [worker for worker in told if worker["end"] == "killed by SIGKILL"]
    lib.equal("one was killed", len(killed), 1)
    ended = [worker for worker in told if worker["died_ns"]]
    born = [worker for worker in told if worker["born_ns"]]
    lib.equal("each that ended has a successor", len(born), len(ended))
    lib.check("of the master", all(worker["ppid"] == server.process.pid for worker in born), born)
    lib.check("costs add up", all(0 < worker["request_cost"] <= worker["cost"] * 1.01
                                  for worker in told if worker["requests"] and worker["died_ns"]), told)
    grown = sum(worker["last_rss"] - worker["birth_rss"] for worker in told)
    lib.check("what they keep shows", grown > 10 << 20, "%d bytes" % grown)


def beside(name, *arguments):
    with Server(2, 1000) as server:
        record = recording(server, "--config", config_file(), *arguments)
        ask(server)
        record.stop()
    lib.equal("%s: the same requests" % name, counts(record.file, "endpoint", "status"), ENDPOINTS)


def modes():
    beside("samples", "--mode", "sample", "--rate", "1000", "--requests")
    beside("exact", "--requests")


def launched():
    """A command, from its first request on."""
    port = lib.free_port()
    record = lib.Recording("--requests-only", "--", *lib.python("3.15", PREFORK, port, 1, 3),
                           stdout=subprocess.DEVNULL)

    def answers():
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/x")
            return connection.getresponse().status == 200
        except OSError:
            return False

    lib.until(answers, "no answer")
    for _ in range(9):
        lib.until(answers, "no answer")
    record.process.send_signal(signal.SIGINT)
    record.wait()
    lib.equal("a command: each request", sum(counts(record.file, "endpoint").values()), 10)
    told = table(record.file, "--workers")["workers"]
    lib.equal("a command: its workers' ends", [worker["end"] for worker in told].count("exit 3"), 3)
    os.kill(next(worker["ppid"] for worker in told if worker["end"] == "exit 3"), signal.SIGTERM)


lib.run(kept, lives, modes, launched)

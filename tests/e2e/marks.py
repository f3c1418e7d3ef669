#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Marks: what applications say of their requests, by sys.audit and by the middleware."""
import concurrent.futures
import os
import shutil
import signal
import subprocess
import time
import urllib.request

import lib
import rig

# Roots have /tmp, but not the checkout.
MIDDLEWARE = shutil.copytree(os.path.join(lib.TOP, "deploy", "middleware"),
                             os.path.join(lib.work, "middleware"))
VERSIONS = ["3.9", "3.11", "3.13", "3.14", "3.15"]
FRAMEWORKS = ["3.11", "3.15"]
MARKED, CUT = 0x80, 0x8
MARKED_PROTOCOL = 3

PLAIN = '''
import sys
sys.path.insert(0, sys.argv[2])
import pycost_marks
from wsgiref.simple_server import WSGIRequestHandler, make_server

def nested():
    with pycost_marks.task("within", inner="1"):
        with pycost_marks.task("deeper"):
            pass

def text(value):
    pycost_marks.endpoint("/text", value=value)

VIEWS = {
    "/plain": lambda: None,
    "/endpoint": lambda: pycost_marks.endpoint("/endpoint/<id>", arm="B", flags={"y", "x"}),
    "/tags": lambda: (pycost_marks.tag(a=1), pycost_marks.tag(b=2, a=3)),
    "/user": lambda: pycost_marks.user("me@example.org"),
    "/keyless": lambda: pycost_marks.endpoint(""),
    "/latin": lambda: text("Gr\\xfc\\xdfe \\xb5\\xff"),
    "/wide": lambda: text("\\u65e5\\u672c \\u0416 x"),
    "/astral": lambda: text("\\U0001f40d!"),
    "/long": lambda: text("a" * 300),
    "/long-wide": lambda: text("\\u65e5" * 300),
    "/nul": lambda: text("a\\0b"),
    "/surrogate": lambda: text("\\ud800x"),
    "/bytes": lambda: sys.audit("pycost.endpoint", "Gr\\xfc\\xdfe".encode(), "k", b"v"),
    "/types": lambda: (sys.audit("pycost.endpoint"), sys.audit("pycost.endpoint", 7, None, 8.0),
                       sys.audit("pycost.tag", "odd"), sys.audit("pycost.tag", ("t",), {}),
                       sys.audit("pycost.request.end"), sys.audit("pycost.request.end", "700", 1),
                       sys.audit("pycost.", "x", "y"), sys.audit("pycost.tagged", "x", "y")),
    "/many": lambda: [pycost_marks.tag(**{"k%d" % i: "v" * 60}) for i in range(50)],
    "/pairs": lambda: pycost_marks.tag(**{"k%d" % i: "v" for i in range(50)}),
    "/nested": nested,
    "/ends": lambda: [pycost_marks.end("1") for i in range(9)],
}

def app(environ, start_response):
    VIEWS[environ["PATH_INFO"]]()
    start_response("200 OK", [])
    return [b"ok"]

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

if __name__ == "__main__":
    server = make_server("127.0.0.1", int(sys.argv[1]), app, handler_class=Quiet)
    print("READY", flush=True)
    server.serve_forever()
'''

DJANGO = '''
import os, sys
sys.path.insert(0, os.environ["MIDDLEWARE"])
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path, re_path

def tags(request):
    return {"arm": request.GET.get("arm"), "flags": ["new", "fast"]}

class User:
    pk = 42

def signs_in(get_response):
    """Stands for django.contrib.auth, which would want a database."""
    def middleware(request):
        request._cached_user = User()
        return get_response(request)
    return middleware

settings.configure(
    SECRET_KEY="for tests alone", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    MIDDLEWARE=["pycost_marks.django.Marks", __name__ + ".signs_in"],
    PYCOST_MARKS={"user": True, "user_key": "secret", "tags": __name__ + ".tags"})
django.setup()

def view(request, **named):
    return HttpResponse("ok")

urlpatterns = [path("", view), path("shop/<int:pk>/", view, name="product"),
               re_path("^old/([0-9]+)$", lambda request, n: view(request))]
app = get_wsgi_application()
'''

CELERY = '''
import os, sys
sys.path.insert(0, os.environ["MIDDLEWARE"])
import celery
import pycost_marks.celery
where = os.environ["WHERE"]
app = celery.Celery("work", broker="filesystem://")
app.conf.update(broker_transport_options={"data_folder_in": where, "data_folder_out": where},
                task_ignore_result=True, worker_hijack_root_logger=False)
pycost_marks.celery.connect(tags=lambda task: {"queue": "first"})

@app.task(name="work.sum_up")
def sum_up(n):
    pycost_marks.tag(n=n)
    return sum(range(n))

@app.task(name="work.fail")
def fail():
    raise KeyError("wanted")
'''

COMMAND = '''
import os, sys
sys.path.insert(0, os.environ["MIDDLEWARE"])
from django.conf import settings
settings.configure()
import django
django.setup()
from django.core.management import call_command
from django.core.management.base import BaseCommand
from pycost_marks.django import MarkedCommand
import pycost_marks

class Command(MarkedCommand, BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--fail", action="store_true")
    def handle(self, *arguments, **options):
        pycost_marks.tag(rows=7)
        sum(range(300000))
        if options["fail"]:
            raise KeyError

Command.__module__ = "shop.management.commands.reindex"
print("READY", flush=True)
sys.stdin.readline()
call_command(Command())
try:
    call_command(Command(), fail=True)
except KeyError:
    pass
print("DONE", flush=True)
sys.stdin.readline()
'''


POOL = '''
import os, sys, time
sys.path.insert(0, os.environ["MIDDLEWARE"])
import pycost_marks
from pycost_marks.wsgi import Marks

def application(environ, start_response):
    time.sleep(0.01)
    pycost_marks.tag(who=environ["PATH_INFO"][3:])
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

app = Marks(application, tags=lambda e: {"first": e["PATH_INFO"][3:]},
            endpoint=lambda e: e["PATH_INFO"][:3] + "<n>")
'''

ASGI = '''
import asyncio, os, sys
sys.path.insert(0, os.environ["MIDDLEWARE"])
import pycost_marks
from pycost_marks.asgi import Marks
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def view(request):
    n = request.path_params["n"]
    pycost_marks.tag(before=n)
    await asyncio.sleep(0.01 * (n % 7))
    pycost_marks.tag(after=n)
    return PlainTextResponse("ok")

async def home(request):
    return PlainTextResponse("ok")

app = Marks(Starlette(routes=[Route("/", home), Route("/a/{n:int}", view),
                              Route("/b/{n:int}", view)]),
            tags=lambda scope: {"path": scope["path"]})
'''


def get(port, path):
    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path)) as answer:
        return answer.read()


def started(version, program, *arguments, **environment):
    """A program that says READY, under an interpreter of its own."""
    process = lib.start(*rig.own_python(version), program, *arguments, stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        env=dict(os.environ, PYTHONHOME="/usr", PYTHONDONTWRITEBYTECODE="1",
                                 **environment))
    line = process.stdout.readline()
    if line != b"READY\n":
        raise AssertionError(line)
    return process


def seen_plain(version):
    port = lib.free_port()
    server = started(version, lib.script("plain.py", PLAIN), str(port), MIDDLEWARE)
    watch = rig.Rig("-a", server.pid)
    paths = ["/plain", "/endpoint", "/tags", "/user", "/keyless", "/latin", "/wide", "/astral",
             "/long", "/long-wide", "/nul", "/surrogate", "/bytes", "/types", "/many", "/pairs",
             "/nested", "/ends", "/plain"]
    for path in paths:
        get(port, path)
    watch.end()
    title = "marks %s: " % version
    lib.equal(title + "each request once", [r["path"] for r in watch.requests], paths)
    lib.equal(title + "nothing lost", watch.lost, {})
    lib.check(title + "status and protocol stay",
              all((r["status"], r["protocol"]) == (200, 1) for r in watch.requests), watch.requests)
    return {r["path"]: r for r in watch.requests}


def plain():
    """Every kind of text and of wrong use, each at its request and nowhere else."""
    for version in VERSIONS:
        seen = seen_plain(version)
        title = "marks %s: " % version
        marks = {path: rig.marks(r) for path, r in seen.items()}
        routes = {path: rig.text(r["route"]) for path, r in seen.items() if r["flags"] & MARKED}
        expected = {path: "/text" for path in ("/latin", "/wide", "/astral", "/long", "/nul",
                                               "/long-wide", "/surrogate")}
        expected.update({"/endpoint": "/endpoint/<id>", "/bytes": "Grüße"})
        lib.equal(title + "endpoints", routes, expected)
        lib.equal(title + "tags", [marks[p] for p in ("/endpoint", "/tags", "/user", "/bytes")],
                  [{"arm": "B", "flags": "x,y"}, {"a": "3", "b": "2"},
                   {"user": "me@example.org"}, {"k": "v"}])
        lib.equal(title + "texts", [marks[p]["value"] for p in ("/latin", "/wide", "/astral", "/nul")],
                  ["Grüße µÿ", "日本 Ж x", "\U0001f40d!", "a"])
        lib.equal(title + "what is too long is cut, and says so",
                  [(marks[p]["value"], bool(seen[p]["flags"] & CUT)) for p in ("/long", "/long-wide")],
                  [("a" * 127, True), ("日" * 42, True)])
        lib.equal(title + "none where there is none, or no sense",
                  [(marks[p], seen[p]["flags"] & (MARKED | CUT)) for p in ("/plain", "/keyless", "/types", "/ends")],
                  [({}, 0)] * 4)
        lib.check(title + "no more than there is room for",
                  5 <= len(marks["/many"]) < 10 and seen["/many"]["flags"] & CUT
                  and len(marks["/pairs"]) == 8, (marks["/many"], marks["/pairs"]))
        lib.equal(title + "a task within a request is a part of it", marks["/nested"],
                  {"inner": "1", "outcome": "ok"})
        lib.check(title + "a class is of the endpoint's name",
                  len({seen[p]["class"] for p in ("/latin", "/wide", "/long")}) == 1
                  and len({r["class"] for r in seen.values()}) == len(seen) - 6,
                  {p: r["class"] for p, r in seen.items()})


def django():
    """Django under gunicorn: routes, tags, who it is; with a key, no name leaves the worker."""
    for version in FRAMEWORKS:
        port = lib.free_port()
        lib.script("site_%s.py" % version.replace(".", ""), DJANGO)
        server = lib.start(*lib.python(version, "-m", "gunicorn", "--bind", "127.0.0.1:%d" % port,
                                       "--workers", "2", "--log-level", "critical",
                                       "site_%s:app" % version.replace(".", "")),
                           cwd=lib.work, env=dict(os.environ, MIDDLEWARE=MIDDLEWARE,
                                                  PYTHONDONTWRITEBYTECODE="1"))
        lib.until(lambda: answers(port), "gunicorn does not answer")
        children = [int(pid) for pid in subprocess.run(
            ["pgrep", "-P", str(server.pid)], stdout=subprocess.PIPE).stdout.split()]
        watch = rig.Rig("-a", server.pid, *children)
        # Those that take their places are born while all is watched.
        for child in children:
            os.kill(child, signal.SIGTERM)
        lib.until(lambda: not any(map(lib.alive, children)) and answers(port), "new workers")
        for n in range(20):
            get(port, "/shop/%d/?arm=%s" % (n, "AB"[n % 2]))
            get(port, "/old/%d" % n)
            get(port, "/")
        watch.end()
        server.send_signal(signal.SIGTERM)
        server.wait()
        title = "django %s: " % version
        told = [(r["path"], rig.text(r["route"]), rig.marks(r)) for r in watch.requests
                if r["pid"] not in children]
        lib.check(title + "each request once, by workers born since", 60 <= len(told) <= 61,
                  len(told))
        names = {fact["module"] for fact in watch.imports}
        lib.check(title + "their imports as they start", "asgiref.sync"
                  in names and "django" in names, sorted(names)[:50])
        routes = {(path.strip("/").partition("/")[0], route) for path, route, _ in told}
        lib.equal(title + "routes", routes, {
            ("shop", "/shop/<int:pk>/"), ("old", "^old/([0-9]+)$"), ("", "/")})
        arms = {(int(path.split("/")[2]) % 2, marks.get("arm")) for path, _, marks in told
                if path.startswith("/shop")}
        lib.equal(title + "each request's own tags", arms, {(0, "A"), (1, "B")})
        users = {(marks.get("user"), marks.get("user_hash") is not None, marks.get("flags"))
                 for _, _, marks in told}
        lib.equal(title + "a user is a hash", users, {(None, True, "new,fast")})
        lib.equal(title + "nothing lost", watch.lost, {})


def answers(port):
    try:
        return get(port, "/")
    except OSError:
        return None


def pooled():
    """One thread reads requests, others work for them: it is not known for which."""
    for version in FRAMEWORKS:
        port = lib.free_port()
        lib.script("pool.py", POOL)
        server = lib.start(*lib.python(version, "-m", "waitress", "--listen",
                                       "127.0.0.1:%d" % port, "--threads", "4", "pool:app"),
                           cwd=lib.work, env=dict(os.environ, MIDDLEWARE=MIDDLEWARE,
                                                  PYTHONDONTWRITEBYTECODE="1"),
                           stderr=subprocess.DEVNULL)
        lib.until(lambda: answers(port), "waitress does not answer")
        watch = rig.Rig("-a", server.pid)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda n: get(port, "/%s/%d" % ("ab"[n % 2], n)), range(60)))
        watch.end()
        server.send_signal(signal.SIGTERM)
        server.wait()
        title = "waitress %s: " % version
        told = {r["path"]: (rig.text(r["route"]), rig.marks(r)) for r in watch.requests}
        lib.equal(title + "each request once", (len(watch.requests), len(told)), (60, 60))
        wrong = {path: (route, marks) for path, (route, marks) in told.items()
                 if marks and (route, marks) != (path[:3] + "<n>",
                                                 {"first": path[3:], "who": path[3:]})}
        lib.check(title + "none has another's marks", not wrong,
                  "%d of %d have: %s" % (len(wrong), len(told), sorted(wrong.items())[:4]))


def interleaved():
    """An event loop, with requests that take turns: each mark is its own request's."""
    for version in FRAMEWORKS:
        port = lib.free_port()
        lib.script("asgi_site.py", ASGI)
        server = lib.start(*lib.python(version, "-m", "uvicorn", "--port", str(port), "--log-level",
                                       "critical", "--loop", "asyncio", "asgi_site:app"),
                           cwd=lib.work, env=dict(os.environ, MIDDLEWARE=MIDDLEWARE,
                                                  PYTHONDONTWRITEBYTECODE="1"))
        lib.until(lambda: answers(port), "uvicorn does not answer")
        watch = rig.Rig("-a", server.pid)
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda n: get(port, "/%s/%d" % ("ab"[n % 2], n)), range(60)))
        watch.end()
        server.send_signal(signal.SIGTERM)
        server.wait()
        # An older Starlette does not tell the route.
        endpoint = "/%s/{n:int}" if version == "3.15" else "asgi_site.view%.0s"
        judge_apart("uvicorn %s: " % version, watch, endpoint, lambda n: {
            "path": "/%s/%d" % ("ab"[n % 2], n), "before": str(n), "after": str(n)})


def judge_apart(title, watch, endpoint, expected):
    told = {r["path"]: (rig.text(r["route"]), rig.marks(r)) for r in watch.requests}
    lib.equal(title + "each request once", (len(watch.requests), len(told)), (60, 60))
    wrong = {path: found for path, found in told.items()
             if found != (endpoint % path[1], expected(int(path[3:])))}
    lib.check(title + "each has its own marks", not wrong,
              "%d of %d have not: %s" % (len(wrong), len(told), sorted(wrong.items())[:4]))
    lib.equal(title + "nothing lost", watch.lost, {})


def celery():
    """Tasks in the children of a worker that was there before, and in itself."""
    version = "3.11"
    if not os.path.isdir(os.path.join(lib.root(version), "usr/lib/python3/dist-packages/celery")):
        lib.skip("celery", "the root of %s has no Celery" % version)
        return
    for pool in "prefork", "solo":
        where = os.path.join(lib.work, "queue-" + pool)
        os.makedirs(where)
        lib.script("work.py", CELERY)
        environment = dict(os.environ, MIDDLEWARE=MIDDLEWARE, WHERE=where, C_FORCE_ROOT="1",
                           PYTHONDONTWRITEBYTECODE="1")
        log = open(os.path.join(lib.work, "celery.log"), "wb")
        worker = lib.start(*lib.python(version, "-m", "celery", "-A", "work", "worker", "-c", "2",
                                       "-P", pool, "-l", "INFO", "--without-gossip",
                                       "--without-mingle", "--without-heartbeat"),
                           cwd=lib.work, env=environment, stdout=log, stderr=log)
        lib.until(lambda: b"ready." in open(log.name, "rb").read(), "the worker is not ready")
        children = [int(pid) for pid in subprocess.run(
            ["pgrep", "-P", str(worker.pid)], stdout=subprocess.PIPE).stdout.split()]
        watch = rig.Rig("-a", worker.pid, *children)
        send = ("import work\nfor i in range(12): work.sum_up.delay(1000 * i)\n"
                "for i in range(3): work.fail.delay()\n")
        subprocess.run(lib.python(version, "-c", send), cwd=lib.work, env=environment, check=True)
        lib.until(lambda: open(log.name, "rb").read().count(b"] succeeded in") == 12
                  and open(log.name, "rb").read().count(b"raised unexpected") == 3, "15 tasks")
        watch.end()
        worker.send_signal(signal.SIGTERM)
        worker.wait()
        title = "celery, %s: " % pool
        tasks = sorted((r["method"], rig.text(r["route"]), r["protocol"], rig.marks(r).get("outcome"),
                        rig.marks(r).get("n"), rig.marks(r).get("queue")) for r in watch.requests
                       if r["protocol"] == MARKED_PROTOCOL)
        expected = sorted([("TASK", "work.sum_up", 3, "SUCCESS", str(1000 * i), "first")
                           for i in range(12)]
                          + [("TASK", "work.fail", 3, "FAILURE", None, "first")] * 3,
                          key=lambda t: tuple(map(str, t)))
        lib.equal(title + "each task once", sorted(tasks, key=lambda t: tuple(map(str, t))), expected)
        lib.check(title + "each has cost something",
                  all(r["cost"] > 0 and r["latency"] >= r["cost"] * 0.9 for r in watch.requests
                      if r["protocol"] == MARKED_PROTOCOL), watch.requests)


def command():
    """Management commands, of a process that does nothing else."""
    for version in FRAMEWORKS:
        process = started(version, lib.script("command.py", COMMAND), MIDDLEWARE=MIDDLEWARE)
        watch = rig.Rig("-a", process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        watch.end()
        process.stdin.write(b"\n")
        process.stdin.close()
        told = [(r["method"], rig.text(r["route"]), r["protocol"], rig.marks(r))
                for r in watch.requests]
        lib.equal("command %s: each once" % version, told, [
            ("COMMAND", "reindex", MARKED_PROTOCOL, {"rows": "7", "outcome": "ok"}),
            ("COMMAND", "reindex", MARKED_PROTOCOL, {"rows": "7", "outcome": "error"})])
        lib.check("command %s: its cost" % version,
                  all(r["cost"] > 1_000_000 for r in watch.requests), watch.requests)


def became():
    """A shell that becomes Python, and a child of it that did: from some moment on."""
    version = "3.15"
    program = lib.script("becomes.py", """
import sys, time
sys.path.insert(0, sys.argv[1])
import pycost_marks
for i in range(100):
    with pycost_marks.task("after"):
        time.sleep(0.1)
""")
    python = " ".join([*rig.own_python(version), program, MIDDLEWARE])
    shell = lib.start("sh", "-c", "read line; %s & wait; exec %s" % (python, python),
                      stdin=subprocess.PIPE,
                      env=dict(os.environ, PYTHONHOME="/usr", PYTHONDONTWRITEBYTECODE="1"))
    watch = rig.Rig("-a", shell.pid)
    shell.stdin.write(b"\n")
    shell.stdin.close()
    shell.wait()
    watch.end()
    heard = {r["pid"] for r in watch.requests if rig.marks(r).get("outcome") == "ok"}
    lib.check("became: both are heard", len(heard) == 2 and shell.pid in heard,
              (heard, watch.notices))


def unheard():
    """Without probes nothing is seen, and it is said."""
    version = next((v for v in lib.BUILDS if v >= "3.8" and lib.built(v)), None)
    if not version:
        lib.skip("unheard", "no Python without probes here")
        return
    process = lib.start(*lib.python(version, "-c", "print('READY', flush=True); input()"),
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    watch = rig.Rig("-a", process.pid)
    time.sleep(0.5)
    watch.end()
    process.kill()
    lib.check("unheard %s: said" % version, len(watch.notices) == 1
              and "not visible: this interpreter has no probes" in watch.notices[0], watch.notices)


if __name__ == "__main__":
    lib.run(plain, django, pooled, interleaved, celery, command, became, unheard)

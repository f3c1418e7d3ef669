# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers of tests/web, and tests/load's requests for them."""
import json
import os
import signal
import socket
import subprocess
import sys

import lib

WEB = os.path.join(lib.TOP, "tests", "web")
FORKING = ("sync", "gthread", "gevent", "gunicorn", "uwsgi", "hypercorn")
LOAD = os.path.join(lib.TOP, os.environ.get("BUILD", "build"), "load")


def gunicorn(app, where, workers, *options):
    return ["-m", "gunicorn", "--bind", where, "--workers", str(workers), "--log-level",
            "critical", *options, app]


def uwsgi(app, *options):
    return ["uwsgi-core", "--plugins-dir", "/usr/lib/uwsgi/plugins", "--plugins", "http,python311",
            "--module", app, "--callable", "app", "--master", "--disable-logging",
            "--need-app", "--die-on-term", *options]


def commands(kind, port, path, app, workers):
    """[the command], and where it is to be asked."""
    tcp, unix = "127.0.0.1:%d" % port, "unix:" + path
    wsgi, module = app + ":app", app
    asynchronous = "many_async:app"
    table = {
        "wsgiref": [app + ".py", str(port)],
        "sync": gunicorn(wsgi, tcp, workers),
        "sync-unix": gunicorn(wsgi, unix, workers),
        "gthread": gunicorn(wsgi, tcp, workers, "-k", "gthread", "--threads", "16"),
        "gevent": gunicorn(wsgi, tcp, workers, "-k", "gevent"),
        "waitress": ["-m", "waitress", "--listen", tcp, "--threads", "4", wsgi],
        "waitress-unix": ["-m", "waitress", "--unix-socket", path, "--threads", "4", wsgi],
        "uwsgi-http-socket": uwsgi(module, "--http-socket", tcp, "--workers", str(workers)),
        "uwsgi-http": uwsgi(module, "--http", tcp, "--workers", str(workers)),
        "uwsgi-threads": uwsgi(module, "--http-socket", tcp, "--workers", str(workers),
                               "--threads", "4"),
        "uwsgi-socket": uwsgi(module, "--socket", tcp, "--workers", str(workers)),
        "uvicorn": ["-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "--log-level",
                    "critical", "--no-access-log", "--loop", "asyncio", asynchronous],
        "uvicorn-unix": ["-m", "uvicorn", "--uds", path, "--log-level", "critical",
                         "--no-access-log", "--loop", "asyncio", asynchronous],
        "uvicorn-uvloop": ["-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port),
                           "--log-level", "critical", "--no-access-log", "--loop", "uvloop",
                           asynchronous],
        "hypercorn": ["-m", "hypercorn", "--bind", tcp, "--log-level", "CRITICAL",
                      asynchronous],
        "aiohttp": ["many_async.py", str(port)],
        "streams": ["many_streams.py", str(port)],
        "gunicorn-uvicorn": gunicorn(asynchronous, tcp, workers, "-k",
                                     "uvicorn.workers.UvicornWorker"),
        "gunicorn-asyncio": gunicorn(asynchronous, tcp, workers, "-k",
                                     "uvicorn.workers.UvicornH11Worker"),
    }
    return table[kind], path if kind.endswith("-unix") else str(port)


def answers(where):
    family = socket.AF_UNIX if where.startswith("/") else socket.AF_INET
    with socket.socket(family) as s:
        try:
            s.connect(where if where.startswith("/") else ("127.0.0.1", int(where)))
            return True
        except OSError:
            return False


class Server:
    """A server of one kind: where it is asked, and the processes that serve."""

    def __init__(self, kind, version="3.11", app="many", workers=1, root=None, **environment):
        self.kind, self.version = kind, version
        path = os.path.join(lib.work, kind + ".socket")
        port = lib.free_port()
        command, self.where = commands(kind, port, path, app, workers)
        if command[0] == "uwsgi-core":
            command = [os.path.join(lib.root("3.11"), "enter"), *command]
        elif root:
            command = [os.path.join(root, "enter"), "python" + version, *command]
        else:
            command = lib.python(version, *command)
        if kind in ("sync", "sync-unix", "gthread", "gevent") and version == "3.15":
            command.insert(-1, "--no-control-socket")
        self.log = os.path.join(lib.work, kind + ".log")
        with open(self.log, "wb") as log:
            self.process = lib.start(
                *command, cwd=WEB, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1",
                     **{name: str(value) for name, value in environment.items()}})
        self.pid = self.process.pid
        lib.until(lambda: self.listens(workers), kind + " does not serve")

    def listens(self, workers):
        if self.process.poll() is not None:
            raise AssertionError("%s ended: %s" % (self.kind, self.said()))
        aside = self.kind in ("uwsgi-http", "hypercorn")
        return answers(self.where) and len(self.workers()) >= workers + aside

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read().strip()[-2000:]

    def workers(self):
        """Those that serve: the children of a server that has some, else itself. The router
        of uWSGI is one of them, and so is what keeps count of hypercorn's resources."""
        if not self.kind.startswith(FORKING):
            return [self.pid]
        told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)],
                              stdout=subprocess.PIPE)
        return sorted(int(pid) for pid in told.stdout.split())

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()


class Load:
    """What tests/load sent and got; from a mix, one kind a line."""

    def __init__(self, where, mix, *options, log=True):
        self.file = os.path.join(lib.work, "mix")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(mix)
        self.log = os.path.join(lib.work, "requests.log") if log else None
        command = [LOAD, "-m", self.file, *map(str, options)]
        if log:
            command += ["-l", self.log]
        where = [where] if isinstance(where, str) else where
        self.process = lib.start(*command, *where, stdout=subprocess.PIPE)

    def done(self):
        told, _ = self.process.communicate()
        lib.processes.remove(self.process)
        self.told = json.loads(told)
        self.status = self.process.returncode
        return self

    def requests(self):
        """{id: (method, path, status, outcome)} of the log."""
        found = {}
        with open(self.log, encoding="utf-8") as log:
            for line in log:
                name, method, path, status, outcome, _ = line.split()
                found[name] = method, path, int(status), outcome
        return found


if __name__ == "__main__":
    # For a look at one: server.py KIND [VERSION [APP]]
    try:
        served = Server(*sys.argv[1:4])
        print(served.where, served.pid, served.workers(), flush=True)
        sys.stdin.readline()
    finally:
        lib.end_all()

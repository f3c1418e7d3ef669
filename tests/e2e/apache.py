#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that Apache serves by mod_wsgi: in its own processes, and in those of a daemon.

Embedded, Apache reads HTTP from sockets like any server. A daemon is sent requests by a
protocol of mod_wsgi's own; it has marks to say what they are.
"""
import collections
import os
import shutil
import signal
import subprocess
import time

import lib
from server import WEB, Load, answers
from watched import Requests, compare

CONFIGURATION = """
ServerRoot {work}
PidFile {work}/{name}.pid
ErrorLog {work}/{name}.error
Listen 127.0.0.1:{port}
ServerName localhost
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
User nobody
Group nogroup
StartServers 1
MinSpareThreads 25
WSGIPythonPath {work}
WSGISocketPrefix {work}/{name}
WSGIScriptAlias / {work}/application.wsgi
<Directory {work}>
    Require all granted
</Directory>
{more}
"""
# gunicorn's mix of tests/e2e/request_truth.py, but for what Apache answers by itself
MIX = """
40 GET /
10 GET /status/404
3 GET /status/204
6 HEAD /big/1000
4 GET /big/100000
6 GET /stream/5
9 POST /echo body=0-5000
3 PUT /echo body=100000-200000
4 GET /work/1000?much={n} field=User-Agent:agent/2
5 GET /shop/{n}?id={id} close
"""
PATIENT = 3  # seconds, for a server whose children do not end by themselves


class Apache:
    def __init__(self, name, root, more=""):
        lib.script("application.wsgi", "from many import app as application\n"
                   "from pycost_marks.wsgi import Marks\n"
                   "application = Marks(application, begin=%r)\n" % (name == "daemon"))
        os.chmod(lib.work, 0o755)
        self.port = lib.free_port()
        file = lib.script(name + ".conf", CONFIGURATION.format(
            work=lib.work, name=name, port=self.port, more=more,
            modules="/usr/lib/apache2/modules"))
        self.process = lib.start(os.path.join(root, "enter"), "apache2", "-DFOREGROUND", "-f",
                                 file, cwd="/", stdin=subprocess.DEVNULL,
                                 env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        lib.until(lambda: answers(str(self.port)), "Apache does not serve")
        time.sleep(1)

    def pids(self):
        told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                              stdout=subprocess.PIPE)
        return [self.process.pid, *map(int, told.stdout.split())]

    def end(self):
        """With their interpreters in them, its children may take long to end."""
        pids = self.pids()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENT)
        except subprocess.TimeoutExpired:
            for pid in reversed(pids):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()


def root():
    made = subprocess.run([os.path.join(lib.TOP, "tests", "fetch.sh"), "sites"],
                          stdout=subprocess.PIPE)
    if made.returncode:
        return None
    for source in (os.path.join(WEB, "many.py"),
                   os.path.join(lib.TOP, "deploy", "middleware", "pycost_marks")):
        target = os.path.join(lib.work, os.path.basename(source))
        if os.path.isdir(source):
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    return made.stdout.decode().strip()


def embedded():
    """With children that end after some connections, and others in their places."""
    place = root()
    if not place:
        lib.skip("embedded", "tests/fetch.sh sites cannot have mod_wsgi")
        return
    for name, more in (("embedded", ""), ("short-lived", "MaxConnectionsPerChild 40")):
        served = Apache(name, place, more)
        watched = Requests(served.pids())
        load = Load(str(served.port), MIX, "-n", 1500, "-c", 6).done()
        time.sleep(0.3)
        watched.stop()
        # A child that ends closes what is kept alive, as somebody may just ask again.
        lib.check("mod_wsgi, %s: the load was served" % name, load.told["answered"] > 1450,
                  load.told)
        compare("mod_wsgi, " + name, load, watched)
        served.end()


def daemon():
    """Nothing is seen of the daemon's requests but what it marks."""
    place = root()
    if not place:
        lib.skip("daemon", "tests/fetch.sh sites cannot have mod_wsgi")
        return
    served = Apache("daemon", place, "WSGIDaemonProcess one processes=1 threads=4 python-path=%s\n"
                    "WSGIProcessGroup one\nWSGIRestrictEmbedded On\n" % lib.work)
    watched = Requests(served.pids(), "--marks")
    load = Load(str(served.port), "3 GET /\n1 GET /status/404\n1 GET /work/20000\n",
                "-n", 300, "-c", 4).done()
    time.sleep(0.3)
    watched.stop()
    marked = [told for told in watched.each if "task" in told["flags"]]
    lib.equal("mod_wsgi's daemon: each request is marked",
              collections.Counter((told["method"], told["endpoint"], told["status"])
                                  for told in marked),
              collections.Counter((method, path, status) for method, path, status, _ in
                                  load.requests().values()))
    lib.check("mod_wsgi's daemon: its cost is the application's",
              all(told["cpu"] > 100000 for told in marked if told["endpoint"] == "/work/20000"),
              marked[:3])
    # What Apache's own process did for it, whose connections are read as ever.
    watched.each = [told for told in watched.each if "task" not in told["flags"]]
    lib.equal("mod_wsgi's daemon: what it is sent is not understood, and counted",
              watched.losses, {"garbled": 300})
    watched.losses = {}
    compare("mod_wsgi's daemon, Apache itself", load, watched)
    served.end()


if __name__ == "__main__":
    lib.run(embedded, daemon)

# SPDX-License-Identifier: GPL-2.0-or-later
"""ClickHouse servers of one's own, plain processes in a directory that goes away; and ZooKeeper."""
import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

CACHE = os.environ.get("PYCOST_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pycost")
ROOT = os.path.join(CACHE, "clickhouse-1")
ZOOKEEPER = os.path.join(CACHE, "zookeeper-1")
CHDB = os.path.join(CACHE, "chdb-1")
PATIENCE = 60

CONFIG = """<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><log>%(dir)s/log</log><errorlog>%(dir)s/errors</errorlog></logger>
  <http_port>%(http)d</http_port><tcp_port>%(tcp)d</tcp_port>
  <interserver_http_port>%(interserver)d</interserver_http_port>
  <interserver_http_host>127.0.0.1</interserver_http_host>
  <listen_host>127.0.0.1</listen_host>
  <path>%(dir)s/data/</path><tmp_path>%(dir)s/tmp/</tmp_path>
  <users_config>users.xml</users_config><default_profile>default</default_profile>
  <default_database>default</default_database><timezone>UTC</timezone>
  <mark_cache_size>104857600</mark_cache_size>
  <remote_servers><fleet>%(shards)s</fleet></remote_servers>
  %(more)s
</yandex>
"""
USERS = """<?xml version="1.0"?>
<yandex>
  <profiles><default><max_threads>2</max_threads></default></profiles>
  <users>
    <default><password></password><networks><ip>::/0</ip></networks>
      <profile>default</profile><quota>default</quota></default>
    <pycost><password>se&amp;cret</password><networks><ip>::/0</ip></networks>
      <profile>default</profile><quota>default</quota></pycost>
  </users>
  <quotas><default><interval><duration>3600</duration><queries>0</queries><errors>0</errors>
    <result_rows>0</result_rows><read_rows>0</read_rows><execution_time>0</execution_time>
  </interval></default></quotas>
</yandex>
"""
SHARD = ("<shard><internal_replication>true</internal_replication>%s</shard>")
ZOOKEEPER_CONFIG = """tickTime=500
dataDir=%(dir)s/data
clientPort=%(port)d
clientPortAddress=127.0.0.1
admin.enableServer=false
"""
# Sessions of servers that were killed end soon, so that these may come back.
KEEPER = ("<zookeeper><node><host>127.0.0.1</host><port>%d</port></node>"
          "<session_timeout_ms>3000</session_timeout_ms></zookeeper>")
HTTPS = ("<https_port>%(port)d</https_port><openSSL><server>"
         "<certificateFile>%(dir)s/server.pem</certificateFile><privateKeyFile>%(dir)s/server.key</privateKeyFile>"
         "<verificationMode>none</verificationMode><loadDefaultCAFile>true</loadDefaultCAFile>"
         "<disableProtocols>sslv2,sslv3</disableProtocols></server></openSSL>")
REPLICA = "<replica><host>127.0.0.1</host><port>%d</port></replica>"


def is_there():
    return os.geteuid() == 0 and os.path.exists(os.path.join(ROOT, ".complete"))


numbers = itertools.count(20000 + 40 * (os.getpid() % 200))


def free_ports(count):
    """Below those that connections get: nobody else asks for these. Each once."""
    ports, sockets = [], []
    while len(ports) < count:
        port = next(numbers)
        s = socket.socket()
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            s.close()
            continue
        sockets.append(s)
        ports.append(port)
    for s in sockets:
        s.close()
    return ports


def tail(path):
    try:
        with open(path, errors="replace") as f:
            return " ".join(l.strip() for l in f if not l[:1].isdigit() or "Exception" in l)[-1500:]
    except FileNotFoundError:
        return ""


class Server:
    def __init__(self, directory, ports, shards, more=""):
        self.dir = directory
        self.http, self.tcp, self.interserver = ports
        self.process = None
        for name in ("data", "tmp"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        with open(os.path.join(directory, "config.xml"), "w") as f:
            f.write(CONFIG % {"dir": directory, "http": self.http, "tcp": self.tcp,
                              "interserver": self.interserver, "shards": shards, "more": more})
        with open(os.path.join(directory, "users.xml"), "w") as f:
            f.write(USERS)

    @property
    def base(self):
        return "http://127.0.0.1:%d" % self.http

    def url(self, database="pycost"):
        return "%s/%s" % (self.base, database)

    def start(self, wait=True):
        out = open(os.path.join(self.dir, "out"), "ab")
        self.process = subprocess.Popen(
            [os.path.join(ROOT, "enter"), "clickhouse-server",
             "--config-file=%s/config.xml" % self.dir],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.dir)
        out.close()
        if wait:
            self.wait()
        return self

    def wait(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if self.ask("SELECT 1") == "1\n":
                    return
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("no ClickHouse, which ended with %s: %s" % (self.process.poll(), "; ".join(
                    tail(os.path.join(self.dir, name)) for name in ("out", "errors"))))
            time.sleep(0.02)

    def ask(self, sql, database="default"):
        c = http.client.HTTPConnection("127.0.0.1", self.http, timeout=PATIENCE)
        try:
            c.request("POST", "/?database=" + database, sql.encode())
            r = c.getresponse()
            text = r.read().decode("utf-8", "replace")
        finally:
            c.close()
        if r.status != 200:
            raise OSError(text)
        return text

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()


class Embedded(Server):
    """Today's engine, one server: see chdb_server.py."""

    def __init__(self, directory):
        self.dir, (self.http,) = directory, free_ports(1)
        self.process = None

    def start(self, wait=True):
        with open(os.path.join(self.dir, "out"), "ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "chdb_server.py"),
                 os.path.join(CHDB, "libchdb.so"), self.dir, str(self.http)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.dir)
        if wait:
            self.wait()
        return self


class Zookeeper:
    def __init__(self, work):
        self.dir = tempfile.mkdtemp(dir=work, prefix="zookeeper-")
        self.port = free_ports(1)[0]
        os.makedirs(os.path.join(self.dir, "data"))
        with open(os.path.join(self.dir, "zoo.cfg"), "w") as f:
            f.write(ZOOKEEPER_CONFIG % {"dir": self.dir, "port": self.port})
        out = os.path.join(self.dir, "out")
        with open(out, "wb") as f:
            self.process = subprocess.Popen(
                [os.path.join(ZOOKEEPER, "enter"), "java", "-Xmx256m", "-Dzookeeper.forceSync=no", "-cp",
                 "/usr/share/java/zookeeper.jar:/usr/share/java/*",
                 "org.apache.zookeeper.server.quorum.QuorumPeerMain", os.path.join(self.dir, "zoo.cfg")],
                stdin=subprocess.DEVNULL, stdout=f, stderr=f, cwd=self.dir)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except OSError:
                pass
            if time.monotonic() > end or self.process.poll() is not None:
                with open(out, errors="replace") as f:
                    raise RuntimeError("no ZooKeeper: " + f.read()[-500:])
            time.sleep(0.05)

    @property
    def config(self):
        return KEEPER % self.port

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def has_zookeeper():
    return is_there() and os.path.exists(os.path.join(ZOOKEEPER, ".complete"))


def servers(work, shards=1, replicas=1, more=""):
    """Started; of shards * replicas, those of the first shard first; in a cluster "fleet"."""
    ports = free_ports(3 * shards * replicas)
    tcp = [ports[3 * i + 1] for i in range(shards * replicas)]
    cluster = "".join(
        SHARD % "".join(REPLICA % tcp[s * replicas + r] for r in range(replicas))
        for s in range(shards))
    made = [Server(tempfile.mkdtemp(dir=work, prefix="clickhouse-"), ports[3 * i:3 * i + 3],
                   cluster, more) for i in range(shards * replicas)]
    for server in made:
        server.start(wait=False)
    for server in made:
        server.wait()
    return made

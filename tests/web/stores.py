# SPDX-License-Identifier: GPL-2.0-or-later
"""Views that ask real back ends a known number of times, and tell how long they waited.

/NAME/TIMES: the answer is that many nanoseconds around the calls. The environment says
where the back ends are: POSTGRESQL (host), POSTGRESQL_PORT, MYSQL_PORT, MEMCACHE_PORT.
"""
import os
import time

import psycopg2
import pymemcache
import pymysql
from flask import Flask

app = Flask(__name__)
connections = {}
WAIT = 0.004  # what a query waits for, beside what it takes
LONG = 200000


def postgresql():
    connection = psycopg2.connect(host=os.environ["POSTGRESQL"], user="nobody", dbname="postgres",
                                  port=int(os.environ["POSTGRESQL_PORT"]))
    connection.autocommit = True
    return connection


def mysql():
    return pymysql.connect(host="127.0.0.1", port=int(os.environ["MYSQL_PORT"]), user="root",
                           autocommit=True)


def memcache():
    return pymemcache.Client(("127.0.0.1", int(os.environ["MEMCACHE_PORT"])),
                             default_noreply=False)


def kept(make):
    """The connection, whichever thread it is that asks: they take turns."""
    if make not in connections:
        connections[make] = make()
    return connections[make]


def query(connection, text, *values):
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall()


class Watch:
    """How long the calls took."""

    def __init__(self):
        self.ns = 0

    def __call__(self, function, *arguments):
        start = time.monotonic_ns()
        try:
            return function(*arguments)
        finally:
            self.ns += time.monotonic_ns() - start


@app.route("/")
@app.route("/none/<int:times>")
def none(times=0):
    return "0"


@app.route("/connect/0")
def connect():
    """There are connections from now on."""
    for make in postgresql, mysql, memcache:
        kept(make)
    return "0"


@app.route("/postgresql/<int:times>")
def ask_postgresql(times):
    watch, connection = Watch(), kept(postgresql)
    for n in range(times):
        watch(query, connection, "SELECT pg_sleep(%s), %s", WAIT, n)
    return str(watch.ns)


@app.route("/transaction/<int:times>")
def transact(times):
    """Two calls more: BEGIN and COMMIT."""
    watch, connection = Watch(), kept(postgresql)
    connection.autocommit = False
    try:
        for n in range(times):
            watch(query, connection, "SELECT pg_sleep(%s), %s", WAIT, n)
        watch(connection.commit)
    finally:
        connection.autocommit = True
    return str(watch.ns)


@app.route("/long/<int:times>")
def ask_at_length(times):
    """Much is sent and much received: a call all the same."""
    watch = Watch()
    for _ in range(times):
        for connection in kept(postgresql), kept(mysql):
            watch(query, connection, "SELECT REPEAT(%s, 5)", "x" * LONG)
    return str(watch.ns)


@app.route("/mysql/<int:times>")
def ask_mysql(times):
    watch, connection = Watch(), kept(mysql)
    for n in range(times):
        watch(query, connection, "SELECT SLEEP(%s), %s", WAIT, n)
    return str(watch.ns)


@app.route("/memcache/<int:times>")
def ask_memcache(times):
    """Twice as many calls, of next to no time."""
    watch, client = Watch(), kept(memcache)
    for n in range(times):
        watch(client.set, "n%d" % n, b"%d" % n)
        if watch(client.get, "n%d" % n) != b"%d" % n:
            raise ValueError(n)
    return str(watch.ns)


@app.route("/all/<int:times>")
def ask_all(times):
    told = [ask(times) for ask in (ask_postgresql, ask_mysql, ask_memcache)]
    return " ".join(told)

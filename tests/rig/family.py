# SPDX-License-Identifier: GPL-2.0-or-later
"""A process whose children work: after fork, after exec, without Python, under a shell."""
import os
import sys

SHARED = "/bin/busybox"


def work(n):
    return sum(i * i for i in range(n))


def waited(pid):
    return os.waitpid(pid, 0)[1]


def forked(n):
    pid = os.fork()
    if not pid:
        work(n)
        os._exit(0)
    return waited(pid)


def spawned(*command):
    pid = os.fork()
    if not pid:
        os.execv(command[0], command)
    return waited(pid)


def main(words):
    code = "def f(n):\n return n\nfor i in range(%d): f(i)" % words[0]
    child = [sys.executable, "-S", "-c", code]
    assert not forked(words[0])
    assert not spawned(*child)
    assert not spawned(SHARED, "true")
    assert not spawned(SHARED, "sh", "-c", " ".join("'%s'" % word for word in child))
    work(words[0])

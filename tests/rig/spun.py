# SPDX-License-Identifier: GPL-2.0-or-later
"""Work of which the shares are known, in a process and in its child: spun.py TIMES

Into the file go both processes' nanoseconds on a CPU.
"""
import os
import sys
import time


def spin(n):
    x = 0
    for i in range(n):
        x += i & 3
    return x


def three():
    spin(3000)


def one():
    spin(1000)


def turns(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        three()
        one()


def child():
    turns(1.5)


def parent():
    turns(1.5)


def tell():
    with open(sys.argv[1], "a") as times:
        print(os.getpid(), time.process_time_ns(), file=times)


pid = os.fork()
if not pid:
    child()
    tell()
    os._exit(0)
os.waitpid(pid, 0)
parent()
tell()

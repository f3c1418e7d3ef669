# SPDX-License-Identifier: GPL-2.0-or-later
"""Where samples must find C code, a thread without the lock, and children: natively.py TURNS"""
import gc
import os
import sys
import threading
import zlib

TEXT = bytes(range(256)) * 4096


def sums(n):
    """In zlib, which lets the lock go."""
    for _ in range(n):
        zlib.adler32(TEXT)


def turns(n):
    x = 0
    for i in range(n):
        x += i & 3
    return x


def in_thread(n):
    sums(n // 10000)


def in_main(n):
    turns(n)


def in_child(n):
    turns(n)


def in_thread_child(n):
    turns(n)


def forked(work, n):
    pid = os.fork()
    if not pid:
        work(n)
        os._exit(0)
    os.waitpid(pid, 0)


def main(n):
    summing = threading.Thread(target=in_thread, args=(n,))
    summing.start()
    in_main(n)
    summing.join()
    forked(in_child, n)
    forking = threading.Thread(target=forked, args=(in_thread_child, n))
    forking.start()
    forking.join()


if __name__ == "__main__":
    gc.disable()
    main(int(sys.argv[1]))

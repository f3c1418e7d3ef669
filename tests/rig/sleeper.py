# SPDX-License-Identifier: GPL-2.0-or-later
"""Sits deep in a recursion when the profiler comes, then calls on from there."""
import os
import time


def leaf():
    pass


def deep(n):
    if n:
        return deep(n - 1)
    open("/tmp/deep", "w").close()
    while not os.path.exists("/tmp/go"):
        time.sleep(0.1)
    for _ in range(1000):
        leaf()
    return 0


deep(700)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that are known by number; tests/rig/counts.py knows them."""
import os
import threading


def leaf(x):
    return x


def middle(x):
    return leaf(x) + leaf(x)


def fails(x):
    raise ValueError(x)


def catches(x):
    try:
        fails(x)
    except ValueError:
        return middle(x)


def counter(n):
    for i in range(n):
        yield i


def consume(n):
    return sum(counter(n))


def deep(n):
    return deep(n - 1) if n else leaf(0)


def wraps(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


class Shop:
    def __init__(self, price):
        self.price = price

    @wraps
    def sell(self):
        return self.price


def in_thread():
    for i in range(200):
        middle(i)


def in_child():
    for i in range(300):
        middle(i)


for i in range(1000):
    catches(i)
consume(500)
deep(900)
for i in range(100):
    Shop(i).sell()
thread = threading.Thread(target=in_thread)
thread.start()
thread.join()
child = os.fork()
if not child:
    in_child()
    os._exit(0)
os.waitpid(child, 0)

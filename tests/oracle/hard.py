# SPDX-License-Identifier: GPL-2.0-or-later
"""Work whose stacks change as fast as they can, in every way that Python has.

For what walks stacks from outside: calls too short to see, frames that move (generators,
coroutines, greenlets), frames that exceptions cut short, threads, code that comes and
goes, C between Python and Python. edges.py says which calls are real; they are the same
in each round, but for the first, which imports. Nothing here depends on time or chance,
and garbage is collected only where it says so: a finaliser may else run anywhere.

OVERFLOW are calls that a profile function does not survive. AWAITS and TASKS are what no frame tells: which task's coroutine awaits which, for an
interpreter that exposes it, and which coroutines are a task's outermost.
"""
import argparse
import asyncio
import contextlib
import functools
import gc
import hashlib
import importlib
import os
import sys
import threading
import time
import types
import zlib

import hard_objects
import protocol
from hard_objects import nothing, one, two

try:
    import greenlet
except ImportError:
    greenlet = None

OVERFLOW = [("run", "do_overflow"), ("do_overflow", "endless"), ("endless", "endless"),
            ("do_overflow", "nothing")]
AWAITS = [("task_outer", "task_inner"), ("task_outer", "task_middle"),
          ("task_middle", "task_inner")]
TASKS = ["task_outer", "task_middle", "task_inner", "task_alone"]
# Threads run these with the GIL released, which releases nobody from the cost.
LARGE = bytes(range(256)) * 4096


# ---- calls, short and deep ----


def do_fast():
    for n in range(300):
        nothing()
        two(n)
        one(n)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def ping(n):
    return n and pong(n - 1)


def pong(n):
    return n and ping(n - 1)


def descend(n):
    if n:
        return descend(n - 1)
    return two(n)


def do_recursion():
    fib(12)
    ping(30)
    for _ in range(3):
        descend(600)


def endless():
    endless()


def do_overflow():
    try:
        endless()
    except RecursionError:
        nothing()


# ---- generators ----


def count(n):
    for i in range(n):
        yield one(i)


def relay(n):
    got = yield from count(n)
    yield from relay_more(n)
    return got


def relay_more(n):
    yield from count(n)
    yield two(n)


def talk():
    got = 0
    while True:
        try:
            got = yield one(got)
        except KeyError:
            got = two(0)


def careful():
    try:
        while True:
            yield nothing()
    finally:
        one(1)


def tree(depth):
    if depth:
        yield from tree(depth - 1)
        yield depth
        yield from tree(depth - 1)


def do_generators():
    for n in count(60):
        two(n)
    for n in relay(30):
        nothing()
    sum(count(60))
    list(one(n) for n in count(30))
    for n in tree(6):
        nothing()


def do_throws():
    for _ in range(10):
        speaker = talk()
        next(speaker)
        for n in range(5):
            speaker.send(n)
            speaker.throw(KeyError())
        speaker.close()
        kept = careful()
        next(kept)
        kept.close()
        dropped = careful()
        next(dropped)
        del dropped
        through = wrapped()
        next(through)
        with contextlib.suppress(ValueError):
            through.throw(ValueError())


def wrapped():
    yield from talk()


# ---- exceptions ----


def fails(n):
    if n:
        fails(n - 1)
    else:
        raise ValueError(one(n))


def catches(n):
    try:
        fails(n)
    except ValueError:
        return two(n)
    finally:
        nothing()


def reraises(n):
    try:
        fails(n)
    except ValueError as error:
        raise KeyError() from error


def do_exceptions():
    for n in range(40):
        catches(n % 9)
        try:
            reraises(n % 5)
        except KeyError:
            nothing()


# ---- coroutines ----


@types.coroutine
def hand_over(n):
    return (yield one(n))


async def adds(n):
    total = 0
    for i in range(n):
        total += await hand_over(i)
    return await adds_more(total)


async def adds_more(n):
    return two(await hand_over(n))


class Context:
    async def __aenter__(self):
        await hand_over(0)
        return one(1)

    async def __aexit__(self, *error):
        await hand_over(0)


async def agen(n):
    for i in range(n):
        yield one(i)
        await hand_over(i)


async def uses_all():
    async with Context():
        async for n in agen(5):
            two(n)
        return [one(n) async for n in agen(4)]


def drive(coroutine):
    value = None
    try:
        while True:
            coroutine.send(value)
            value = 1
    except StopIteration:
        pass


def do_coroutines():
    for _ in range(10):
        drive(adds(10))
        drive(uses_all())
        cut = adds(10)
        cut.send(None)
        cut.close()


async def task_inner(n):
    for i in range(3):
        two(i)
        await asyncio.sleep(0)
    return await inner_part(n)


async def inner_part(n):
    await asyncio.sleep(0)
    return fib(6)


async def task_middle(n):
    two(n)
    return await asyncio.gather(task_inner(n), task_inner(n + 1))


async def task_alone():
    for i in range(5):
        fib(5)
        await asyncio.sleep(0)


async def task_outer():
    alone = asyncio.ensure_future(task_alone())
    await asyncio.ensure_future(task_inner(1))
    await asyncio.gather(task_middle(1), task_inner(2))
    await alone


loop = None


def do_tasks():
    global loop
    # One for all rounds: what makes a loop runs once, and seldom alike.
    loop = loop or asyncio.new_event_loop()
    for _ in range(3):
        loop.run_until_complete(task_outer())


# ---- scopes, contexts ----


def deco(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)
    return wrapper


@deco
def decorated(n):
    return one(n)


def closure(n):
    def inside():
        return two(n)
    return inside


def do_scopes():
    for n in range(20):
        decorated(n)
        closure(n)()
        [one(i) for i in range(5)]
        {i: two(i) for i in range(5)}
        {one(i) for i in range(5)}
        [[one(j) for j in range(3)] for i in range(3)]
        (lambda value: one(value))(n)


@contextlib.contextmanager
def managed(n):
    one(n)
    try:
        yield n
    finally:
        two(n)


class Manager:
    def __enter__(self):
        return one(1)

    def __exit__(self, *error):
        return two(1)


def do_contexts():
    for n in range(20):
        with managed(n), Manager():
            nothing()
        with contextlib.suppress(ValueError):
            with managed(n):
                nothing()
            with managed(n):
                fails(2)
        with Manager():
            fails(1)


# ---- threads ----


def worker(n):
    for i in range(n):
        two(i)
        for _ in count(3):
            nothing()
        catches(2)


def digest():
    """C that has released the GIL: it burns in these two, whoever holds the GIL now."""
    hashlib.sha256(LARGE).digest()


def pack():
    zlib.compress(LARGE[:65536])


def releases():
    digest()
    pack()


def do_threads():
    threads = [threading.Thread(target=worker, args=(60,)) for _ in range(3)]
    threads += [threading.Thread(target=releases) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---- greenlets ----


def switch_down(n, back):
    if n:
        return switch_down(n - 1, back)
    for i in range(5):
        two(i)
        back.switch(i)


def do_greenlets():
    here = greenlet.getcurrent()
    for _ in range(5):
        lets = [greenlet.greenlet(switch_down) for _ in range(4)]
        for let in lets:
            let.switch(5, here)
        for _ in range(3):
            for let in lets:
                let.switch()
                one(1)


# ---- interpreters beside the main one ----


SUB = """
def sub_leaf(n):
    return n + 1

def sub_middle(n):
    return [sub_leaf(i) for i in range(n)]

def sub_outer(n):
    for _ in range(n):
        sub_middle(20)

sub_outer(60)
"""
# No profile function of ours is in there.
SUB_EDGES = [("<module>", "sub_outer"), ("sub_outer", "sub_middle"),
             ("sub_middle", "<listcomp>"), ("<listcomp>", "sub_leaf"),
             ("sub_middle", "sub_leaf")]
subs = None


def sub_module():
    """The module of interpreters, from 3.8 on, and how it runs a text."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


def do_interpreters():
    global subs
    module = sub_module()
    if not subs:
        subs = module.create()
    if hasattr(module, "exec"):
        module.exec(subs, SUB)
    else:
        module.run_string(subs, SUB)


CONSTRUCTS = {name[3:]: value for name, value in list(globals().items())
              if name.startswith("do_")
              and (name != "do_greenlets" or greenlet)
              and (name != "do_interpreters" or sys.version_info >= (3, 12))}
CONSTRUCTS.update(hard_objects.CONSTRUCTS)


def run(names, rounds, seconds=0.0):
    """So many rounds, or as many as begin within so many seconds."""
    end = time.monotonic() + seconds
    done = 0
    while done < rounds or time.monotonic() < end:
        for name in names:
            CONSTRUCTS[name]()
        done += 1
    return done


def main():
    made = protocol.parser(__doc__)
    protocol.add_choices(made)
    made.add_argument("--seconds", type=float, default=0.0)
    options = made.parse_args()
    names = protocol.choose(options, CONSTRUCTS)
    gc.disable()
    run(names, 1)
    protocol.ready(options)
    protocol.start(options)
    run(names, options.rounds, options.seconds)
    protocol.done(options)


if __name__ == "__main__":
    main()
    # What ends with the interpreter ends in no order that could be told.
    os._exit(0)

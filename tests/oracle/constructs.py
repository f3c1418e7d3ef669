# SPDX-License-Identifier: GPL-2.0-or-later
"""A deterministic workload: one do_ function for each construct of the language.

Here are the ways that control flows; callables.py has the kinds of things called.

No count depends on time, on chance or on the depth of the caller's stack, so what
oracle.py counts in one process holds for any other one of the same interpreter.
"""
import asyncio
import contextlib
import gc
import sys
import types

import callables
import protocol
from callables import inner, leaf

# The code that counts as the workload's.
FILES = ("constructs.py",) + callables.FILES


def do_plain():
    for n in range(20):
        inner(n)
    keywords(1, b=2)
    keywords(*(1,), **{"b": 2, "c": 3})


def keywords(a, *rest, b=0, **more):
    return a + b + len(rest) + len(more)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def is_even(n):
    return True if n == 0 else is_odd(n - 1)


def is_odd(n):
    return False if n == 0 else is_even(n - 1)


def do_recursion():
    fib(15)
    is_even(50)
    is_odd(51)


def descend(n):
    return 0 if n == 0 else 1 + descend(n - 1)


def do_deep():
    for _ in range(3):
        descend(900)


def counter(n):
    for i in range(n):
        yield leaf() + i


def echo():
    got = None
    while True:
        try:
            got = yield got
        except KeyError:
            got = "caught"


def delegate():
    first = yield from counter(5)
    second = yield from echo()
    return first, second


def careful(log):
    try:
        yield 1
        yield 2
    finally:
        log.append(leaf())


def returns():
    yield 1
    return leaf()


def do_generators():
    for _ in counter(30):
        leaf()
    sum(counter(30))
    talk = echo()
    next(talk)
    for i in range(10):
        talk.send(i)
    talk.throw(KeyError("k"))
    talk.close()
    both = delegate()
    for _ in range(6):
        next(both)
    both.send(7)


def do_abandoned():
    log = []
    for _ in range(5):
        next(careful(log))
        kept = careful(log)
        next(kept)
        kept.close()
        unstarted = careful(log)
        del unstarted
    cycle = [careful(log)]
    next(cycle[0])
    cycle.append(cycle)
    del cycle
    gc.collect()
    fresh = echo()
    with contextlib.suppress(KeyError):
        fresh.throw(KeyError("before it ever ran"))
    try:
        over = returns()
        next(over)
        next(over)
    except StopIteration:
        pass


@types.coroutine
def hand_over(value):
    # Without its try, closing it would run it under setprofile and not without.
    try:
        return (yield value)
    except KeyError:
        return None


async def awaits(n):
    total = 0
    for i in range(n):
        total += await hand_over(i)
    return total


async def awaits_deeper(n):
    return await awaits(n) + leaf()


async def ticks(n):
    for i in range(n):
        yield i


async def consume(n):
    return [i async for i in ticks(n)]


def drive(coroutine):
    sent = None
    while True:
        try:
            coroutine.send(sent)
        except StopIteration as stop:
            return stop.value
        sent = 1


def do_coroutines():
    drive(awaits(10))
    drive(awaits_deeper(10))
    drive(consume(10))


def do_delegated():
    # What is thrown into the outer of two generators goes on in the inner one: that
    # one's frame says the outer called it, though the outer was never entered.
    both = delegate()
    for _ in range(6):
        next(both)
    both.throw(KeyError("k"))
    both.close()
    unfinished = awaits_deeper(3)
    unfinished.send(None)
    unfinished.close()
    thrown = awaits_deeper(3)
    thrown.send(None)
    try:
        thrown.throw(ValueError("v"))
    except ValueError:
        leaf()


class AsyncContext:
    async def __aenter__(self):
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *exc):
        await asyncio.sleep(0)
        return True


async def task(n):
    for _ in range(n):
        await asyncio.sleep(0)
        leaf()
    return n


async def async_main():
    total = sum(await asyncio.gather(task(3), task(5), task(7)))
    async with AsyncContext():
        raise ValueError("swallowed")
    stream = ticks(5)
    async for _ in stream:
        break
    await stream.aclose()
    cancelled = asyncio.ensure_future(task(100))
    await asyncio.sleep(0)
    cancelled.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await cancelled
    return total


def do_asyncio():
    if hasattr(asyncio, "run"):
        asyncio.run(async_main())
    else:  # 3.6
        asyncio.get_event_loop().run_until_complete(async_main())


class Failure(Exception):
    def __init__(self, depth):
        super().__init__(depth)
        self.depth = depth


def fail(n, depth):
    if n == 0:
        raise Failure(depth)
    fail(n - 1, depth)


def cleans_up(n):
    try:
        fail(n, n)
    finally:
        leaf()


def raises_again(n):
    try:
        cleans_up(n)
    except Failure as failure:
        raise LookupError(n) from failure


def returns_in_finally():
    result = None
    try:
        fail(3, 3)
    except Failure as failure:
        result = failure.depth
    finally:
        leaf()
    return result


def bad_key(x):
    if x == 3:
        raise Failure(x)
    return x


class Guard:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return True


@contextlib.contextmanager
def guarded():
    try:
        yield leaf()
    except Failure:
        leaf()


def do_exceptions():
    for n in range(10):
        try:
            raises_again(n)
        except LookupError:
            leaf()
    returns_in_finally()
    with Guard():
        fail(4, 4)
    with guarded():
        fail(5, 5)
    try:
        sorted([1, 2, 3, 4, 5], key=bad_key)
    except Failure:
        leaf()
    try:
        descend()
    except TypeError:  # wrong arguments: the function is never entered
        leaf()
    # The calls after it must still find their own callers.
    inner(3)


def do_comprehensions():
    one = [leaf() for _ in range(10)]
    two = {leaf() + i for i in range(10)}
    three = {i: leaf() for i in range(10)}
    four = sum(leaf() for _ in range(10))
    five = [[leaf() for _ in range(3)] for _ in range(4)]
    return one, two, three, four, five


CONSTRUCTS = {
    name[3:]: value for name, value in list(globals().items()) if name.startswith("do_")
}
CONSTRUCTS.update(callables.CONSTRUCTS)


def run(names, rounds):
    for _ in range(rounds):
        for name in names:
            CONSTRUCTS[name]()


def main():
    made = protocol.parser(__doc__)
    protocol.add_choices(made)
    options = made.parse_args()
    names = protocol.choose(options, CONSTRUCTS)
    protocol.ready(options)
    protocol.start(options)
    run(names, options.rounds)
    protocol.done(options)


if __name__ == "__main__":
    sys.exit(main())

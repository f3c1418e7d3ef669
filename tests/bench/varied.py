# SPDX-License-Identifier: GPL-2.0-or-later
"""Does varied work on demand, and says which function can have called which.

"mix N": N rounds of work that is hard to sample right: the answer is a line with the
nanoseconds of this process's own CPU time, and of the time that went by. "idle N":
starts N threads that do next to nothing. "edges N": N rounds more, under
sys.setprofile; the answer is a JSON list of [caller, callee], "" the caller of an
outermost function. Qualified names, where this Python has them.
"""
import contextlib
import functools
import json
import re
import sys
import threading
import time
import types

# Chains of one shape: a caller that is read late belongs to another chain.
CHAINS = 8
SOURCE = """
def outer_{0}(n):
    return middle_{0}(n) + 1
def middle_{0}(n):
    return inner_{0}(n) + inner_{0}(n + 1)
def inner_{0}(n):
    return n * {0}
"""
exec(compile("".join(SOURCE.format(i) for i in range(CHAINS)), __file__, "exec"))
OUTERS = [globals()["outer_%d" % i] for i in range(CHAINS)]


def chains(n):
    return sum(outer(n) for outer in OUTERS) + sum([outer(n) for outer in OUTERS])


def leaf(n):
    return n + 1


def ladder(n):
    return ladder(n - 1) + 1 if n else leaf(n)


def numbers(n):
    try:
        for i in range(n):
            yield leaf(i)
    finally:
        ended(n)


def ended(n):
    return n


def relay(n):
    yield from numbers(n)
    yield from (leaf(i) for i in range(3))


def generators(n):
    total = sum(relay(8))
    closed, thrown = numbers(5), numbers(5)
    total += next(closed) + next(thrown)
    closed.close()
    with contextlib.suppress(KeyError):
        thrown.throw(KeyError(n))
    return total


class Thing:
    def __init__(self, n):
        self.n = self.checked(n)

    def checked(self, n):
        return n % 7

    @property
    def size(self):
        return self.n + leaf(self.n)

    def __lt__(self, other):
        return self.size < other.size

    @classmethod
    def make(cls, n):
        return cls(n)

    @staticmethod
    def key(thing):
        return -thing.n


def objects(n):
    things = [Thing.make(i * 5 + n) for i in range(8)]
    things.sort()
    things.sort(key=Thing.key)
    return sum(map(lambda thing: thing.size, things))


def fails(depth):
    if not depth:
        raise ValueError(depth)
    try:
        fails(depth - 1)
    finally:
        ended(depth)


def exceptions(n):
    try:
        fails(4)
    except ValueError:
        return leaf(n)


def logged(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@logged
def first(n):
    return leaf(n)


@logged
def second(n):
    return ladder(2)


@contextlib.contextmanager
def section(n):
    yield leaf(n)


def wrapped(n):
    with section(n) as value:
        return first(value) + second(value)


def shout(match):
    return match.group().upper()


def texts(n):
    return len(re.sub("b", shout, "abcabc"))


@types.coroutine
def pause(n):
    yield leaf(n)


async def task(n):
    await pause(n)
    return await nested(n)


async def nested(n):
    await pause(n)
    return leaf(n)


def coroutines(n):
    running = task(n)
    try:
        while True:
            running.send(None)
    except StopIteration as ended_with:
        return ended_with.value


ROUND = (chains, ladder, generators, objects, exceptions, wrapped, texts, coroutines)


def mix(count):
    for _ in range(count):
        for work in ROUND:
            work(6)


def doze(depth):
    if depth:
        doze(depth - 1)
    while not depth:
        time.sleep(0.5)
        leaf(depth)


def idle(count):
    for _ in range(count):
        threading.Thread(target=doze, args=(5,), daemon=True).start()


def name(frame):
    if frame is None:
        return ""
    return getattr(frame.f_code, "co_qualname", frame.f_code.co_name)


# A generator function runs for a moment when it is called, to make its generator; of
# that sys.setprofile says nothing. Where another than the caller goes on with it:
MAKES = [("_GeneratorContextManagerBase.__init__", "section")]


def edges(count):
    found = set(MAKES)

    def note(frame, event, _):
        # All the way, as outer functions were called before this was set.
        while frame and event == "call":
            found.add((name(frame.f_back), name(frame)))
            frame = frame.f_back

    threading.setprofile(note)
    idle(2)
    # The way out of the threads' sleep is an edge too.
    time.sleep(1.2)
    threading.setprofile(None)
    sys.setprofile(note)
    # From where it is called when it is measured.
    answer("mix", count)
    sys.setprofile(None)
    return sorted(found)


def answer(what, count):
    if what == "edges":
        return json.dumps(edges(count))
    cpu, wall = time.process_time_ns(), time.monotonic_ns()
    {"mix": mix, "idle": idle}[what](count)
    return "%d %d" % (time.process_time_ns() - cpu, time.monotonic_ns() - wall)


def main():
    for line in iter(sys.stdin.buffer.readline, b""):
        what, count = line.decode().split()
        sys.stdout.write(answer(what, int(count)) + "\n")
        sys.stdout.flush()


main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""work.py SIZE...: ten kinds of Python code, each as large as its number says.

A kind of size 0 is left out, so what it costs is what a run with it costs more than
one without.  Nothing here depends on time, addresses or what ran before: the garbage
collector is off, as a collection falls on whoever happens to be under way.
"""
import gc
import sys


# Many calls of next to nothing.
def add(a, b):
    return a + b


def clamp(x):
    return x if x < 100 else 100


def tiny_calls(n):
    total = 0
    for i in range(n):
        total = clamp(add(total, i))
    return total


# One long call of C.
def one_c_call(n):
    return sum(range(n))


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def recursion(n):
    for _ in range(n):
        fib(10)


# A long function that is often called and returns at many of its lines.
def rate(order):
    kind = order[0]
    weight = order[1]
    if weight <= 0:
        return 0
    price = 10
    if kind == 0:
        price += weight
        return price
    zone = order[2]
    if zone == 1:
        price += 2
    elif zone == 2:
        price += 4
    elif zone == 3:
        price += 8
    if kind == 1:
        price += weight * 2
        return price
    if weight > 50:
        price += 5
    if weight > 60:
        price += 5
    if weight > 70:
        price += 5
    if weight > 80:
        price += 5
    if kind == 2:
        return price
    express = order[3]
    if express:
        price *= 2
        if zone == 3:
            price += 7
        if weight > 40:
            price += 3
    if kind == 3:
        price -= 1
        return price
    insured = order[4]
    if insured:
        price += weight // 4
        if zone == 2:
            price += 1
        elif zone == 3:
            price += 2
    if kind == 4:
        return price
    if price > 100:
        price -= 10
    if price > 110:
        price -= 10
    if price > 120:
        price -= 10
    if kind == 5:
        return price
    discount = 0
    if weight > 90:
        discount += 4
    if zone == 1:
        discount += 3
    if express and insured:
        discount += 2
    if kind == 6:
        return price - discount
    tax = price // 5
    if zone == 1:
        tax -= 1
    if zone == 2:
        tax += 1
    if kind == 7:
        return price + tax - discount
    price += tax
    price -= discount
    if price < 5:
        price = 5
    return price


def long_function(n):
    total = 0
    for i in range(n):
        total += rate((i % 9, i % 100, i % 4, i & 1, i & 2))
    return total


def numbers(n):
    for i in range(n):
        yield i


def odd(source):
    for i in source:
        if i & 1:
            yield i


def generators(n):
    return sum(i * i for i in odd(numbers(n)))


class Account:
    rate = 3

    def __init__(self, owner, balance):
        self.owner = owner
        self._balance = balance

    @property
    def balance(self):
        return self._balance

    def deposit(self, amount):
        if amount > 0:
            self._balance += amount

    @classmethod
    def empty(cls, owner):
        return cls(owner, 0)

    @staticmethod
    def fee(amount):
        return amount >> 6


class Savings(Account):
    def deposit(self, amount):
        super().deposit(amount - self.fee(amount))

    def __eq__(self, other):
        return self.balance == other.balance


def objects(n):
    same = 0
    for i in range(n):
        account = Savings.empty(i)
        account.deposit(i)
        account.deposit(account.balance)
        same += account == Account(i, 2 * i)
    return same


class Refused(Exception):
    pass


def deepest(i):
    if i % 3:
        raise Refused(i)
    return {}[i]


def deeper(i):
    try:
        return deepest(i)
    finally:
        i += 1


def deep(i):
    with Guard():
        return deeper(i)


class Guard:
    def __enter__(self):
        return self

    def __exit__(self, *what):
        return False


def exceptions(n):
    caught = 0
    for i in range(n):
        try:
            deep(i)
        except (Refused, KeyError):
            caught += 1
    return caught


def remembers(function):
    seen = {}

    def wrapper(*args):
        if args not in seen:
            seen[args] = function(*args)
        return seen[args]

    return wrapper


def scaled(factor):
    def scale(x):
        return x * factor

    return scale


def closures(n):
    @remembers
    def triple(x):
        return times(x) + 1

    times = scaled(3)
    return sum(triple(i % 50) + times(i) for i in range(n))


def by_key(row):
    return row["key"]


def sort_rows(n):
    rows = [{"key": i * 7919 % 1009, "name": "row %d" % i} for i in range(n)]
    names = {row["name"]: row["key"] for row in sorted(rows, key=by_key)}
    best = max(rows, key=lambda row: (row["key"], row["name"]))
    return [names[best["name"]]] + sorted(filter(lambda key: key & 1, names.values()))


# What a function leaves is freed after its return, at its caller's expense.
def sorting(n):
    return len(sort_rows(n))


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def encoded(value):
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join(quoted(k) + ": " + encoded(v) for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([encoded(v) for v in value]) + "]"
    return "%d" % value


def encoding(n):
    return len(encoded([{"id": i, "tags": ["a", 'b"%d' % i], "name": "x" * 9} for i in range(n)]))


class Step:
    def __await__(self):
        got = yield
        return got


async def fetch(i):
    return await Step() + i


async def task(n):
    total = 0
    for i in range(n):
        total += await fetch(i)
    return total


def coroutines(n):
    stepped = task(n)
    stepped.send(None)
    try:
        while True:
            stepped.send(1)
    except StopIteration as end:
        return end.value


KINDS = (
    tiny_calls,
    one_c_call,
    recursion,
    long_function,
    generators,
    objects,
    exceptions,
    closures,
    sorting,
    encoding,
    coroutines,
)


def main(sizes):
    for kind, size in zip(KINDS, sizes):
        if size:
            kind(size)


if __name__ == "__main__":
    gc.disable()
    main([int(size) for size in sys.argv[1:]])

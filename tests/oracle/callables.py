# SPDX-License-Identifier: GPL-2.0-or-later
"""The second half of constructs.py: closures, classes, callbacks, threads, names."""
import functools
import gc
import re
import signal
import threading
import weakref

# This file's code, and what it compiles.
FILES = ("callables.py", "<dynamic>", "<small>", "<größe>")


def leaf():
    return 1


def inner(n):
    total = 0
    for _ in range(n):
        total += leaf()
    return total


def up_to(n):
    for i in range(n):
        yield i


def adder(n):
    def add(m):
        return n + m

    return add


def tally():
    count = 0

    def up():
        nonlocal count
        count += 1
        return count

    return up


def do_closures():
    for i in range(5):
        add = adder(i)
        add(1)
        add(2)
    up = tally()
    for _ in range(7):
        up()
    double, triple = (lambda n: n * 2), (lambda n: n * 3)
    double(triple(1)) + triple(2)
    (lambda: leaf())()
    (lambda n=5: [leaf() for _ in range(n)])()


def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def renaming(function):
    def replacement(*args):
        return function(*args)

    return replacement


def repeated(times):
    def decorate(function):
        @functools.wraps(function)
        def repeating(*args):
            return [function(*args) for _ in range(times)]

        return repeating

    return decorate


@timed
def first(n):
    return inner(n)


@timed
def second():
    return leaf()


@renaming
def third(n):
    return inner(n)


@timed
@renaming
@repeated(3)
def stacked(n):
    return leaf() + n


@functools.lru_cache(maxsize=None)
def cached(n):
    return leaf() + n


def do_decorators():
    for _ in range(4):
        first(2)
        second()
    third(3)
    stacked(1)
    cached.cache_clear()
    for n in (1, 2, 1, 2, 3):
        cached(n)
    timed(leaf)()
    functools.partial(inner, 2)()


class Meta(type):
    def __new__(mcs, name, bases, space):
        return super().__new__(mcs, name, bases, space)

    def __call__(cls, *args):
        return super().__call__(*args)


class Base(metaclass=Meta):
    def __init__(self, value):
        self.value = value

    def method(self):
        return self.value

    def overridden(self):
        return leaf()

    @classmethod
    def build(cls, value):
        return cls(value)

    @staticmethod
    def helper(value):
        return value + leaf()

    @property
    def size(self):
        return self.value

    @size.setter
    def size(self, value):
        self.value = value

    def __init_subclass__(cls):
        leaf()


class Derived(Base):
    def __new__(cls, *args):
        return super().__new__(cls)

    def __init__(self, value):
        super().__init__(value)
        leaf()

    def overridden(self):
        return super().overridden() + 1

    def __call__(self, n):
        return inner(n)

    def __getattr__(self, name):
        return name

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return index

    def __iter__(self):
        return up_to(3)

    def __add__(self, other):
        return self

    def __lt__(self, other):
        return self.value < other.value


def do_classes():
    for value in range(5):
        made = Derived.build(value)
        made.method()
        made.overridden()
        made.size = made.size + 1
        made(2)
        Base.helper(1)
    made.missing
    len(made), made[1], list(made), made + made
    bound = made.method
    bound()
    sorted([Derived(3), Derived(1), Derived(2)])

    class Local(Base):
        def method(self):
            return super().method()

    Local(1).method()


def key_of(item):
    return -item


class SameHash:
    def __init__(self, name):
        self.name = name

    def __hash__(self):
        return 7

    def __eq__(self, other):
        return self.name == other.name


class Dying:
    def __del__(self):
        leaf()


def on_match(match):
    return match.group().upper()


def on_death(reference):
    leaf()


def do_callbacks():
    sorted(range(20), key=key_of)
    list(map(key_of, range(15)))
    list(filter(lambda n: n % 2, range(10)))
    functools.reduce(lambda a, b: a + b + leaf(), range(10))
    re.sub("[aeiou]", on_match, "a profiler counts its calls")
    max([3, 1, 2], key=lambda n: key_of(n))
    table = {SameHash(i): i for i in range(4)}
    table[SameHash(3)]
    SameHash(9) in table
    for _ in range(5):
        Dying()
    looped = Dying()
    looped.self = looped
    del looped
    gc.collect()
    watched = SameHash(0)
    kept = weakref.ref(watched, on_death)
    del watched
    return kept


def handler(number, frame):
    leaf()


def do_signals():
    if threading.current_thread() is not threading.main_thread():
        return
    old = signal.signal(signal.SIGUSR1, handler)
    for _ in range(3):
        # Handled before it returns, in every version; raise_signal is not.
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        leaf()
    signal.signal(signal.SIGUSR1, old)


def beat():
    return leaf()


def thread_body(barrier, times):
    # All at once, so that the interpreter switches among them within the calls.
    barrier.wait()
    for _ in range(times):
        beat()


def do_threads():
    barrier = threading.Barrier(4)
    threads = [
        threading.Thread(
            target=thread_body, args=(barrier, 1000 * (i + 1)), name="worker-%d" % i
        )
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


DYNAMIC = """
def made(n):
    return [helper() for _ in range(n)]

def helper():
    return leaf()

made(4)
"""


def do_dynamic():
    for _ in range(3):
        exec(compile(DYNAMIC, "<dynamic>", "exec"), {"leaf": leaf})
    eval(compile("leaf() + leaf()", "<dynamic>", "eval"))
    # Each function goes before the next one comes, so their code objects are
    # likely to take turns at one address.
    for i in range(50):
        space = {}
        source = "\n" * i + "def turn_%d():\n    return %d\n" % (i, i)
        exec(compile(source, "<dynamic>", "exec"), space)
        space["turn_%d" % i]()
        del space


def größe():
    return leaf()


def функция(n):
    return größe() + n


class 計算:
    def 足す(self, n):
        return функция(n)


def 𐌰𐌱():
    return 計算().足す(1)


LONG = "long_" + "x" * 115
LONGER = "größer_" + "ö" * 293


def do_names():
    for _ in range(3):
        𐌰𐌱()
    for name in (LONG, LONGER):
        space = {}
        exec(compile("def %s():\n    pass\n" % name, "<größe>", "exec"), space)
        space[name]()


SMALL = {}
exec(
    compile(
        "".join("def small_%03d():\n    pass\n\n\n" % i for i in range(500)),
        "<small>",
        "exec",
    ),
    SMALL,
)
SMALL = [SMALL["small_%03d" % i] for i in range(500)]


def do_small():
    for i, function in enumerate(SMALL):
        for _ in range(1 + i % 3):
            function()


CONSTRUCTS = {
    name[3:]: value for name, value in list(globals().items()) if name.startswith("do_")
}

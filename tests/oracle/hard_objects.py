# SPDX-License-Identifier: GPL-2.0-or-later
"""A part of hard.py: what C calls, and what classes and the ends of objects call."""
import collections
import copy
import functools
import gc
import importlib
import json
import re
import sys
import weakref


def nothing():
    pass


def one(n):
    return n + 1


def two(n):
    return one(one(n))


def keywords(a, *rest, b=0, **more):
    return one(a + b + len(rest) + len(more))


def do_arguments():
    for n in range(100):
        keywords(n)
        keywords(n, 2, b=3)
        keywords(*(n, 2), **{"b": 1, "c": 2})


# ---- Python called by C ----


def key(n):
    return -one(n)


def product(a, b):
    return one(a) * one(b)


@functools.lru_cache(maxsize=4)
def cached(n):
    return two(n)


def replaced(match):
    return str(one(int(match.group())))


def do_callbacks():
    numbers = list(range(50))
    for _ in range(4):
        sorted(numbers, key=key)
        sorted(numbers, key=lambda n: two(n))
        min(numbers, key=key)
        list(map(one, numbers))
        list(filter(two, numbers))
        functools.reduce(product, numbers[:20])
        functools.partial(keywords, 1, b=2)(3)
        for n in range(12):
            cached(n % 6)
        re.sub("[0-9]+", replaced, "1 and 2 and 3")
        collections.defaultdict(factory)[1]
        json.dumps([object(), object()], default=plain)
        json.loads('[{"a": {}}, {}]', object_hook=hook)


def factory():
    return two(1)


def plain(value):
    return one(1)


def hook(value):
    return one(len(value))


# ---- classes ----


class Base:
    def __init__(self, n):
        self.n = one(n)

    def method(self):
        return two(self.n)

    @property
    def prop(self):
        return one(self.n)

    @classmethod
    def made(cls, n):
        return cls(n)

    @staticmethod
    def static(n):
        return one(n)

    def __call__(self, n):
        return one(n)

    def __getattr__(self, name):
        return two(1)

    def __getitem__(self, n):
        return one(n)

    def __eq__(self, other):
        return one(self.n) == other.n

    def __hash__(self):
        return hash(one(self.n))

    def __lt__(self, other):
        return one(self.n) < other.n

    def __add__(self, other):
        return one(self.n)

    def __bool__(self):
        return bool(one(1))

    def __len__(self):
        return one(2)

    def __iter__(self):
        return Steps(self.n)

    def __contains__(self, n):
        return bool(one(1))

    def __repr__(self):
        return "Base %d" % one(1)


class Steps:
    def __init__(self, n):
        self.left = n

    def __iter__(self):
        return self

    def __next__(self):
        self.left -= 1
        if one(self.left) <= 0:
            raise StopIteration
        return self.left


class Derived(Base):
    def __init__(self, n):
        super().__init__(n)
        self.more = two(n)

    def method(self):
        return super().method() + one(1)


class Empty:
    def __init__(self):
        pass


def makes(n):
    # Each of these calls gets a specialised form of its own.
    return Base(n), Derived(n), Empty(), Empty()


def do_classes():
    for n in range(30):
        made, derived, _, _ = makes(n)
        made.method()
        derived.method()
        made.prop + derived.prop
        Derived.made(n)
        Base.static(n)
        made(n)
        made.absent
        made[n]
        {made: 1, derived: 2}[made]
        made + derived
        made and derived
        len(made)
        n in made
        repr(made)
        for step in Base(5):
            nothing()
        sorted([made, derived, Base(3)])


class Meta(type):
    def __new__(mcs, name, bases, space):
        one(1)
        return super().__new__(mcs, name, bases, space)

    def __init__(cls, name, bases, space):
        two(1)
        super().__init__(name, bases, space)


class Named:
    def __set_name__(self, owner, name):
        one(1)

    def __get__(self, instance, owner):
        return two(1)


def do_class_bodies():
    for _ in range(5):
        class Body(metaclass=Meta):
            value = [one(n) for n in range(3)]
            named = Named()

            def __init_subclass__(cls):
                two(2)

        class Sub(Body):
            one(3)

        Sub().named


# ---- code that comes and goes ----


TEXT = """
def made(n):
    return one(n)

class Made:
    def method(self):
        return made(2)

made(1)
Made().method()
"""


def do_exec():
    for n in range(5):
        exec(compile(TEXT, "hard_text.py", "exec"), {"one": one, "__name__": "hard_text"})
        eval("two(1) + one(2)")
        eval(compile("[one(n) for n in (1, 2)]", "hard_text.py", "eval"))


def do_imports():
    for _ in range(3):
        sys.modules.pop("callables", None)
        importlib.import_module("callables")
        importlib.reload(sys.modules["callables"])


# ---- ends of objects ----


class Dies:
    def __del__(self):
        one(1)


class Cycle:
    def __init__(self):
        self.self = self

    def __del__(self):
        two(1)


def gone(reference):
    nothing()


def do_ends():
    for _ in range(20):
        Dies()
        dies = Dies()
        del dies
        Cycle()
        target = Empty()
        reference = weakref.ref(target, gone)
        del target, reference
        target = Empty()
        kept = weakref.ref(target, gone)
        del target
        copy.copy(Steps(3))
    gc.collect()


CONSTRUCTS = {name[3:]: value for name, value in list(globals().items())
              if name.startswith("do_")}

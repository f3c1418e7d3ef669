# SPDX-License-Identifier: GPL-2.0-or-later
"""What an application says of its requests, for pycost to read: marks.

A mark is an audit event (PEP 578), read from the interpreter's own probe while pycost
measures with --marks.  When nobody does, none is made: what is left is to ask, some ten
nanoseconds.  The events, whose arguments are str:

    pycost.endpoint       name, key, value, key, value...
    pycost.tag            key, value, key, value...
    pycost.request.begin  kind, name, key, value...
    pycost.request.end    status, key, value...

The first two are of the request that the thread, or the task of an event loop, works
for.  The others make a request of what comes by no connection: a task, a command.
Kinds are "TASK" and "COMMAND" here; a status is decimal, or "".  An endpoint named ""
keeps the one that is known.

Nothing here raises: what makes no sense is left out.  A mark is cut at LIMIT bytes of a
value and 32 of a key, and all of a request at 512.  An application's own audit hooks
see the events, too, while somebody listens, and at all times by PYCOST_MARKS=always in
the environment.

Names of users are hashed with the key that configure() is given, and are told as
"user_hash"; without a key they are told as "user", which pycost hashes with its own.
"""
import functools
import hashlib
import sys

from .semaphore import listening

__all__ = ["LIMIT", "command", "configure", "endpoint", "request", "tag", "task", "user"]

LIMIT = 128

# Python 3.7 has no audit events.
audit = getattr(sys, "audit", None) or (lambda event, *arguments: None)


class _Settings:
    key = None


def configure(user_key=None):
    """user_key: bytes or str, for user(); at most 64 bytes of it are used."""
    try:
        if isinstance(user_key, str):
            user_key = user_key.encode()
        _Settings.key = user_key[:64] if user_key else None
    except Exception:
        _Settings.key = None
    hashed.cache_clear()


@functools.lru_cache(maxsize=4096)
def hashed(name):
    return hashlib.blake2b(name.encode("utf-8", "replace"), key=_Settings.key,
                           digest_size=16).hexdigest()


def text(value):
    """Lists and sets, of flags say, become one value, in order."""
    if value.__class__ is str:
        return value
    if isinstance(value, (set, frozenset)):
        return ",".join(sorted(map(str, value)))
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)


def flat(tags):
    """{key: value} as key, value, key, value...; None is left out."""
    told = []
    for key, value in tags.items():
        if value.__class__ is str and key.__class__ is str and key != "user":
            told += (key, value)
            continue
        if value is None:
            continue
        if key == "user":
            key, value = user_tag(value)
        told += (text(key), text(value))
    return told


def user_tag(name):
    if _Settings.key is None:
        return "user", text(name)
    return "user_hash", hashed(text(name))


def endpoint(name, **tags):
    """What the current request is for: the name of its view or route, not its path."""
    if not listening:
        return
    try:
        if tags:
            audit("pycost.endpoint", text(name), *flat(tags))
        else:
            audit("pycost.endpoint", text(name))
    except Exception:
        pass


def tag(**tags):
    """What else is to be known of the current request: tag(arm="B", flags={"new"})."""
    if not listening:
        return
    try:
        audit("pycost.tag", *flat(tags))
    except Exception:
        pass


def user(name):
    """Who the current request is of; never kept as it is."""
    if not listening:
        return
    try:
        audit("pycost.tag", *user_tag(name))
    except Exception:
        pass


def begin(kind, name, tags=None):
    if not listening:
        return
    try:
        if tags:
            audit("pycost.request.begin", text(kind), text(name), *flat(tags))
        else:
            audit("pycost.request.begin", text(kind), text(name))
    except Exception:
        pass


def end(status="", **tags):
    if not listening:
        return
    try:
        audit("pycost.request.end", text(status), *flat(tags))
    except Exception:
        pass


class request:
    """A piece of work that counts as a request: a context manager, and a decorator.

    with request("TASK", "reindex", shop="1"): ...

    How it ended is its tag "outcome": "ok", "error", or "exit" of SystemExit and others
    that are no Exception.  Within another request it counts as a part of that one.
    """

    def __init__(self, kind, name=None, **tags):
        self.kind = kind
        self.name = name
        self.tags = tags

    def __enter__(self):
        begin(self.kind, self.name, self.tags)
        return self

    def __exit__(self, kind, error, trace):
        outcome = "ok"
        if kind is not None:
            outcome = "error" if issubclass(kind, Exception) else "exit"
        end("", outcome=outcome)
        return False

    def __call__(self, function):
        name = self.name or "%s.%s" % (getattr(function, "__module__", "?"),
                                       getattr(function, "__qualname__", "?"))

        @functools.wraps(function)
        def marked(*arguments, **named):
            with type(self)(self.kind, name, **self.tags):
                return function(*arguments, **named)

        return marked


def task(name=None, **tags):
    """request() of a task in the background."""
    return request("TASK", name, **tags)


def command(name=None, **tags):
    """request() of a command: what a process does from its beginning to its end."""
    return request("COMMAND", name, **tags)

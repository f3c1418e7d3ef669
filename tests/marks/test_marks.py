# SPDX-License-Identifier: GPL-2.0-or-later
"""The middleware by itself: the events that it makes, and what it makes of wrong use."""
import asyncio
import contextlib
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import sysconfig
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
MIDDLEWARE = os.path.join(HERE, "..", "..", "deploy", "middleware")
sys.path.insert(0, MIDDLEWARE)
# Nobody listens here but the hook below.
os.environ["PYCOST_MARKS"] = "always"

import pycost_marks
from pycost_marks import asgi, celery, django, flask, semaphore, wsgi

seen = []


def hook(event, arguments):
    if event.startswith("pycost."):
        seen.append((event[7:], *arguments))


sys.addaudithook(hook)


class Nasty:
    def __str__(self):
        raise ValueError("no text")


class MarksTest(unittest.TestCase):
    def setUp(self):
        seen.clear()
        pycost_marks.configure()

    def expect(self, *events):
        self.assertEqual(seen, list(events))
        for event in seen:
            for part in event:
                self.assertIs(type(part), str)


class Plain(MarksTest):
    def test_marks(self):
        pycost_marks.endpoint("/a/<b>")
        pycost_marks.endpoint("/a", arm="B", flags={"y", "x"}, none=None)
        pycost_marks.tag(shop=7, path=["a", 1])
        self.expect(("endpoint", "/a/<b>"), ("endpoint", "/a", "arm", "B", "flags", "x,y"),
                    ("tag", "shop", "7", "path", "a,1"))

    def test_user(self):
        pycost_marks.user(42)
        pycost_marks.configure(user_key="secret")
        pycost_marks.user(42)
        pycost_marks.tag(user=42)
        made = hashlib.blake2b(b"42", key=b"secret", digest_size=16).hexdigest()
        self.expect(("tag", "user", "42"), ("tag", "user_hash", made), ("tag", "user_hash", made))

    def test_another_key_is_another_hash(self):
        pycost_marks.configure(user_key=b"one")
        pycost_marks.user("me")
        pycost_marks.configure(user_key=b"two" * 99)
        pycost_marks.user("me")
        self.assertNotEqual(seen[0], seen[1])

    def test_wrong_use(self):
        for call in (lambda: pycost_marks.endpoint(Nasty()),
                     lambda: pycost_marks.tag(a=Nasty()),
                     lambda: pycost_marks.user(Nasty()),
                     lambda: pycost_marks.configure(user_key=12),
                     lambda: pycost_marks.request(Nasty(), Nasty()).__enter__(),
                     lambda: pycost_marks.endpoint("\0\ud800")):
            call()
        self.expect(("endpoint", "\0\ud800"))

    def test_request(self):
        with pycost_marks.task("reindex", shop="1"):
            pycost_marks.tag(more="2")
        with self.assertRaises(KeyError):
            with pycost_marks.command("load"):
                raise KeyError
        with self.assertRaises(SystemExit):
            with pycost_marks.command("load"):
                sys.exit(3)
        self.expect(("request.begin", "TASK", "reindex", "shop", "1"), ("tag", "more", "2"),
                    ("request.end", "", "outcome", "ok"),
                    ("request.begin", "COMMAND", "load"), ("request.end", "", "outcome", "error"),
                    ("request.begin", "COMMAND", "load"), ("request.end", "", "outcome", "exit"))

    def test_decorator(self):
        @pycost_marks.task()
        def work(a, b=0):
            """What it does."""
            return work(a - 1, b=b) if a else b

        self.assertEqual(work(1, b=2), 2)
        self.assertEqual(work.__doc__, "What it does.")
        name = "%s.%s" % (__name__, work.__qualname__)
        self.expect(("request.begin", "TASK", name), ("request.begin", "TASK", name),
                    ("request.end", "", "outcome", "ok"), ("request.end", "", "outcome", "ok"))


def answer(environ, start_response):
    start_response("201 Created", [])
    return [b"one"]


class Wsgi(MarksTest):
    def call(self, app, **environ):
        environ.update(REQUEST_METHOD="GET", PATH_INFO="/x")
        found = app(environ, lambda *args: None)
        self.assertEqual(b"".join(found), b"one")
        if hasattr(found, "close"):
            found.close()

    def test_plain(self):
        self.call(wsgi.Marks(answer))
        self.expect()

    def test_metadata(self):
        self.call(wsgi.Marks(answer, tags=lambda e: {"path": e["PATH_INFO"]}))
        self.call(wsgi.Marks(answer, tags=lambda e: {"arm": "A"}, endpoint=lambda e: "x"))
        self.expect(("tag", "path", "/x"), ("endpoint", "x", "arm", "A"))

    def test_begin(self):
        self.call(wsgi.Marks(answer, begin=True))
        self.expect(("request.begin", "GET", "/x"), ("request.end", "201"))

    def test_failure(self):
        def fails(environ, start_response):
            raise KeyError("application's own")

        with self.assertRaises(KeyError):
            wsgi.Marks(fails, begin=True)({}, None)
        self.call(wsgi.Marks(answer, tags=lambda e: 1 / 0))
        self.call(wsgi.Marks(answer, tags=lambda e: 7))
        self.expect(("request.begin", "?", ""), ("request.end", "500"))


class Asgi(MarksTest):
    def call(self, app, **scope):
        sent = []

        async def send(message):
            sent.append(message["type"])

        async def main():
            await app(dict(scope, type=scope.get("type", "http")), None, send)

        asyncio.run(main())
        self.assertEqual(sent, ["http.response.start", "http.response.body"])

    @staticmethod
    async def app(scope, receive, send):
        scope["route"] = types.SimpleNamespace(path="/items/{id}")
        await send({"type": "http.response.start"})
        await send({"type": "http.response.body"})

    def test_route(self):
        self.call(asgi.Marks(self.app, tags=lambda s: {"arm": "A"}))
        self.call(asgi.Marks(self.app, endpoint=None))
        self.call(asgi.Marks(self.app), type="websocket")
        self.call(asgi.Marks(self.app, endpoint=lambda s: 1 / 0, tags=lambda s: 1 / 0))
        self.expect(("tag", "arm", "A"), ("endpoint", "/items/{id}"))

    def test_endpoint(self):
        async def app(scope, receive, send):
            scope["endpoint"] = Asgi.call
            await send({"type": "http.response.start"})
            await send({"type": "http.response.body"})

        self.call(asgi.Marks(app))
        self.expect(("endpoint", "%s.Asgi.call" % __name__))

    def test_it_is_a_coroutine_function(self):
        self.assertTrue(asyncio.iscoroutinefunction(asgi.Marks(self.app).__call__)
                        if sys.version_info < (3, 14) else
                        __import__("inspect").iscoroutinefunction(asgi.Marks(self.app).__call__))


class Frameworks(MarksTest):
    """Without these: what they would call, and what happens when they are not there."""

    def match(self, route, name="product"):
        return types.SimpleNamespace(resolver_match=types.SimpleNamespace(
            route=route, view_name=name, url_name=name))

    def test_django(self):
        marks = django.Marks(lambda request: "response")
        for route in ("shop/<int:pk>/", "", "^old/(\\d+)$", None):
            self.assertIsNone(marks.process_view(self.match(route), None, (), {}))
        self.assertIsNone(marks.process_view(None, None, (), {}))
        self.assertEqual(marks("request"), "response")
        self.expect(("endpoint", "/shop/<int:pk>/"), ("endpoint", "/"), ("endpoint", "^old/(\\d+)$"),
                    ("endpoint", "product"))

    def test_django_async(self):
        async def get_response(request):
            return "response"

        for user in False, True:
            with self.settings(user=user):
                marks = django.Marks(get_response)
            self.assertTrue(django.iscoroutinefunction(marks))
            self.assertTrue(django.iscoroutinefunction(marks.process_view))
            self.assertEqual(asyncio.run(marks("request")), "response")
            asyncio.run(marks.process_view(self.match("a/"), None, (), {}))
        self.expect(("endpoint", "/a/"), ("endpoint", "/a/"))

    @contextlib.contextmanager
    def settings(self, **found):
        before, django.settings_read = django.settings_read, lambda: found
        try:
            yield
        finally:
            django.settings_read = before

    def test_django_tags(self):
        with self.settings(tags=lambda request: {"arm": "B"}, user_key="secret"):
            marks = django.Marks(lambda request: "response")
        marks.process_view(self.match("a/"), None, (), {})
        with self.settings(tags=lambda request: 1 / 0):
            marks = django.Marks(lambda request: "response")
        marks.process_view(self.match("a/"), None, (), {})
        pycost_marks.tag(user="x")
        self.assertEqual(seen.pop()[1], "user_hash")
        self.expect(("endpoint", "/a/", "arm", "B"))

    def test_django_user(self):
        with self.settings(user=True):
            marks = django.Marks(lambda request: "response")
        request = types.SimpleNamespace(_cached_user=types.SimpleNamespace(pk=5))
        marks(request)
        marks(types.SimpleNamespace())
        marks(types.SimpleNamespace(_cached_user=types.SimpleNamespace(pk=None)))
        self.assertEqual(marks(None), "response")
        self.expect(("tag", "user", "5"))

    def test_django_command(self):
        class Base:
            def execute(self, *arguments, **options):
                return "done"

        class Command(django.MarkedCommand, Base):
            pass

        Command.__module__ = "shop.management.commands.reindex"
        self.assertEqual(Command().execute(), "done")
        self.expect(("request.begin", "COMMAND", "reindex"), ("request.end", "", "outcome", "ok"))

    def test_absent(self):
        for name in "celery", "flask":
            if name in sys.modules:
                self.skipTest("it is there")
        sys.modules["celery"] = sys.modules["celery.signals"] = None
        try:
            self.assertFalse(celery.connect())
        finally:
            del sys.modules["celery"], sys.modules["celery.signals"]

    def test_flask(self):
        called = []

        class Blueprint:
            before_request = called.append

        class Flask:
            def __init__(self, context=()):
                self.context = context

            def preprocess_request(self, *context):
                assert context == self.context
                pycost_marks.tag(before="request")
                return "found"

        sys.modules["flask"] = types.SimpleNamespace(
            request=types.SimpleNamespace(url_rule=types.SimpleNamespace(rule="/p/<int:id>")))
        try:
            for context in (), ("newer",):
                app = flask.init(Flask(context), tags=lambda: {"arm": "B"})
                self.assertEqual(app.preprocess_request(*context), "found")
            self.assertEqual(flask.init(Flask(), tags=lambda: 1 / 0).preprocess_request(), "found")
            flask.init(Blueprint(), tags=lambda: {"arm": "B"})
            flask.init(object())
        finally:
            del sys.modules["flask"]
        for mark in called:
            self.assertIsNone(mark())
        name, tag = ("endpoint", "/p/<int:id>"), ("tag", "arm", "B")
        before = ("tag", "before", "request")
        self.expect(name, before, tag, name, before, tag, name, before, name, tag)


RAISED = """
import ctypes, sys
sys.path.insert(0, sys.argv[1])
import pycost_marks
from pycost_marks import semaphore, wsgi
seen = []
sys.addaudithook(lambda event, arguments: seen.append(arguments) if "pycost" in event else None)
app = wsgi.Marks(lambda environ, start: environ, tags=lambda environ: {"n": "1"})
for n in 0, 1, 0:
    if semaphore.listening is not False:
        semaphore.listening.value = n
    pycost_marks.tag(n=n)
    app({}, None)
inside = ctypes.cast(ctypes.pythonapi.PySys_Audit, ctypes.c_void_p).value
found = semaphore.address_of_semaphore(inside)
if found is not None:
    assert found == ctypes.addressof(semaphore.listening)
print(found is not None, len(seen))
"""


class Semaphore(unittest.TestCase):
    def test_only_what_is_listened_to(self):
        environment = {name: value for name, value in os.environ.items() if name != "PYCOST_MARKS"}
        told = subprocess.run([sys.executable, "-c", RAISED, MIDDLEWARE], stdout=subprocess.PIPE,
                              env=environment, check=True).stdout.split()
        self.assertIn(told, ([b"True", b"2"], [b"False", b"0"]))
        # Debian's own have the probe.
        if sys.executable.startswith("/usr/bin/"):
            self.assertEqual(told[0], b"True")

    def test_files_that_make_no_sense(self):
        with open("/proc/self/exe", "rb") as file:
            head = file.read(4096)
        for data in (b"", b"\x7fELF", head[:63], head, head[:40] + b"\xff" * 24,
                     b"\x7fELF\2\1" + b"\xff" * 99):
            for look in semaphore.semaphores, semaphore.segment_start:
                try:
                    look(io.BytesIO(data))
                except Exception as error:  # as find() takes it
                    self.assertNotIsInstance(error, MemoryError)

    def test_notes(self):
        def note(provider, name, address, kind=3, owner=b"stapsdt\0", base=0x1000):
            body = struct.pack("<3Q", 0x10, base, address) + b"%s\0%s\0-4@%%eax\0" % (provider, name)
            return (struct.pack("<3I", len(owner), len(body), kind) + owner
                    + body + b"\0" * (-len(body) % 4))

        notes = (note(b"python", b"line", 1) + note(b"other", b"audit", 2)
                 + note(b"python", b"audit", 3, kind=4) + note(b"python", b"audit", 0)
                 + note(b"python", b"audit", 0x5002) + note(b"python", b"audits", 5))
        self.assertEqual(semaphore.semaphores(elf(notes)), {0x5012})
        self.assertEqual(semaphore.semaphores(elf(notes[:-30])), {0x5012})
        self.assertEqual(semaphore.semaphores(elf(b"")), set())


def elf(notes):
    """A file of nothing but notes, whose base has been moved by 16."""
    names = b"\0.note.stapsdt\0.stapsdt.base\0.shstrtab\0"
    sections = [(1, 0, 64, len(notes)), (15, 0x1010, 64, 1),
                (29, 0, 64 + len(notes), len(names))]
    table = b"".join(struct.pack("<2I4Q2I2Q", name, 1, 0, address, at, size, 0, 0, 1, 0)
                     for name, address, at, size in sections)
    head = bytearray(64)
    head[:6] = b"\x7fELF\2\1"
    struct.pack_into("<Q", head, 40, 64 + len(notes) + len(names))
    struct.pack_into("<3H", head, 58, 64, len(sections), 2)
    return io.BytesIO(bytes(head) + notes + names + table)


class Cost(unittest.TestCase):
    """What a request pays when nobody listens."""

    # More where Django makes a coroutine of its own for each middleware, and another is
    # made for the view; and where the interpreter was built without optimizations.
    LIMIT = 200
    LIMITS = {"Django, async": 300}
    UNOPTIMIZED = {"Django, user": 300, "Django, async": 450}

    def test_cost(self):
        environment = {name: value for name, value in os.environ.items() if name != "PYCOST_MARKS"}
        told = json.loads(subprocess.run(
            [sys.executable, os.path.join(HERE, "cost.py"), MIDDLEWARE], stdout=subprocess.PIPE,
            env=environment, check=True).stdout)
        print("a request pays, in ns: " + "; ".join(
            "%s %.0f" % (name, cost) for name, cost in told.items()))
        limits = dict(self.LIMITS)
        if "--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""):
            limits.update(self.UNOPTIMIZED)
        for name, cost in told.items():
            self.assertLess(cost, limits.get(name, self.LIMIT), name)


if __name__ == "__main__":
    unittest.main()

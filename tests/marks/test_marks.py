# SPDX-License-Identifier: GPL-2.0-or-later
"""The middleware by itself: the events that it makes, and what it makes of wrong use."""
import asyncio
import hashlib
import os
import subprocess
import sys
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
MIDDLEWARE = os.path.join(HERE, "..", "..", "deploy", "middleware")
sys.path.insert(0, MIDDLEWARE)

import pycost_marks
from pycost_marks import asgi, celery, django, flask, wsgi

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

        marks = django.Marks(get_response)
        self.assertTrue(django.iscoroutinefunction(marks))
        self.assertEqual(asyncio.run(marks("request")), "response")

    def test_django_user(self):
        marks = django.Marks(lambda request: "response")
        marks.user = True
        request = types.SimpleNamespace(_cached_user=types.SimpleNamespace(pk=5))
        marks(request)
        marks(types.SimpleNamespace())
        marks(types.SimpleNamespace(_cached_user=types.SimpleNamespace(pk=None)))
        marks(None)
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
        sys.modules["flask"] = types.SimpleNamespace(
            request=types.SimpleNamespace(url_rule=types.SimpleNamespace(rule="/p/<int:id>")))
        try:
            flask.init(types.SimpleNamespace(before_request=called.append))
            flask.init(types.SimpleNamespace(before_request=called.append),
                       tags=lambda: {"arm": "B"})
            flask.init(object())
        finally:
            del sys.modules["flask"]
        for mark in called:
            self.assertIsNone(mark())
        self.expect(("endpoint", "/p/<int:id>"), ("endpoint", "/p/<int:id>", "arm", "B"))


COST = """
import sys, timeit
sys.path.insert(0, sys.argv[1])
import types, pycost_marks
from pycost_marks import django, wsgi
def app(environ, start_response): return environ
def best(f): return min(timeit.repeat(f, number=20000, repeat=15)) / 20000 * 1e9
request = types.SimpleNamespace(resolver_match=types.SimpleNamespace(route="a/<b>/"))
marks = django.Marks(lambda r: r)
plain = lambda r: r
view = marks.process_view
environ = {}
bare = wsgi.Marks(app)
tagged = wsgi.Marks(app, tags=lambda e: {"arm": "A"})
print(best(lambda: app(environ, None)), best(lambda: bare(environ, None)),
      best(lambda: tagged(environ, None)), best(lambda: plain(request)),
      best(lambda: (view(request, None, (), {}), marks(request))),
      best(lambda: pycost_marks.endpoint("/a/<b>")))
"""


class Cost(unittest.TestCase):
    """What a request pays when nobody listens.  In a process that has no audit hook."""

    def test_cost(self):
        told = subprocess.run([sys.executable, "-c", COST, MIDDLEWARE], stdout=subprocess.PIPE,
                              check=True).stdout.split()
        app, bare, tagged, handler, view, mark = map(float, told)
        print("a request pays, in ns: WSGI %.0f, with a tag %.0f; Django %.0f; a mark %.0f"
              % (bare - app, tagged - app, view - handler, mark))
        # Several times as much as a quiet machine needs: others may be running here.
        self.assertLess(view - handler, 2000)
        self.assertLess(bare - app, 1000)


if __name__ == "__main__":
    unittest.main()

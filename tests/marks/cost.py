# SPDX-License-Identifier: GPL-2.0-or-later
"""What a request pays for the middleware when nobody listens, in nanoseconds.

    cost.py MIDDLEWARE      prints {"WSGI": 81.2, ...}

In a process that has no audit hook.  Frameworks are stood for by what they do around
their middleware: with it, and without it, by turns in rounds of some microseconds. The
least of each that many rounds took is what a machine takes that does nothing else.
"""
import json
import sys
import time
import types

sys.path.insert(0, sys.argv[1])
from pycost_marks import asgi, django, endpoint, flask, semaphore, tag, wsgi

ROUNDS, CALLS = 1500, range(100)


class Holder:
    pass


REQUEST = Holder()
REQUEST.resolver_match = Holder()
REQUEST.resolver_match.route = "a/<b>/"


def tags(about):
    return {"arm": "A", "flags": ["new", "fast"]}


def calls(function, *arguments):
    def round_():
        for _ in CALLS:
            function(*arguments)
    return round_


def awaits(function, *arguments):
    async def rounds():
        for _ in CALLS:
            await function(*arguments)

    def round_():
        try:
            rounds().send(None)
        except StopIteration:
            pass
    return round_


def wsgi_app(environ, start_response):
    return environ


async def send(message):
    pass


async def asgi_app(scope, receive, send):
    await send({"type": "http.response.start"})
    await send({"type": "http.response.body"})


def converted(get_response):
    """As django.core.handlers.exception.convert_exception_to_response()."""
    if django.iscoroutinefunction(get_response):
        async def inner(request):
            try:
                response = await get_response(request)
            except Exception:
                response = None
            return response
    else:
        def inner(request):
            try:
                response = get_response(request)
            except Exception:
                response = None
            return response
    return inner


def django_chain(*middleware):
    """As django.core.handlers.base.BaseHandler.load_middleware() and _get_response()."""
    views = []

    def get_response(request):
        response = None
        for view in views:
            response = view(request, get_response, (), {})
            if response:
                break
        return response

    handler = converted(get_response)
    for made in middleware:
        instance = made(handler)
        views.insert(0, instance.process_view)
        handler = converted(instance)
    return handler


def django_chain_async(*middleware):
    views = []

    async def get_response(request):
        response = None
        for view in views:
            response = await view(request, get_response, (), {})
            if response:
                break
        return response

    handler = converted(get_response)
    for made in middleware:
        instance = made(handler)
        views.insert(0, instance.process_view)
        handler = converted(instance)
    return handler


def django_marks(**settings):
    def made(get_response):
        django.settings_read = lambda: settings
        return django.Marks(get_response)
    return made


class Flask:
    def preprocess_request(self):
        return None

    def full_dispatch_request(self):
        rv = self.preprocess_request()
        if rv is None:
            rv = 1
        return rv


def flask_app(init):
    sys.modules["flask"] = types.SimpleNamespace(request=None)
    app = Flask()
    if init:
        flask.init(app, tags=lambda: tags(None))
    return app.full_dispatch_request


def nothing():
    pass


ARMS = {
    "WSGI": (calls(wsgi_app, {}, None),
             calls(wsgi.Marks(wsgi_app, tags=tags, endpoint=lambda environ: "x"), {}, None)),
    "WSGI, begin": (calls(wsgi_app, {}, None),
                    calls(wsgi.Marks(wsgi_app, tags=tags, begin=True), {}, None)),
    "ASGI": (awaits(asgi_app, {"type": "http"}, None, send),
             awaits(asgi.Marks(asgi_app, tags=tags), {"type": "http"}, None, send)),
    "Django": (calls(django_chain(), REQUEST),
               calls(django_chain(django_marks(tags=tags)), REQUEST)),
    "Django, user": (calls(django_chain(), REQUEST),
                     calls(django_chain(django_marks(tags=tags, user=True)), REQUEST)),
    "Django, async": (awaits(django_chain_async(), REQUEST),
                      awaits(django_chain_async(django_marks(tags=tags)), REQUEST)),
    "Flask": (calls(flask_app(False)), calls(flask_app(True))),
    "a mark": (calls(nothing), calls(lambda: endpoint("/a/<b>"))),
    "a tag": (calls(nothing), calls(lambda: tag(arm="A"))),
}


def least(functions):
    """Of the rounds of each, in ns."""
    clock, found = time.perf_counter_ns, [1e18] * len(functions)
    for _ in range(ROUNDS):
        for n, function in enumerate(functions):
            start = clock()
            function()
            found[n] = min(found[n], clock() - start)
    return found


if __name__ == "__main__":
    if semaphore.listening:
        sys.exit("somebody listens, or the semaphore is not found")
    told = least([function for pair in ARMS.values() for function in pair])
    print(json.dumps({name: (told[2 * n + 1] - told[2 * n]) / len(CALLS)
                      for n, name in enumerate(ARMS)}))

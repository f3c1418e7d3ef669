# SPDX-License-Identifier: GPL-2.0-or-later
"""Any ASGI 3 application:  app = Marks(app, tags=lambda scope: {...})

tags(scope) gives {key: value} before the application runs.  The endpoint is what
Starlette and FastAPI have found by the time that the answer begins, the route's path;
or what endpoint(scope) says then.  endpoint=None: none is marked, which is cheaper.
Neither is asked while nobody listens.
"""
from . import audit, flat, listening


def route_of(scope):
    """The path of the route as it was written: /items/{id}."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    if path is None:
        found = scope.get("endpoint")
        if found is None:
            return None
        return "%s.%s" % (getattr(found, "__module__", "?"), getattr(found, "__qualname__", "?"))
    return path


class Marks:
    def __init__(self, app, tags=None, endpoint=route_of):
        self.app = app
        self.tags = tags
        self.endpoint = endpoint
        # Servers ask whether this is a coroutine function: it is. What they then call is
        # the class's own, which spares a coroutine when nobody listens.
        self.__call__ = self.called

    def __call__(self, scope, receive, send):
        if listening:
            return self.marked(scope, receive, send)
        return self.app(scope, receive, send)

    async def called(self, scope, receive, send):
        return await Marks.__call__(self, scope, receive, send)

    async def marked(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if self.tags is not None:
            try:
                audit("pycost.tag", *flat(self.tags(scope)))
            except Exception:
                pass
        if self.endpoint is None:
            return await self.app(scope, receive, send)

        def marking(message):
            if message["type"] == "http.response.start":
                try:
                    name = self.endpoint(scope)
                    if name:
                        audit("pycost.endpoint", name)
                except Exception:
                    pass
            return send(message)

        return await self.app(scope, receive, marking)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Any WSGI application:  app = Marks(app, tags=lambda environ: {"arm": arm_of(environ)})

tags(environ) gives {key: value}, and endpoint(environ) a name, before the application
runs; they are asked only while somebody listens.  What it knows only later, it says
itself: pycost_marks.endpoint(), tag().

begin=True is for servers whose own connections pycost cannot read, such as those that
speak a protocol of their own with a server in front: then each call is a request, of
the environ's method and path, and lasts until its answer has been given to the server.
"""
from . import audit, begin as begin_request, end as end_request, endpoint as mark_endpoint
from . import flat, listening


def Marks(app, tags=None, endpoint=None, begin=False):
    """A function and no class, and as little in what it makes as can be."""
    if not begin and tags is None and endpoint is None:
        return app

    def mark(environ):
        try:
            found = tags(environ) if tags is not None else None
            if endpoint is not None:
                mark_endpoint(endpoint(environ) or "", **(found or {}))
            elif found:
                audit("pycost.tag", *flat(found))
        except Exception:
            pass

    if begin:
        def marked(environ, start_response):
            if listening:
                return requested(app, mark, environ, start_response)
            return app(environ, start_response)
    else:
        def marked(environ, start_response):
            if listening:
                mark(environ)
            return app(environ, start_response)

    return marked


def requested(app, mark, environ, start_response):
    status = []

    def start(line, *rest):
        status[:] = [line]
        return start_response(line, *rest)

    begin_request(environ.get("REQUEST_METHOD", "?"),
                  environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
    mark(environ)
    try:
        answer = app(environ, start)
    except BaseException:
        end_request("500")
        raise
    return Answer(answer, status)


class Answer:
    """An application's answer, whose end is marked when the server closes it."""

    def __init__(self, answer, status):
        self.answer = answer
        self.status = status

    def __iter__(self):
        return iter(self.answer)

    def __len__(self):
        return len(self.answer)

    def close(self):
        try:
            if hasattr(self.answer, "close"):
                self.answer.close()
        finally:
            end_request(self.status[0][:3] if self.status else "")

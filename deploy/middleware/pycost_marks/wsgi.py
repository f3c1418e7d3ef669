# SPDX-License-Identifier: GPL-2.0-or-later
"""Any WSGI application:  app = Marks(app, tags=lambda environ: {"arm": arm_of(environ)})

tags(environ) gives {key: value}, and endpoint(environ) a name, before the application
runs.  What it knows only later, it says itself: pycost_marks.endpoint(), tag().

begin=True is for servers whose own connections pycost cannot read, such as those that
speak a protocol of their own with a server in front: then each call is a request, of
the environ's method and path, and lasts until its answer has been given to the server.
"""
from . import audit, begin as begin_request, end as end_request, endpoint as mark_endpoint
from . import flat


class Marks:
    def __init__(self, app, tags=None, endpoint=None, begin=False):
        self.app = app
        self.tags = tags
        self.endpoint = endpoint
        self.begin = begin

    def __call__(self, environ, start_response):
        if self.begin:
            return self.requested(environ, start_response)
        if self.endpoint is not None or self.tags is not None:
            self.mark(environ)
        return self.app(environ, start_response)

    def mark(self, environ):
        try:
            tags = self.tags(environ) if self.tags is not None else None
            if self.endpoint is not None:
                mark_endpoint(self.endpoint(environ) or "", **(tags or {}))
            elif tags:
                audit("pycost.tag", *flat(tags))
        except Exception:
            pass

    def requested(self, environ, start_response):
        status = []

        def start(line, *rest):
            status[:] = [line]
            return start_response(line, *rest)

        begin_request(environ.get("REQUEST_METHOD", "?"),
                      environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        self.mark(environ)
        try:
            answer = self.app(environ, start)
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

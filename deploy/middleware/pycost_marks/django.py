# SPDX-License-Identifier: GPL-2.0-or-later
"""Django, synchronous or not:  MIDDLEWARE = [..., "pycost_marks.django.Marks"]

The endpoint is the route of the URL as it was written: /shop/product/<int:pk>/.  In
settings, all of it optional:

    PYCOST_MARKS = {
        "user": True,                   # who it is, hashed: see pycost_marks.user()
        "user_key": "a secret",         # hash it here and not in pycost
        "tags": "shop.marks.tags",      # tags(request) gives {"flags": ..., "arm": ...}
    }

Who it is is told only when the view, or another middleware, has asked for it: no query
is made.  MarkedCommand makes a management command count as a request:

    class Command(MarkedCommand, BaseCommand): ...
"""
import inspect

from . import audit, command, configure, flat, user

try:
    from asgiref.sync import iscoroutinefunction
except ImportError:
    if hasattr(inspect, "markcoroutinefunction"):  # from 3.12 on
        from inspect import iscoroutinefunction
    else:
        from asyncio import iscoroutinefunction


def settings_read():
    try:
        from django.conf import settings
        from django.utils.module_loading import import_string

        found = dict(getattr(settings, "PYCOST_MARKS", None) or {})
        if isinstance(found.get("tags"), str):
            found["tags"] = import_string(found["tags"])
        return found
    except Exception:
        return {}


class Marks:
    sync_capable = True
    async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        found = settings_read()
        self.tags = found.get("tags")
        self.user = bool(found.get("user"))
        self.names = {}
        if found.get("user_key"):
            configure(user_key=found["user_key"])
        if self.is_async:
            self.be_coroutine()

    def be_coroutine(self):
        """As django.utils.deprecation.MiddlewareMixin does: the instance is to be awaited."""
        mark = getattr(inspect, "markcoroutinefunction", None)
        if mark is not None:
            mark(self)
        else:
            import asyncio

            self._is_coroutine = asyncio.coroutines._is_coroutine

    def __call__(self, request):
        if not self.user:
            return self.get_response(request)
        return self.later(request) if self.is_async else self.with_user(request)

    def with_user(self, request):
        response = self.get_response(request)
        self.mark_user(request)
        return response

    async def later(self, request):
        response = await self.get_response(request)
        self.mark_user(request)
        return response

    def process_view(self, request, view, arguments, named):
        try:
            match = request.resolver_match
            try:
                name = self.names[match.route]
            except KeyError:
                name = self.name(match)
            if self.tags is None:
                audit("pycost.endpoint", name)
            else:
                audit("pycost.endpoint", name, *flat(self.tags(request) or {}))
        except Exception:
            pass

    def name(self, match):
        """The route of path() from its "/" on, that of re_path() as it is."""
        route = match.route
        if route is None:
            return match.view_name or ""
        name = route if route.startswith("^") else "/" + route
        if len(self.names) < 4096:
            self.names[route] = name
        return name

    def mark_user(self, request):
        """What django.contrib.auth keeps of whom it has looked up."""
        try:
            found = request.__dict__.get("_cached_user") or request.__dict__.get("_acached_user")
            if found is not None and found.pk is not None:
                user(found.pk)
        except Exception:
            pass


class MarkedCommand:
    """Before BaseCommand among the bases."""

    def execute(self, *arguments, **options):
        with command(type(self).__module__.rpartition(".")[2]):
            return super().execute(*arguments, **options)

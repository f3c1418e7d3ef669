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
import functools
import inspect

from . import audit, command, configure, flat, listening, user

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


def Marks(get_response):
    """A function and no class, and as little in what it makes as can be."""
    found = settings_read()
    if found.get("user_key"):
        configure(user_key=found["user_key"])
    is_async = iscoroutinefunction(get_response)
    handler = handler_of(get_response, bool(found.get("user")), is_async)
    handler.process_view = view_mark(found.get("tags"), is_async)
    return handler


Marks.sync_capable = True
Marks.async_capable = True


def handler_of(get_response, of_user, is_async):
    """What is called for each request; it can be given attributes."""
    if of_user and is_async:
        async def marked(request):
            response = await get_response(request)
            if listening:
                mark_user(request)
            return response
    elif of_user:
        def marked(request):
            response = get_response(request)
            if listening:
                mark_user(request)
            return response
    elif is_async:
        def marked(request):
            return get_response(request)

        be_coroutine(marked)
    else:
        # The same, less a call.
        marked = functools.partial(get_response)
    return marked


def be_coroutine(function):
    """As django.utils.deprecation.MiddlewareMixin does: it is to be awaited."""
    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is not None:
        mark(function)
    else:
        import asyncio

        function._is_coroutine = asyncio.coroutines._is_coroutine


def view_mark(tags, is_async):
    """Called before the view.  Were it of another kind than the handler, Django would
    call it in a thread, or a loop, of its own."""
    names = {}

    def mark(request):
        try:
            name = name_of(request.resolver_match, names)
            if tags is None:
                audit("pycost.endpoint", name)
            else:
                audit("pycost.endpoint", name, *flat(tags(request) or {}))
        except Exception:
            pass

    if is_async:
        async def process_view(request, view, arguments, named):
            if listening:
                mark(request)
    else:
        def process_view(request, view, arguments, named):
            if listening:
                mark(request)

    return process_view


def name_of(match, names):
    """The route of path() from its "/" on, that of re_path() as it is."""
    route = match.route
    if route is None:
        return match.view_name or ""
    name = names.get(route)
    if name is None:
        name = route if route.startswith("^") else "/" + route
        if len(names) < 4096:
            names[route] = name
    return name


def mark_user(request):
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

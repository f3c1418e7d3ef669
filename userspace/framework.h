/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What web frameworks have between the server and the view function, by the names of
 * their functions.
 *
 * From the sources of Django 1.11 to 5.2 (django/core/handlers/base.py: _get_response,
 * _get_response_async; views/generic/base.py: View), Flask 0.12 to 3.1 (flask/app.py:
 * dispatch_request; flask/views.py), Starlette 0.20 to 0.46 (starlette/routing.py:
 * request_response; endpoints.py), FastAPI (fastapi/routing.py: run_endpoint_function),
 * aiohttp 3 (aiohttp/web_app.py: _handle), Bottle 0.12 (bottle.py: Bottle._handle,
 * Route.call), Pyramid 1.10 and 2.0 (pyramid/viewderivers.py), asgiref 3 (asgiref/sync.py)
 * and anyio (anyio/_backends/_asyncio.py: WorkerThread.run).
 */
#ifndef PYCOST_FRAMEWORK_H
#define PYCOST_FRAMEWORK_H

#include <stdbool.h>

#include "userspace/sink.h"

enum framework_role {
	FRAMEWORK_NONE,	    /* the application's own, for all that is known */
	FRAMEWORK_DISPATCH, /* calls views, through wrappers or not */
	FRAMEWORK_RUNNER,   /* runs views among other things: threads for an event loop */
	FRAMEWORK_WRAPPER,  /* what it calls may be the view: decorators, class-based views */
	FRAMEWORK_GENERIC,  /* a class-based view's method that is not the application's own */
	FRAMEWORK_PLUMBING, /* neither it nor what it calls is a view of the request */
};
enum framework_role framework_role(const struct sink_function *f);

/*
 * Of the functions that this wrapper calls, whether this one is known to be what it wraps:
 * a class-based view calls its methods by the request's.
 */
bool framework_wraps(const struct sink_function *wrapper, const struct sink_function *callee);

#endif

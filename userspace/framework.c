/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/framework.h"

#include <stddef.h>
#include <string.h>

struct function_name {
	const char *module;
	const char *qualname; /* NULL: any; one that ends in '*' is a prefix */
};

/* They call views. */
static const struct function_name dispatchers[] = {
	{ "django.core.handlers.base", "BaseHandler._get_response" },
	{ "django.core.handlers.base", "BaseHandler._get_response_async" },
	/* Before Django 3.1, which has no other; 1.11 calls it from there. */
	{ "django.core.handlers.base", "BaseHandler._legacy_get_response" },
	{ "flask.app", "Flask.dispatch_request" },
	{ "fastapi.routing", "run_endpoint_function" },
	{ "starlette.routing", "request_response.<locals>.app*" },
	{ "aiohttp.web_app", "Application._handle" },
	{ "bottle", "Route.call" },
	{ "bottle", "Bottle._handle" },
	/* A view that takes context and request is called by whichever deriver is last. */
	{ "pyramid.viewderivers", "DefaultViewMapper.*" },
	{ "pyramid.viewderivers", "rendered_view.<locals>*" },
	{ "pyramid.viewderivers", "csrf_view.<locals>*" },
	{ "pyramid.viewderivers", "http_cached_view.<locals>*" },
	{ "pyramid.viewderivers", "_secured_view.<locals>.secured_view" },
};

/* Threads that run a view for an event loop, and the other way round. */
static const struct function_name runners[] = {
	{ "asgiref.sync", "SyncToAsync.thread_handler" },
	{ "asgiref.sync", "AsyncToSync.main_wrap" },
	{ "anyio._backends._asyncio", "WorkerThread.run" },
};

/* Of the frameworks, but a step on the way to the view. */
static const struct function_name wrappers[] = {
	{ "django.views.generic.base", "View.as_view.<locals>.view" },
	{ "django.views.generic.base", "View.dispatch" },
	{ "django.views.decorators", NULL },
	{ "django.utils.decorators", NULL },
	{ "django.contrib.auth.decorators", NULL },
	{ "django.contrib.auth.mixins", NULL },
	{ "contextlib", "ContextDecorator.__call__.<locals>.inner" },
	{ "contextlib", "AsyncContextDecorator.__call__.<locals>.inner" },
	{ "rest_framework.views", "APIView.as_view*" },
	{ "rest_framework.views", "APIView.dispatch" },
	{ "rest_framework.viewsets", "ViewSetMixin.as_view.<locals>.view" },
	{ "rest_framework.decorators", NULL },
	{ "flask.views", "View.as_view.<locals>.view" },
	{ "flask.views", "MethodView.dispatch_request" },
	{ "flask_login.utils", NULL },
	{ "starlette.endpoints", "HTTPEndpoint.dispatch" },
	{ "starlette.authentication", NULL },
	{ "aiohttp.web_urldispatcher", "View._iter" },
	{ "aiohttp.web_urldispatcher", "_default_expect_handler" },
	{ "bottle", "Route._make_callback*" },
	{ "bottle", "JSONPlugin.apply.<locals>.wrapper" },
	{ "bottle", "TemplatePlugin.apply*" },
	{ "bottle", "view.<locals>*" },
};

/* Modules of views to be made one's own by a class. */
static const char *const generics[] = {
	"django.views.generic", "rest_framework.generics", "rest_framework.mixins",
	"rest_framework.viewsets",
};

/* Modules, and all below them, in which there is no view but by those tables. */
static const char *const plumbing[] = {
	"django.core", "django.urls", "django.conf", "django.template", "django.utils",
	"django.db", "django.dispatch", "django.http", "django.middleware", "django.test",
	"django.apps", "django.forms", "django.shortcuts", "asgiref", "flask", "werkzeug",
	"starlette", "fastapi", "pydantic", "anyio", "aiohttp", "asyncio", "concurrent",
	"bottle", "pyramid", "threading", "zope", "webob", "logging", "contextlib", "functools",
	"inspect", "importlib", "gunicorn", "uvicorn", "opentelemetry", "sentry_sdk", "weakref",
	"rest_framework.views", "rest_framework.request", "rest_framework.settings",
	"rest_framework.negotiation", "rest_framework.compat", "rest_framework.serializers",
	"rest_framework.response", "rest_framework.pagination", "rest_framework.fields",
	"typing", "enum", "abc",
};

/* Methods of middleware and the like, which frameworks call beside the view. */
static const char *const other_methods[] = {
	"__init__",
	"process_request", "process_view", "process_response", "process_exception",
	"process_template_response",
};

/* What decorators call the function that they put in the place of the decorated one. */
static const char *const wrapper_names[] = {
	"wrapper",   "_wrapper",   "wrapped",	 "_wrapped",	 "wrap",      "_wrap",
	"inner",     "_inner",	   "decorated",	 "_decorated",	 "decorator", "_decorator",
	"new_func",  "wrapped_f",  "wrapped_func", "wrapped_view", "_wrapped_view",
	"_wrapper_view", "_view_wrapper", "view_wrapper", "wrapper_func", "wrapped_function",
	"decorated_function", "decorated_view", "inner_func", "inner_wrapper", "async_wrapper",
	"sync_wrapper", "func_wrapper",
};

static const char *const request_methods[] = { "get",	 "post",    "put",   "patch", "delete",
					       "head",	 "options", "trace", "http_method_not_allowed" };

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}
#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof(*(names)))

/* The module itself, or one below it. */
static bool is_within(const char *module, const char *package)
{
	size_t size = strlen(package);

	return !strncmp(module, package, size) && (!module[size] || module[size] == '.');
}

static bool is_within_any(const char *module, const char *const *packages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_within(module, packages[i]))
			return true;
	return false;
}

static bool qualname_matches(const char *qualname, const char *pattern)
{
	size_t size;

	if (!pattern)
		return true;
	size = strlen(pattern);
	return pattern[size - 1] == '*' ? !strncmp(qualname, pattern, size - 1)
					: !strcmp(qualname, pattern);
}

static bool is_named(const struct sink_function *f, const struct function_name *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_within(f->module, names[i].module) &&
		    qualname_matches(f->qualname, names[i].qualname))
			return true;
	return false;
}
#define IS_NAMED(f, names) is_named(f, names, sizeof(names) / sizeof(*(names)))

enum framework_role framework_role(const struct sink_function *f)
{
	if (IS_NAMED(f, dispatchers))
		return FRAMEWORK_DISPATCH;
	if (IS_NAMED(f, runners))
		return FRAMEWORK_RUNNER;
	if (IS_NAMED(f, wrappers))
		return FRAMEWORK_WRAPPER;
	if (IS_ONE_OF(f->name, other_methods))
		return FRAMEWORK_PLUMBING;
	if (is_within_any(f->module, generics, sizeof(generics) / sizeof(*generics)))
		return FRAMEWORK_GENERIC;
	if (is_within_any(f->module, plumbing, sizeof(plumbing) / sizeof(*plumbing)))
		return FRAMEWORK_PLUMBING;
	/* Samples do not tell what a closure wraps.  Views of an application factory are closures. */
	if (strstr(f->qualname, ".<locals>.") && IS_ONE_OF(f->name, wrapper_names))
		return FRAMEWORK_WRAPPER;
	/* A class-based view's own dispatch() calls the next one's, or its methods. */
	if (*f->class_name && (!strcmp(f->name, "dispatch") || !strcmp(f->name, "dispatch_request")))
		return FRAMEWORK_WRAPPER;
	return *f->wraps || strstr(f->name, "middleware") ? FRAMEWORK_WRAPPER : FRAMEWORK_NONE;
}

/* The methods that a class-based view may call: by the request's, or the next dispatch(). */
static bool is_handler(const struct sink_function *f)
{
	return IS_ONE_OF(f->name, request_methods) || !strcmp(f->name, "dispatch") ||
	       !strcmp(f->name, "dispatch_request");
}

bool framework_wraps(const struct sink_function *wrapper, const struct sink_function *callee)
{
	if (*wrapper->wraps)
		return !strcmp(callee->qualname, wrapper->wraps);
	if (!strcmp(wrapper->name, "dispatch") || !strcmp(wrapper->name, "dispatch_request") ||
	    !strcmp(wrapper->qualname, "View._iter"))
		return is_handler(callee) || *callee->wraps;
	return false;
}

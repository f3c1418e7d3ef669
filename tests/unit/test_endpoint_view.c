/* SPDX-License-Identifier: GPL-2.0-or-later */
/* View functions in call trees as frameworks make them. */
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/endpoint_view.h"

struct call {
	int depth; /* 1: below the root */
	const char *module, *qualname, *class_name, *wraps;
	uint64_t self;
};

static const char *last_part(const char *qualname)
{
	const char *dot = strrchr(qualname, '.');

	return dot ? dot + 1 : qualname;
}

static struct profile *begin(void)
{
	struct sink_meta meta = { .metric = METRIC_INSTRUCTIONS, .host = "", .kernel = "",
				  .version = "", .requests = true };
	struct sink_process process = { 7, 0, "python3", "3.12.1", "/usr/bin/python3", 0 };
	struct sink_endpoint e[] = { { 1, ENDPOINT_PATTERN, "GET", "/a", 0 },
				     { 2, ENDPOINT_PATTERN, "GET", "/b", 0 } };
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT_FATAL(!p->sink.meta(&p->sink, &meta) && !p->sink.process(&p->sink, &process) &&
			!p->sink.endpoint(&p->sink, &e[0]) && !p->sink.endpoint(&p->sink, &e[1]));
	return p;
}

/* A tree of an endpoint: each call has a function of its own. */
static void tell(struct profile *p, uint32_t endpoint, const struct call *calls, size_t count)
{
	struct sink_node root = { p->node_count, 0, 0, 7, 0, endpoint };
	uint32_t path[32] = { root.id };

	CU_ASSERT_FATAL(!p->sink.node(&p->sink, &root));
	for (size_t i = 0; i < count; i++) {
		const struct call *c = &calls[i];
		struct sink_function f = { p->function_count, last_part(c->qualname), c->qualname,
					   c->class_name ? c->class_name : "", c->module, "f.py",
					   c->wraps ? c->wraps : "", 1 };
		struct sink_node n = { p->node_count, path[c->depth - 1], f.id, 7 };
		struct sink_cost cost = { n.id, 1, c->self };

		path[c->depth] = n.id;
		CU_ASSERT_FATAL(!p->sink.function(&p->sink, &f) && !p->sink.node(&p->sink, &n) &&
				!p->sink.cost(&p->sink, &cost));
	}
}
#define TELL(p, endpoint, ...)                                                  \
	tell(p, endpoint, (struct call[]){ __VA_ARGS__ },                       \
	     sizeof((struct call[]){ __VA_ARGS__ }) / sizeof(struct call))

static void expect(struct profile *p, uint32_t endpoint, const char *text)
{
	struct endpoint_views views;

	CU_ASSERT_FATAL(!endpoint_views_compute(p, &views));
	if (strcmp(endpoint_view_text(&views, endpoint), text))
		fprintf(stderr, "expected '%s', got '%s'\n", text,
			endpoint_view_text(&views, endpoint));
	CU_ASSERT_STRING_EQUAL(endpoint_view_text(&views, endpoint), text);
	endpoint_views_free(&views);
}

#define EXPECT(text, ...)                    \
	do {                                 \
		struct profile *p_ = begin();\
		TELL(p_, 1, __VA_ARGS__);    \
		expect(p_, 1, text);         \
		profile_free(p_);            \
	} while (0)

#define DJANGO { 1, "django.core.handlers.wsgi", "WSGIHandler.__call__", "WSGIHandler", 0, 100 }, \
	       { 2, "shop.middleware", "StatsMiddleware.__call__", "StatsMiddleware", 0, 900 }, \
	       { 3, "django.core.handlers.base", "BaseHandler._get_response", "BaseHandler", 0, 50 }

static void test_django(void)
{
	EXPECT("shop.views.product", DJANGO,
	       { 4, "django.core.handlers.base", "BaseHandler.resolve_request", "BaseHandler", 0, 500 },
	       { 5, "django.urls.resolvers", "URLResolver.resolve", "URLResolver", 0, 500 },
	       { 4, "shop.middleware", "StatsMiddleware.process_view", "StatsMiddleware", 0, 5000 },
	       { 4, "django.core.handlers.base", "BaseHandler.make_view_atomic", "BaseHandler", 0, 9 },
	       { 4, "shop.views", "product", 0, 0, 10 },
	       { 5, "shop.models", "Product.load", "Product", 0, 100000 },
	       { 4, "django.template.response", "SimpleTemplateResponse.render",
		 "SimpleTemplateResponse", 0, 900000 });
}

static void test_django_wrapped(void)
{
	EXPECT("shop.views.pay", DJANGO,
	       { 4, "django.views.decorators.csrf", "csrf_exempt.<locals>._view_wrapper", 0,
		 "login_required.<locals>.inner", 5 },
	       { 5, "shop.auth", "login_required.<locals>.inner", 0, "pay", 5 },
	       { 6, "shop.auth", "user_of", 0, 0, 70000 },
	       { 6, "shop.views", "pay", 0, 0, 10 });
	/* Samples do not tell what is wrapped: by the name, and what is dear in it. */
	EXPECT("shop.views.pay", DJANGO,
	       { 4, "shop.tools", "counted.<locals>.wrapper", 0, 0, 5 },
	       { 5, "shop.tools", "clock", 0, 0, 1700 },
	       { 5, "shop.views", "pay", 0, 0, 9000 });
	EXPECT("shop.create.<locals>.pay", DJANGO,
	       { 4, "shop", "create.<locals>.pay", 0, 0, 5 },
	       { 5, "shop.models", "save", 0, 0, 9000 });
	/* ATOMIC_REQUESTS; and a decorator that does not say what it wraps. */
	EXPECT("shop.views.pay", DJANGO,
	       { 4, "contextlib", "ContextDecorator.__call__.<locals>.inner", 0, 0, 5 },
	       { 5, "django.db.transaction", "Atomic.__enter__", "Atomic", 0, 80000 },
	       { 5, "django.contrib.auth.decorators",
		 "user_passes_test.<locals>.decorator.<locals>._wrapper_view", 0, 0, 5 },
	       { 6, "django.contrib.auth.decorators", "login_required.<locals>.<lambda>", 0, 0, 8 },
	       { 6, "shop.views", "pay", 0, 0, 90000 });
}

static void test_django_class(void)
{
	EXPECT("shop.views.CartView.post", DJANGO,
	       { 4, "django.views.generic.base", "View.as_view.<locals>.view", 0, 0, 5 },
	       { 5, "django.views.generic.base", "View.setup", "View", 0, 3 },
	       { 5, "shop.views", "CartView.dispatch", "CartView", 0, 5 },
	       { 6, "shop.views", "CartView.check", "CartView", 0, 70000 },
	       { 6, "django.views.generic.base", "View.dispatch", "View", 0, 5 },
	       { 7, "shop.views", "CartView.post", "CartView", 0, 100 },
	       { 8, "shop.cart", "Cart.add", "Cart", 0, 5000 });
}

/* Its get() is the framework's: the class says which view it is. */
static void test_django_generic(void)
{
	EXPECT("shop.views.ReportView", DJANGO,
	       { 4, "django.views.generic.base", "View.as_view.<locals>.view", 0, 0, 5 },
	       { 5, "django.views.generic.base", "View.dispatch", "View", 0, 5 },
	       { 6, "django.views.generic.list", "BaseListView.get", "BaseListView", 0, 100 },
	       { 7, "shop.views", "ReportView.get_queryset", "ReportView", 0, 400 },
	       { 7, "django.views.generic.list", "MultipleObjectMixin.get_context_data",
		 "MultipleObjectMixin", 0, 50 },
	       { 8, "shop.views", "ReportView.get_paginate_by", "ReportView", 0, 400 });
	EXPECT("django.views.generic.base.RedirectView.get", DJANGO,
	       { 4, "django.views.generic.base", "View.as_view.<locals>.view", 0, 0, 5 },
	       { 5, "django.views.generic.base", "View.dispatch", "View", 0, 5 },
	       { 6, "django.views.generic.base", "RedirectView.get", "RedirectView", 0, 100 });
}

static void test_django_async(void)
{
	EXPECT("shop.views.feed",
	       { 1, "django.core.handlers.base", "BaseHandler._get_response_async", "BaseHandler", 0, 9 },
	       { 2, "shop.views", "feed", 0, 0, 10 },
	       { 3, "asgiref.sync", "SyncToAsync.__call__", "SyncToAsync", 0, 10 },
	       /* What a view has a thread do is no view. */
	       { 1, "asgiref.sync", "SyncToAsync.thread_handler", "SyncToAsync", 0, 4 },
	       { 2, "shop.models", "load", 0, 0, 900000 });
	EXPECT("shop.views.feed",
	       { 1, "django.core.handlers.base", "BaseHandler._get_response_async", "BaseHandler", 0, 9 },
	       { 2, "asgiref.sync", "SyncToAsync.__call__", "SyncToAsync", 0, 10 },
	       { 1, "asgiref.sync", "SyncToAsync.thread_handler", "SyncToAsync", 0, 4 },
	       { 2, "shop.views", "feed", 0, 0, 900000 });
}

static void test_flask(void)
{
	EXPECT("shop.product",
	       { 1, "flask.app", "Flask.wsgi_app", "Flask", 0, 5 },
	       { 2, "flask.app", "Flask.full_dispatch_request", "Flask", 0, 5 },
	       { 3, "shop", "load_user", 0, 0, 80000 }, /* before_request */
	       { 3, "flask.app", "Flask.dispatch_request", "Flask", 0, 5 },
	       { 4, "flask.app", "Flask.ensure_sync", "Flask", 0, 5 },
	       { 4, "shop", "product", 0, 0, 5 });
	EXPECT("shop.Cart.get",
	       { 1, "flask.app", "Flask.dispatch_request", "Flask", 0, 5 },
	       { 2, "flask.views", "View.as_view.<locals>.view", 0, 0, 5 },
	       { 3, "flask.views", "MethodView.dispatch_request", "MethodView", 0, 5 },
	       { 4, "shop", "Cart.get", "Cart", 0, 5 });
}

static void test_asgi(void)
{
	EXPECT("api.read",
	       { 1, "starlette.routing", "request_response.<locals>.app", 0, 0, 5 },
	       { 2, "starlette._exception_handler", "wrap_app_handling_exceptions.<locals>.wrapped_app", 0, 0, 5 },
	       { 3, "starlette.routing", "request_response.<locals>.app.<locals>.app", 0, 0, 5 },
	       { 4, "fastapi.routing", "get_request_handler.<locals>.app", 0, 0, 5 },
	       { 5, "fastapi.dependencies.utils", "solve_dependencies", 0, 0, 700 },
	       { 5, "fastapi.routing", "run_endpoint_function", 0, 0, 5 },
	       { 6, "api", "read", 0, 0, 5 });
	/* One that is not a coroutine, in a thread. */
	EXPECT("api.read",
	       { 1, "fastapi.routing", "run_endpoint_function", 0, 0, 5 },
	       { 2, "starlette.concurrency", "run_in_threadpool", 0, 0, 5 },
	       { 1, "anyio._backends._asyncio", "WorkerThread.run", "WorkerThread", 0, 5 },
	       { 2, "api", "read", 0, 0, 5 });
	EXPECT("home.page",
	       { 1, "starlette.routing", "request_response.<locals>.app", 0, 0, 5 },
	       { 2, "home", "page", 0, 0, 5 });
	EXPECT("chat.post",
	       { 1, "aiohttp.web_protocol", "RequestHandler._handle_request", "RequestHandler", 0, 5 },
	       { 2, "aiohttp.web_app", "Application._handle", "Application", 0, 5 },
	       { 3, "aiohttp.web_urldispatcher", "UrlDispatcher.resolve", "UrlDispatcher", 0, 900 },
	       { 3, "chat", "error_middleware", 0, 0, 50 },
	       { 4, "chat", "post", 0, 0, 5 });
}

static void test_others(void)
{
	EXPECT("wiki.page",
	       { 1, "bottle", "Bottle._handle", "Bottle", 0, 5 },
	       { 2, "bottle", "Router.match", "Router", 0, 500 },
	       { 2, "bottle", "JSONPlugin.apply.<locals>.wrapper", 0, 0, 5 },
	       { 3, "wiki", "page", 0, 0, 5 });
	EXPECT("wiki.Wiki.page",
	       { 1, "pyramid.router", "Router.invoke_request", "Router", 0, 5 },
	       { 2, "pyramid.viewderivers", "rendered_view.<locals>.rendered_view", 0, 0, 5 },
	       { 3, "pyramid.viewderivers",
		 "DefaultViewMapper.map_class_requestonly.<locals>._class_requestonly_view", 0, 0, 5 },
	       { 4, "wiki", "Wiki.__init__", "Wiki", 0, 900 },
	       { 4, "wiki", "Wiki.page", "Wiki", 0, 5 });
	/* Without a framework nothing is said. */
	EXPECT("", { 1, "app", "application", 0, 0, 5 }, { 2, "app", "page", 0, 0, 5 });
}

/* Nine tenths of the cost name the view; less, and they are counted. */
static void test_majority(void)
{
	struct profile *p = begin();
	struct endpoint_views views;

	TELL(p, 1, DJANGO, { 4, "shop.views", "a", 0, 0, 950 }, { 4, "shop.views", "b", 0, 0, 50 });
	TELL(p, 2, DJANGO, { 4, "shop.views", "a", 0, 0, 800 }, { 4, "shop.views", "b", 0, 0, 100 });
	/* The same view, met under another id. */
	TELL(p, 2, DJANGO, { 4, "shop.views", "b", 0, 0, 100 });
	expect(p, 1, "shop.views.a");
	expect(p, 2, "2 views");
	TELL(p, 2, DJANGO, { 4, "shop.views", "a", 0, 0, 1000 });
	expect(p, 2, "shop.views.a");
	CU_ASSERT_FATAL(!endpoint_views_compute(p, &views));
	CU_ASSERT_EQUAL(views.v[2].count, 2);
	CU_ASSERT_DOUBLE_EQUAL(views.v[2].share, 0.9, 1e-9);
	CU_ASSERT_STRING_EQUAL(endpoint_view_text(&views, 77), "");
	endpoint_views_free(&views);
	profile_free(p);
}

int suite_endpoint_view(void)
{
	static CU_TestInfo tests[] = {
		{ "Django", test_django },
		{ "Django, wrapped", test_django_wrapped },
		{ "Django, class-based", test_django_class },
		{ "Django, generic", test_django_generic },
		{ "Django, asynchronous", test_django_async },
		{ "Flask", test_flask },
		{ "Starlette, FastAPI, aiohttp", test_asgi },
		{ "Bottle, Pyramid, none", test_others },
		{ "several views", test_majority },
		CU_TEST_INFO_NULL,
	};

	return suite_register("endpoint_view", tests);
}

# SPDX-License-Identifier: GPL-2.0-or-later
"""A small shop in one file: settings, data, views and URLs of a Django site.

Each worker makes the same catalogue in a database in its own memory. Several views
share one decorator, so that functions of one name and line stand at many places.
"""
import functools
import hashlib
import os
import re
import sqlite3
import threading
import time

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.views import View
from django.views.generic import TemplateView

BASE = """<!doctype html><title>{% block title %}Shop{% endblock %}</title>
<nav><a href="/">Shop</a> <a href="/report/">Report</a></nav>
{% block body %}{% endblock %}<footer>{{ request.path }}</footer>"""

LISTING = """{% extends "base.html" %}
{% block body %}<ul>{% for product in products %}
<li class="{% cycle 'odd' 'even' %}"><a href="{% url 'product' product.id %}">
{{ product.name|title }}</a> {{ product.price|floatformat:2 }}
{% if product.stock < 10 %}<em>only {{ product.stock }} left</em>{% endif %}</li>
{% empty %}<li>nothing found</li>{% endfor %}</ul>{% endblock %}"""

DETAIL = """{% extends "base.html" %}
{% block title %}{{ product.name|title }}{% endblock %}
{% block body %}<h1>{{ product.name|title }}</h1><p>{{ product.text|linebreaksbr }}</p>
<p>{{ product.price|floatformat:2 }}</p><h2>Alike</h2>
{% for other in alike %}<a href="{% url 'product' other.id %}">{{ other.name }}</a>
{% endfor %}{% endblock %}"""

REPORT = """{% extends "base.html" %}
{% block body %}<table>{% for row in rows %}<tr><td>{{ row.kind }}</td>
<td>{{ row.count }}</td><td>{{ row.worth|floatformat:2 }}</td></tr>{% endfor %}
</table>{% endblock %}"""

if not settings.configured:
    settings.configure(
        DEBUG=False,
        SECRET_KEY="for tests on this machine alone",
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=[
            "django.middleware.common.CommonMiddleware",
            "django.middleware.http.ConditionalGetMiddleware",
            __name__ + ".served_by",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "context_processors": ["django.template.context_processors.request"],
                    "loaders": [
                        (
                            "django.template.loaders.locmem.Loader",
                            {
                                "base.html": BASE,
                                "listing.html": LISTING,
                                "detail.html": DETAIL,
                                "report.html": REPORT,
                            },
                        )
                    ],
                },
            }
        ],
        USE_TZ=True,
    )
    django.setup()

KINDS = ("lamp", "chair", "table", "shelf", "größe")
COLOURS = ("red", "green", "blue", "white")
SCHEMA = """create table product (id integer primary key, name text, kind text,
 price real, stock integer, text text); create index by_kind on product (kind)"""

local = threading.local()


def make_products(count=400):
    for number in range(1, count + 1):
        kind = KINDS[number % len(KINDS)]
        colour = COLOURS[number % len(COLOURS)]
        price = 5 + number * 37 % 200 + 0.5
        text = "A %s %s.\nNumber %d of many." % (colour, kind, number)
        yield number, "%s %s %d" % (colour, kind, number), kind, price, number % 50, text


def database():
    """This thread's own: a connection must not go from one thread to another."""
    connection = getattr(local, "connection", None)
    if connection is None:
        connection = local.connection = sqlite3.connect(":memory:")
        connection.row_factory = sqlite3.Row
        connection.executescript(SCHEMA)
        connection.executemany("insert into product values (?,?,?,?,?,?)", make_products())
    return connection


def query(sql, *values):
    return [dict(row) for row in database().execute(sql, values)]


def counted(view):
    """Counts the view's calls and times them."""
    totals = {"calls": 0, "seconds": 0.0}

    @functools.wraps(view)
    def wrapper(request, *args, **kwargs):
        begin = time.perf_counter()
        try:
            return view(request, *args, **kwargs)
        finally:
            totals["calls"] += 1
            totals["seconds"] += time.perf_counter() - begin

    wrapper.totals = totals
    COUNTED.append(wrapper)
    return wrapper


COUNTED = []


def with_etag(view):
    @functools.wraps(view)
    def wrapper(request, *args, **kwargs):
        response = view(request, *args, **kwargs)
        if response.status_code == 200:
            response["ETag"] = '"%s"' % hashlib.sha256(response.content).hexdigest()[:16]
        return response

    return wrapper


def served_by(get_response):
    """Middleware: says which worker answered."""

    def middleware(request):
        response = get_response(request)
        response["X-Worker"] = str(os.getpid())
        return response

    return middleware


@counted
def listing(request):
    page = max(1, int(request.GET.get("page", "1")))
    products = query("select * from product limit 20 offset ?", 20 * (page - 1))
    return render(request, "listing.html", {"products": products})


def words_of(text):
    return set(re.findall(r"\w+", text.lower()))


def score(product, wanted):
    words = words_of(product["name"]) | words_of(product["text"])
    return sum(3 if word in product["name"] else 1 for word in wanted & words)


@counted
@with_etag
def search(request):
    wanted = words_of(request.GET.get("q", ""))
    found = [(score(product, wanted), product) for product in query("select * from product")]
    found = [pair for pair in found if pair[0]]
    found.sort(key=lambda pair: (-pair[0], pair[1]["id"]))
    return render(request, "listing.html", {"products": [item for _, item in found[:20]]})


class ProductView(View):
    def product(self, number):
        found = query("select * from product where id = ?", number)
        if not found:
            raise Http404("no such product")
        return found[0]

    def alike(self, product):
        others = query(
            "select * from product where kind = ? and id != ?", product["kind"], product["id"]
        )
        return sorted(others, key=lambda other: abs(other["price"] - product["price"]))[:5]

    def get(self, request, number):
        product = self.product(number)
        context = {"product": product, "alike": self.alike(product)}
        return render(request, "detail.html", context)


class ReportView(TemplateView):
    template_name = "report.html"

    def get_context_data(self, **kwargs):
        rows = query(
            "select kind, count(*) as count, sum(price * stock) as worth"
            " from product group by kind order by kind"
        )
        return super().get_context_data(rows=rows, **kwargs)


@counted
@with_etag
def as_json(request):
    products = query("select id, name, price from product where stock > 0")
    return JsonResponse({"products": products})


def checksum(text, times):
    digest = text.encode()
    for _ in range(times):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()


@counted
def receipt(request):
    return HttpResponse(checksum("receipt", 2000), content_type="text/plain")


def stats(request):
    return JsonResponse({view.__name__: view.totals for view in COUNTED})


urlpatterns = [
    path("", listing, name="listing"),
    path("search/", search, name="search"),
    path("product/<int:number>/", counted(ProductView.as_view()), name="product"),
    path("report/", counted(ReportView.as_view()), name="report"),
    path("api/products/", as_json, name="api"),
    path("receipt/", receipt, name="receipt"),
    path("stats/", stats, name="stats"),
]

app = get_wsgi_application()

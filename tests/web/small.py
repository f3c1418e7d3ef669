# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest of Flask's sites: what a worker serves most of in a second."""
from flask import Flask, request

app = Flask(__name__)


@app.after_request
def named(response):
    response.headers["X-Request-Id"] = request.headers.get("X-Request-Id", "")
    return response


@app.route("/")
def hello():
    return "hello\n"


@app.route("/status/<int:code>")
def status(code):
    return "status\n", code


@app.route("/user/<name>")
def user(name):
    return "hello, %s\n" % name

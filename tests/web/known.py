# SPDX-License-Identifier: GPL-2.0-or-later
"""A WSGI application whose endpoints call one helper a known number of times each.

As a program, it serves with nothing but the standard library: known.py PORT
"""
import sys

TEXT = [("Content-Type", "text/plain"), ("Content-Length", "3")]


def shared(number):
    return number + 1


def numbers(count):
    for number in range(count):
        yield shared(number)


def nested(depth):
    return shared(depth) + (nested(depth - 1) if depth > 1 else 0)


def cheap(environ):
    return shared(1) + shared(2) + shared(3)


def dear(environ):
    return sum(numbers(40)) + nested(5)


def heavy(environ):
    """Long enough to be sampled."""
    return sum(shared(number) for number in range(20000))


def light(environ):
    return sum(shared(number) for number in range(5000))


VIEWS = {"cheap": cheap, "dear": dear, "heavy": heavy, "light": light}

# What a request of each calls.  A generator counts at each resumption.
CALLS = {
    "cheap": {"app": 1, "cheap": 1, "shared": 3},
    "dear": {"app": 1, "dear": 1, "numbers": 41, "nested": 5, "shared": 45},
}


def app(environ, start_response):
    VIEWS[environ["PATH_INFO"].split("/")[1]](environ)
    start_response("200 OK", TEXT)
    return [b"ok\n"]


def main():
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args):
            pass

    make_server("127.0.0.1", int(sys.argv[1]), app, handler_class=Quiet).serve_forever()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""A WSGI application of many kinds of answers, each of a known cost.

Every answer carries the request's own id back, so that who mixes two up is found out.
The first part of the path says what is done, the second how much of it.
"""
import os
import socket
import tempfile
import threading
import time
from http import HTTPStatus

ID = "HTTP_X_REQUEST_ID"
local = threading.local()
# Where the memory store listens, for /store/.
STORE = int(os.environ.get("STORE_PORT", "0"))


def work(times):
    """So many turns: its cost is proportional to that."""
    total = 0
    for number in range(times):
        total += number & 7
    return total


def pieces(count):
    """The same work so often, to the last instruction."""
    for _ in range(count):
        work(500)


def words(size):
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


def take(environ):
    """The body to its end, however it was sent; how long it was."""
    stream, size = environ["wsgi.input"], environ.get("CONTENT_LENGTH")
    left = int(size) if size else None
    if left is None and not environ.get("wsgi.input_terminated") \
            and "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", ""):
        return 0
    total = 0
    while left != 0:
        part = stream.read(min(left, 65536) if left else 65536)
        if not part:
            break
        total += len(part)
        left = left and left - len(part)
    return total


def ask_store(times):
    """A number of calls to the memory store, over this thread's own connection."""
    connection = getattr(local, "store", None)
    if connection is None:
        connection = local.store = socket.create_connection(("127.0.0.1", STORE))
    for _ in range(times):
        connection.sendall(b"*1\r\n$4\r\nPING\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            part = connection.recv(100)
            if not part:
                raise ConnectionError("the store is gone")
            answer += part
    return times


def fan_out(count):
    threads = [threading.Thread(target=work, args=(20000,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def stream_of(count):
    for number in range(count):
        yield b"part %d\r\n\r\nHTTP/1.1 299 No\r\n\r\n" % number


def file_of(size):
    file = tempfile.TemporaryFile()
    file.write(words(size))
    file.seek(0)
    return file


class Answer:
    """What is sent back, for whichever kind of server: see many_async.py too."""

    def __init__(self, status=200, body=b"", parts=None, file=None, size=None):
        self.status, self.parts, self.file = status, parts, file
        self.body = b"" if status in (204, 304) else body
        self.size = len(self.body) if size is None else size

    def fields(self, name):
        told = [("X-Request-Id", name)]
        if self.status not in (204, 304):
            told.append(("Content-Type", "text/plain"))
            if self.parts is None:
                told.append(("Content-Length", str(self.size)))
        return told


def answer_to(kind, much):
    """Of those that wait for nothing."""
    if kind == "status":
        return Answer(much, b"status %d\n" % much)
    if kind == "work":
        return Answer(body=b"%d\n" % work(much))
    if kind == "big":
        return Answer(body=words(much))
    if kind == "stream":
        return Answer(parts=stream_of(much))
    if kind == "file":
        return Answer(file=file_of(much), size=much)
    if kind in ("", "ignore", "api", "shop"):
        return Answer(body=b"hello\n")
    if kind == "raise":
        raise ValueError("as was asked for")
    return Answer(404, b"no such kind\n")


def route(path):
    kind, _, much = path.lstrip("/").partition("/")
    much = much.partition("/")[0]
    return kind, int(much) if much.isdigit() else 0


def respond(environ, kind, much):
    if kind == "echo":
        return Answer(body=b"%d\n" % take(environ))
    if kind == "sleep":
        time.sleep(much / 1000)
        return Answer(body=b"slept\n")
    if kind == "pauses":
        # With greenlets, others have their turns in between.
        for _ in range(10):
            pieces(much)
            time.sleep(0.001)
        return Answer(body=b"done\n")
    if kind == "threads":
        fan_out(much)
        return Answer(body=b"done\n")
    if kind == "store":
        return Answer(body=b"%d\n" % ask_store(much))
    return answer_to(kind, much)


def app(environ, start_response):
    answer = respond(environ, *route(environ["PATH_INFO"]))
    status = "%d %s" % (answer.status, HTTPStatus(answer.status).phrase)
    start_response(status, answer.fields(environ.get(ID, "")))
    if environ["REQUEST_METHOD"] == "HEAD":
        return []
    if answer.parts is not None:
        return answer.parts
    if answer.file is not None:
        wrapper = environ.get("wsgi.file_wrapper")
        return wrapper(answer.file) if wrapper else iter(lambda: answer.file.read(8192), b"")
    return [answer.body]


def serve(port):
    """By the standard library alone: where there is no other server."""
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_):
            pass

    server = make_server("127.0.0.1", port, app, handler_class=Quiet)
    print("READY %d" % server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    import sys
    serve(int(sys.argv[1]))

# SPDX-License-Identifier: GPL-2.0-or-later
"""A site of the standard library's own server: main([N]) answers N requests."""
import os
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

SOCKET = "/tmp/serves-%d"


def price(count):
    total = 0
    for number in range(count):
        total += number * 3 % 7
    return total


def app(environ, start_response):
    kind, much = environ["PATH_INFO"].strip("/").split("/")
    body = b"%d\n" % price(int(much))
    start_response("200 OK" if kind == "price" else "404 Not Found",
                   [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


class Handler(WSGIRequestHandler):
    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass

    def get_environ(self):
        self.client_address = ("client", 0)
        return super().get_environ()


class Server(WSGIServer):
    """At a path: nothing of the network is asked for names."""

    address_family = 1

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "here", 80
        self.setup_environ()


server = Server(SOCKET % os.getpid(), Handler)
server.set_app(app)


def main(sizes):
    for _ in range(sizes[0]):
        server.handle_request()

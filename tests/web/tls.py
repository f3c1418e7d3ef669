# SPDX-License-Identifier: GPL-2.0-or-later
"""many.py's answers over TLS, by the standard library alone.

tls.py threads|asyncio PORT PEM [UPSTREAM]: a thread a connection, whose sessions have the
socket; or an event loop, whose sessions have memory. With UPSTREAM, the port of another
of these, each answer to /ask/ asks that one first, over TLS, too.
"""
import asyncio
import http.client
import os
import socketserver
import ssl
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import many

kind, port, pem = sys.argv[1:4]
upstream = int(sys.argv[4]) if len(sys.argv) > 4 else None
serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
serving.load_cert_chain(pem)
asking = ssl._create_unverified_context()
local = threading.local()


def asked():
    """By a connection that is kept, of this thread."""
    if not hasattr(local, "upstream"):
        local.upstream = http.client.HTTPSConnection("127.0.0.1", upstream, context=asking)
    local.upstream.request("GET", "/upstream", headers={"X-Request-Id": "upstream"})
    return local.upstream.getresponse().read()


def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/ask/"):
        asked()
    return many.app(environ, start_response)


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def get_request(self):
        s, address = super().get_request()
        s.settimeout(10)
        return serving.wrap_socket(s, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_):
        pass


async def ask():
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream, ssl=asking)
    writer.write(b"GET /upstream HTTP/1.1\r\nX-Request-Id: upstream\r\nConnection: close\r\n\r\n")
    await reader.read()
    writer.close()


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = head.split("\r\n")
            path = lines[0].split()[1]
            fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            size = int(fields.get("content-length", 0))
            await reader.readexactly(size)
            if path.startswith("/ask/"):
                await ask()
            kind, much = many.route(path.partition("?")[0])
            status = much if kind == "status" else 200
            body = b"" if status in (204, 304) else many.words(much if kind == "big" else 10)
            writer.write(b"HTTP/1.1 %d Told\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n"
                         % (status, fields.get("x-request-id", "").encode(), len(body)))
            await writer.drain()
            # In two records, or more.
            writer.write(body if lines[0][:4] != "HEAD" else b"")
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def loop():
    server = await asyncio.start_server(serve, "127.0.0.1", int(port), ssl=serving, backlog=128)
    async with server:
        await server.serve_forever()


if kind == "threads":
    server = Server(("127.0.0.1", int(port)), Handler)
    server.set_app(app)
    server.serve_forever()
else:
    asyncio.run(loop())

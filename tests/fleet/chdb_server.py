#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Today's ClickHouse as a server: chDB, the engine as a library, behind the part of ClickHouse's
HTTP that the store speaks.  chdb_server.py LIBRARY DIRECTORY PORT

One statement at a time; settings other than the form of the answer are taken as they are."""
import ctypes
import gzip
import http.server
import os
import sys
import tempfile
import threading
import urllib.parse

lock = threading.Lock()


class Engine:
    """chdb.h: connections, and results that are to be freed."""

    def __init__(self, library, directory):
        self.lib = ctypes.CDLL(library)
        self.lib.chdb_connect.restype = ctypes.POINTER(ctypes.c_void_p)
        self.lib.chdb_query_n.restype = ctypes.c_void_p
        self.lib.chdb_query_n.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t,
                                          ctypes.c_char_p, ctypes.c_size_t]
        for name, kind in (("buffer", ctypes.c_void_p), ("length", ctypes.c_size_t), ("error", ctypes.c_char_p)):
            function = getattr(self.lib, "chdb_result_" + name)
            function.restype, function.argtypes = kind, [ctypes.c_void_p]
        self.lib.chdb_destroy_query_result.argtypes = [ctypes.c_void_p]
        words = [b"clickhouse", b"--path=" + directory.encode()]
        self.connection = self.lib.chdb_connect(len(words), (ctypes.c_char_p * len(words))(*words))
        if not self.connection:
            raise RuntimeError("chDB does not start")

    def ask(self, sql, form):
        """Error, or nothing; and bytes."""
        result = self.lib.chdb_query_n(self.connection[0], sql, len(sql), form, len(form))
        try:
            error = self.lib.chdb_result_error(result)
            size = self.lib.chdb_result_length(result)
            return error, ctypes.string_at(self.lib.chdb_result_buffer(result), size) if size else b""
        finally:
            self.lib.chdb_destroy_query_result(result)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        with lock:
            error, answer = self.obey(asked, body)
        self.send_response(500 if error else 200)
        answer = error or answer
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def obey(self, asked, body):
        engine = self.server.engine
        if asked.get("database"):
            error, _ = engine.ask(b"USE " + asked["database"].encode(), b"TSV")
            if error:
                return error, b""
        form = asked.pop("default_format", "TSV").encode()
        if "query" not in asked:
            return engine.ask(body, form)
        # A library has no stream of rows beside a statement.
        sql, kind = asked["query"].rsplit(" FORMAT ", 1)
        with tempfile.NamedTemporaryFile(dir=self.server.directory) as rows:
            rows.write(body)
            rows.flush()
            return engine.ask(("%s SELECT * FROM file('%s', '%s')" % (sql, rows.name, kind)).encode(), form)

    def log_message(self, *_):
        pass


def main():
    library, directory, port = sys.argv[1:]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.directory = directory
    os.makedirs(os.path.join(directory, "data"), exist_ok=True)
    server.engine = Engine(library, os.path.join(directory, "data"))
    server.serve_forever()


if __name__ == "__main__":
    main()

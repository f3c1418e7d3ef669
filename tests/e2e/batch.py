# SPDX-License-Identifier: GPL-2.0-or-later
"""Batches as they travel, read without pycost; and a collector that keeps what it is sent.

As a program, it prints the batch in a file as JSON: batch.py FILE
"""
import ctypes
import hashlib
import http.server
import json
import struct
import sys
import threading

import protobuf
from protobuf import varints

PARTS = {7: "slices", 8: "functions", 9: "paths", 10: "costs", 11: "path_costs", 14: "counters"}
MEASURES = ("cost kernel_cost latency cpu run_queue syscall gil gc gcs gc_cost import imports "
            "import_cost rss bytes_in bytes_out threads head probed_calls").split()


def decompressed(data):
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    library.ZSTD_decompress.restype = ctypes.c_size_t
    size = library.ZSTD_getFrameContentSize(data, ctypes.c_size_t(len(data)))
    plain = ctypes.create_string_buffer(max(size, 1))
    got = library.ZSTD_decompress(plain, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
    if got != size:
        raise ValueError("no frame of zstd")
    return plain.raw[:size]


def doubles(data):
    return list(struct.unpack("<%dd" % (len(data) // 8), data))


def fixed64(data):
    return list(struct.unpack("<%dQ" % (len(data) // 8), data))


def signed(values):
    return [value >> 1 ^ -(value & 1) for value in values]


def fields(data):
    """{number: [values]} of a message, undecoded but for its varints."""
    found = {}
    for number, value in protobuf.fields(data):
        found.setdefault(number, []).append(value)
    return found


def digest(*parts):
    h = hashlib.blake2b(b"".join(parts), digest_size=16).digest()
    return int.from_bytes(h[:8], "little")


def one(message, number, default=b""):
    return message.get(number, [default])[-1]


class Batch:
    """slices: [{key: value}]; facts as lists of dictionaries."""

    def __init__(self, data):
        m = fields(decompressed(data))
        if one(m, 1) != 1:
            raise ValueError("format %r" % one(m, 1))
        self.texts = [text.decode() for text in one(m, 6).split(b"\0")[:-1]]
        self.id, self.sender = one(m, 2).hex(), self.texts[one(m, 3, 0)]
        self.begin, self.seconds = one(m, 4), one(m, 5)
        part = {name: fields(one(m, number)) for number, name in PARTS.items()}
        self.slices = list(self.read_slices(part["slices"]))
        self.functions = {f["id"]: f for f in self.read_functions(part["functions"])}
        self.paths = {p["id"]: p for p in self.read_paths(part["paths"])}
        self.costs = self.rows(part["costs"], "slice function calls samples self cumulative "
                               "self_variance cumulative_variance", {2: fixed64, 7: doubles, 8: doubles})
        self.path_costs = self.rows(part["path_costs"], "slice path calls samples self",
                                    {2: fixed64})
        self.requests = [self.read_request(fields(r)) for r in m.get(12, [])]
        self.users = [self.read_users(fields(u)) for u in m.get(13, [])]
        self.counters = [{**c, "name": self.texts[c["name"]]} for c in
                         self.rows(part["counters"], "slice name value", {3: doubles})]

    @staticmethod
    def rows(message, names, readers):
        names = names.split()
        columns = [readers.get(i, varints)(one(message, i)) for i in range(1, len(names) + 1)]
        if len({len(column) for column in columns}) > 1:
            raise ValueError("columns of different length")
        return [dict(zip(names, row)) for row in zip(*columns)]

    def read_slices(self, m):
        tags = iter(zip(varints(one(m, 2)), varints(one(m, 3))))
        for count in varints(one(m, 1)):
            yield {self.texts[key]: self.texts[value] for key, value in
                   (next(tags) for _ in range(count))}

    def read_functions(self, m):
        names = "name qualname class module file wraps".split()
        for row in self.rows(m, " ".join(names) + " line", {}):
            f = {name: self.texts[row[name]] for name in names}
            f["id"] = digest(*(f[name].encode() + b"\0" for name in names),
                             struct.pack("<I", row["line"]))
            yield {**f, "line": row["line"]}

    def read_paths(self, m):
        for row in self.rows(m, "parent function", {1: fixed64, 2: fixed64}):
            yield {**row, "id": digest(struct.pack("<QQ", row["parent"], row["function"]))}

    def read_request(self, m):
        bins = []
        for part in m.get(10, []):
            at, spread = 0, {}
            part = fields(part)
            for above, count in zip(varints(one(part, 1)), varints(one(part, 2))):
                spread[at + above] = count
                at += above + 1
            bins.append(spread)
        names = [self.texts[n] for n in varints(one(m, 7))]
        return {"slice": one(m, 1, 0), "count": one(m, 2, 0), "estimate": doubles(one(m, 3, bytes(8)))[0],
                "sums": dict(zip(MEASURES, signed(varints(one(m, 5))))),
                "squares": dict(zip(MEASURES, doubles(one(m, 6)))),
                "backends": {name: {"calls": calls, "ns": ns} for name, calls, ns in
                             zip(names, varints(one(m, 8)), varints(one(m, 9)))},
                "bins": bins}

    @staticmethod
    def read_users(m):
        at, registers = 0, {}
        for above, rank in zip(varints(one(m, 2)), one(m, 3)):
            registers[at + above] = rank
            at += above + 1
        return {"slice": one(m, 1, 0), "registers": registers}


class Collector:
    """Answers as it is told to; what it takes is in batches, by id. tls: an ssl.SSLContext."""

    def __init__(self, tls=None):
        self.batches, self.heads = {}, []
        self.answers = []  # (status, headers, body) for the next requests, before its own
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, answer = collector.take(self.path, self.headers, body)
                answer = answer.encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass  # a handshake that failed, as it was to

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.server.server_port)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, headers, body):
        self.heads.append((path, dict(headers)))
        if self.answers:
            return self.answers.pop(0)
        batch = Batch(body)
        if batch.id != headers["X-Pycost-Batch"]:
            return 400, {}, '{"error": "another id"}'
        known = batch.id in self.batches
        self.batches.setdefault(batch.id, batch)
        return 200, {}, json.dumps({"stored": "duplicate" if known else "new"})

    def end(self):
        self.server.shutdown()
        self.server.server_close()


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        told = Batch(file.read())
    del told.texts
    json.dump(vars(told), sys.stdout, indent=1)

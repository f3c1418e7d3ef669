# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends a bounded number of requests to a server on this machine, and counts answers.

Prints one line of JSON: sent, ok (status below 400), failed, by_path, seconds.
"""
import argparse
import http.client
import json
import sys
import threading
import time

PATHS = "/,/?page=3,/search/?q=red+lamp,/product/7/,/report/,/api/products/,/receipt/"
# Nobody but this machine is ever asked.
HOST = "127.0.0.1"


class Load:
    def __init__(self, options):
        self.port = options.port
        self.timeout = options.timeout
        self.deadline = time.monotonic() + options.seconds
        self.paths = options.paths.split(",")
        self.numbers = iter(range(options.requests))
        self.lock = threading.Lock()
        self.counts = {path: {"sent": 0, "ok": 0, "failed": 0} for path in self.paths}
        self.latencies = []

    def next_path(self):
        """In turns, whichever thread asks, so that each path's share is known."""
        with self.lock:
            number = next(self.numbers, None)
            if number is None or time.monotonic() > self.deadline:
                return None
            return self.paths[number % len(self.paths)]

    def ask(self, connection, path):
        """Whether it was answered well. A server may end a kept connection at any
        time, which only its next request finds out: that one gets a second try."""
        for fresh in (connection.sock is None, True):
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                return response.status < 400
            except (OSError, http.client.HTTPException):
                connection.close()
                if fresh:
                    return False
        return False

    def work(self):
        connection = http.client.HTTPConnection(HOST, self.port, timeout=self.timeout)
        for path in iter(self.next_path, None):
            begin = time.monotonic()
            good = self.ask(connection, path)
            took = time.monotonic() - begin
            with self.lock:
                self.counts[path]["sent"] += 1
                self.counts[path]["ok" if good else "failed"] += 1
                self.latencies.append(took)
        connection.close()


def wait_for(port, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection = http.client.HTTPConnection(HOST, port, timeout=1)
        try:
            connection.connect()
            return True
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    return False


def main():
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("port", type=int)
    made.add_argument("--requests", type=int, default=100)
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--seconds", type=float, default=60, help="stop sending after these")
    made.add_argument("--timeout", type=float, default=10, help="for each request")
    made.add_argument("--wait", type=float, default=20, help="for the server to start")
    made.add_argument("--paths", default=PATHS, help="separated by commas")
    options = made.parse_args()
    if not wait_for(options.port, options.wait):
        sys.exit("load: nothing listens on %s:%d" % (HOST, options.port))
    load = Load(options)
    begin = time.monotonic()
    threads = [threading.Thread(target=load.work) for _ in range(options.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = {
        kind: sum(counts[kind] for counts in load.counts.values())
        for kind in ("sent", "ok", "failed")
    }
    result["by_path"] = load.counts
    result["seconds"] = round(time.monotonic() - begin, 6)
    result["median_ms"] = round(1000 * middle(load.latencies), 3)
    print(json.dumps(result))
    return 1 if result["failed"] else 0


def middle(values):
    return sorted(values)[len(values) // 2] if values else 0


if __name__ == "__main__":
    sys.exit(main())

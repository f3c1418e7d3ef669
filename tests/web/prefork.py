# SPDX-License-Identifier: GPL-2.0-or-later
"""A master and its workers: prefork.py PORT WORKERS LIFE

A worker answers LIFE requests and exits with 3; another takes its place. /die/N kills it
by signal N after its answer; /leak/N keeps N KiB; /missing is not found; all else is an
answer that costs the same each time.
"""
import os
import signal
import socket
import sys

LONGEST = 300  # seconds that any of them lives, should nobody end it
kept = []


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        if not part:
            return None
        head += part
    return head


def price(count):
    total = 0
    for number in range(count):
        total += number * 3 % 7
    return total


def answer(connection, head):
    """The signal to die by, or 0."""
    path = head.split(b" ", 2)[1].split(b"?")[0].decode("latin-1")
    what, number = (path.strip("/").split("/") + ["0"])[:2]
    if what == "leak":
        kept.append(bytearray(os.urandom(1024)) * int(number))
    body = b"%d\n" % price(2000)
    status = b"404 Not Found" if what == "missing" else b"200 OK"
    connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                       % (status, len(body), body))
    return int(number) if what == "die" else 0


def work(listener, life):
    for _ in range(life):
        connection = listener.accept()[0]
        head = read_head(connection)
        fatal = answer(connection, head) if head else 0
        connection.close()
        if fatal:
            os.kill(os.getpid(), fatal)
    os._exit(3)


def spawn(listener, life):
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.alarm(LONGEST)
        work(listener, life)
    return pid


def main(port, workers, life):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    living = {spawn(listener, life) for _ in range(workers)}

    def end(*_):
        for pid in living:
            os.kill(pid, signal.SIGTERM)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.alarm(LONGEST)
    print("READY", *living, flush=True)
    while True:
        living.discard(os.wait()[0])
        living.add(spawn(listener, life))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that wait for each other: main([1]); the same work in one: main([0]).

Each item passes three workers, by a queue, a pipe and a condition, each of which
blocks in its own way; one sleeps meanwhile and one lets the lock go now and then.
"""
import os
import queue
import threading
import time

ITEMS = 12
TABLE = bytes((i * 7 + 3) % 251 for i in range(256))


def parse(item):
    i, x = 0, item
    while i < 255:
        x = TABLE[x ^ i & 15]
        i += 1
    return x


def price(item):
    i, x = 0, item
    while i < 250:
        if TABLE[i] > x:
            x = i
        else:
            x = TABLE[x]
        i += 1
    return x


def store(item):
    kept = bytearray(TABLE)
    for i in range(0, 255, 2):
        kept[i] = kept[i + 1] ^ item
    return kept[item]


def parser(items, pipe):
    while True:
        item = items.get()
        os.write(pipe, bytes([parse(item) if item else 0]))
        if not item:
            return
        time.sleep(0.001)


class Shelf:
    def __init__(self):
        self.filled = threading.Condition()
        self.items = []

    def put(self, item):
        with self.filled:
            self.items.append(item)
            self.filled.notify()

    def take(self):
        with self.filled:
            while not self.items:
                self.filled.wait()
            return self.items.pop(0)


def pricer(pipe, shelf):
    item = 1
    while item:
        item = os.read(pipe, 1)[0]
        shelf.put(price(item) + 1 if item else 0)


def storer(shelf, done):
    item = 1
    while item:
        item = shelf.take()
        if item:
            done.append(store(item))
        with threading.Lock():
            time.sleep(0)


def threaded():
    items, shelf, done = queue.Queue(), Shelf(), []
    out, into = os.pipe()
    threads = [
        threading.Thread(target=parser, args=(items, into)),
        threading.Thread(target=pricer, args=(out, shelf)),
        threading.Thread(target=storer, args=(shelf, done)),
    ]
    for thread in threads:
        thread.start()
    for item in [*range(1, ITEMS + 1), 0]:
        items.put(item)
        time.sleep(0.0005)
    for thread in threads:
        thread.join()
    os.close(out)
    os.close(into)
    return done


def in_turn(done):
    for item in range(1, ITEMS + 1):
        item = parse(item)
        item = price(item) + 1 if item else 0
        if item:
            done.append(store(item))


def alone():
    done = []
    thread = threading.Thread(target=in_turn, args=(done,))
    thread.start()
    thread.join()
    return done


def main(words):
    done = threaded() if words[0] else alone()
    assert len(done) == ITEMS, done

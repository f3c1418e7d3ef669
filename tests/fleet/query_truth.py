# SPDX-License-Identifier: GPL-2.0-or-later
"""Batches made up at random, and what every question about them has to say.

Nothing of pycost is used to find that: facts are kept as they were made, and added up here.
"""
import collections
import fnmatch
import math
import random

MEASURES = ["cost", "kernel_cost", "latency", "cpu", "run_queue", "syscall", "gil", "gc", "gcs",
            "gc_cost", "import", "imports", "import_cost", "rss", "bytes_in", "bytes_out",
            "threads", "head", "probed_calls"]
# One service's name is what an injection would look like.
SERVICES = ["shop", "it's; DROP TABLE tags--"]
ENDPOINTS = ["", "GET /shop/*", "POST /shop/cart", "GET /api/v1/*"]
HOSTS = {"h1": ("instructions:u", "exact"), "h2": ("instructions:u", "exact"),
         "h3": ("instructions:u", "sampled"), "h4": ("task-clock", "sampled")}
PERIOD = {"instructions:u": 1000003, "task-clock": 10101010}
MINUTE, HOUR, DAY = 60, 3600, 86400


def histogram_bin(value):
    """As histogram.h says: below 64 each its own, then 32 for each power of two."""
    if value < 64:
        return value
    octave = value.bit_length() - 1
    return (octave - 5) * 32 + (value >> (octave - 5))


def bin_middle(index):
    if index < 64:
        return index
    low = (32 + index % 32) << (index // 32 - 1)
    return low + ((1 << (index // 32 - 1)) - 1) // 2


def bins_of(values):
    return sorted(collections.Counter(map(histogram_bin, values)).items())


def quantile(values, q):
    """Of values that only their bins are known of."""
    binned = sorted(map(histogram_bin, values))
    return bin_middle(binned[max(1, math.ceil(q * len(binned))) - 1])


def matches(tags, where):
    for key, glob, negated in where:
        value = tags.get(key, "")
        found = fnmatch.fnmatchcase(value, glob)
        if key == "endpoint" and glob.startswith("/"):
            found = found or fnmatch.fnmatchcase(value.partition(" ")[2], glob)
        if found == negated:
            return False
    return True


class World:
    def __init__(self, now, seed):
        self.random = random.Random(seed)
        self.now = now
        self.batches = []
        self.facts = []  # (kind, t, tags, what)
        self.functions = self.make_functions()
        self.paths = self.make_paths()

    # ---- names ----

    def make_functions(self):
        """Of the first, a later version has another line and another place."""
        made = [["shop.cart", "Cart.total", "/srv/1/cart.py", 10],
                ["shop.cart", "Cart.total", "/srv/2/cart.py", 17]]
        for i in range(8):
            made.append(["mod%d" % (i % 3), "f%d" % i, "/srv/%d.py" % i, 3 * i + 1])
        made.append(["", "<module>", "", 0])
        return made

    def name(self, index):
        if index < 0:
            return "<outside Python functions>"
        module, qualname = self.functions[index][:2]
        return module + "." + qualname if module else qualname

    def make_paths(self):
        """[parent or -1, function or -1]; some recurse."""
        paths = [[-1, -1], [-1, 10]]
        while len(paths) < 40:
            parent = self.random.randrange(1, len(paths))
            function = self.random.choice(range(len(self.functions)))
            if [parent, function] not in paths:
                paths.append([parent, function])
        return paths

    def stack(self, path):
        names = []
        while path >= 0:
            names.append(self.name(self.paths[path][1]))
            path = self.paths[path][0]
        return names[::-1]

    # ---- facts ----

    def add_minute(self, t):
        for host in HOSTS:
            self.add_batch(t, host)

    def add_batch(self, t, host):
        batch = {"sender": host, "begin": t, "slices": [], "functions": self.functions,
                 "paths": self.paths, "costs": [], "path_costs": [], "requests": [], "users": [],
                 "counters": []}
        metric, mode = HOSTS[host]
        for service in SERVICES:
            version = self.random.choice(["1.0", "2.0"])
            tags = {"service": service, "metric": metric, "host": host, "version": version}
            self.add_users(batch, t, tags)
            self.add_counters(batch, t, tags)
            for endpoint in ENDPOINTS:
                self.add_costs(batch, t, dict(tags, mode=mode, endpoint=endpoint), metric, mode)
                if endpoint:
                    self.add_requests(batch, t, dict(tags, endpoint=endpoint))
        self.batches.append(batch)

    def slice(self, batch, tags):
        batch["slices"].append(tags)
        return len(batch["slices"]) - 1

    def add_costs(self, batch, t, tags, metric, mode):
        index = self.slice(batch, tags)
        sampled = mode == "sampled"
        for f in self.random.sample(range(-1, len(self.functions)), 5):
            n = self.random.randrange(1, 1000)
            own = n * PERIOD[metric] if sampled else self.random.randrange(1, 10 ** 9)
            all_ = own + self.random.randrange(10 ** 9)
            row = [index, f, 0 if sampled else n, n if sampled else 0, own, all_,
                   float(self.random.randrange(10 ** 12)), float(self.random.randrange(10 ** 12))]
            batch["costs"].append(row)
            self.facts.append(("costs", t, tags, row))
        for p in self.random.sample(range(len(self.paths)), 6):
            n = self.random.randrange(1, 50)
            own = n * PERIOD[metric] if sampled else self.random.randrange(1, 10 ** 8)
            row = [index, p, 0 if sampled else n, n if sampled else 0, own]
            batch["path_costs"].append(row)
            self.facts.append(("path_costs", t, tags, row))

    def add_requests(self, batch, t, tags):
        for status in self.random.sample(["200", "404", "500", "503", ""], 2):
            count = self.random.randrange(1, 30)
            watched = self.random.choice([1, 1, 4])
            values = {m: [self.random.randrange(1, 10 ** 6) for _ in range(count)] for m in MEASURES}
            # Not all: squares of large numbers are rounded.
            values["cost"] = [int(self.random.lognormvariate(14, 1)) for _ in range(count)]
            values["rss"] = [self.random.randrange(-4096, 4096) for _ in range(count)]
            tagged = dict(tags, status=status)
            fact = {"slice": self.slice(batch, tagged), "count": count,
                    "estimate": float(count * watched), "variance": float(count * (watched - 1)),
                    "sums": [sum(values[m]) for m in MEASURES],
                    "squares": [float(sum(v * v for v in values[m])) for m in MEASURES],
                    "bins": [bins_of(values[m]) for m in ("cost", "latency", "cpu")],
                    "backends": [["db", count, count * 1000], ["redis", 1, 7]]}
            batch["requests"].append(fact)
            self.facts.append(("requests", t, tagged, dict(fact, values=values)))

    def add_users(self, batch, t, tags):
        """Users are numbers; the hash of one is made of its own seed."""
        users = {self.random.randrange(4000) for _ in range(self.random.choice([30, 300, 2000]))}
        registers = collections.defaultdict(int)
        for user in users:
            value = random.Random(user).getrandbits(64)
            rest = (value << 12) & (2 ** 64 - 1)
            rank = 64 - rest.bit_length() + 1 if rest else 53
            registers[value >> 52] = max(registers[value >> 52], rank)
        batch["users"].append({"slice": self.slice(batch, tags),
                               "registers": sorted(registers.items())})
        self.facts.append(("users", t, tags, users))

    def add_counters(self, batch, t, tags):
        index = self.slice(batch, tags)
        if batch["slices"][index - 1] == tags:  # one slice of the same tags is enough
            batch["slices"].pop()
            index -= 1
        for name, most in (("loss.nodes", 3), ("workers.born", 5)):
            row = [index, name, float(self.random.randrange(most))]
            batch["counters"].append(row)
            self.facts.append(("counters", t, tags, row))

    # ---- what is asked ----

    def found(self, kind, since, until, where=()):
        return [(t, tags, what) for of, t, tags, what in self.facts
                if of == kind and since <= t < until and matches(tags, where)]

    def grouped(self, kind, since, until, where=(), by=(), more=("metric",), step=0):
        groups = collections.defaultdict(list)
        for t, tags, what in self.found(kind, since, until, where):
            key = tuple(tags.get(k, "") for k in tuple(by) + tuple(more))
            groups[((t - t % step,) if step else ()) + key].append(what)
        return groups

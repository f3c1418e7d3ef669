# SPDX-License-Identifier: GPL-2.0-or-later
"""What sampling costs: a server under load, and beside what else samples Pythons."""
import collections
import json
import math
import os
import resource
import statistics
import subprocess
import time

import lab
import rivals as tools
from results import note, row

RATE = 1000
# Of one run of a sampler; how long its target works alone before and after.
RUN, ALONE = 4, 1.2
REPEATS = 3


class Varied(lab.Worker):
    """A process that runs varied.py, on a CPU of its own as far as there are two."""

    def __init__(self, room, python, options=(), idle=0):
        super().__init__(room, python.command("sampled", *options, "tests/bench/varied.py"))
        self.ask("mix 1000")
        if idle:
            self.ask("idle %d" % idle)
        lab.pin_all(self.pid, 0)

    def round(self):
        """When it ended, its CPU time and the time it took, in ns."""
        cpu, wall = map(int, self.ask("mix 1000").split())
        return Round(time.monotonic(), cpu, wall)

    def alone(self, seconds):
        end = time.monotonic() + seconds
        rounds = [self.round()]
        while rounds[-1].at < end:
            rounds.append(self.round())
        return usual(rounds)


Round = collections.namedtuple("Round", "at cpu wall")


def usual(rounds):
    """Median CPU time and time of a round."""
    return (statistics.median(each.cpu for each in rounds),
            statistics.median(each.wall for each in rounds))


class Run:
    """One run of a sampler, on a target that works all the while."""

    def __init__(self, room, sampler, python, target):
        self.sampler, self.pid = sampler, target.pid
        self.trouble, self.stacks = None, collections.Counter()
        self.rounds, self.states, self.peak = [], [], 0
        before = children_cpu()
        with open(sampler.output + ".out", "w+") as out, \
                open(sampler.output + ".err", "w+") as err:
            process = room.start(sampler.command(python, target.pid),
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 # The roots have no other.
                                 env={**os.environ, "LC_ALL": "C"})
            self.watch(process, target)
            if process.poll() is None:
                room.stop(process)
                self.trouble = "did not end by itself"
            else:
                room.started.remove(process)
            out.seek(0), err.seek(0)
            said, complaint = out.read(), err.read()
        if not self.trouble and process.returncode:
            self.trouble = "failed: " + reason(complaint + said)
        if not self.trouble:
            self.read(said)
        self.whole = children_cpu() - before

    def watch(self, process, target):
        begin = time.monotonic()
        start, end = begin + self.sampler.settle, begin + self.sampler.seconds
        while process.poll() is None and time.monotonic() < end + 20:
            now = target.round()
            if start <= now.at <= end:
                self.rounds.append(now)
            try:
                self.peak = max(self.peak, lab.memory_kib(process.pid, "VmHWM"))
                if start <= now.at <= end:
                    self.states.append((time.monotonic(), lab.cpu_seconds(process.pid)))
            except (OSError, lab.Failed):
                pass

    def read(self, said):
        try:
            for thread, frames, count in self.sampler.samples(self.pid, said):
                if thread in (None, self.pid):
                    self.stacks[tuple(frames)] += count
        except (OSError, ValueError, IndexError, subprocess.CalledProcessError) as why:
            self.trouble = "no stacks: %s" % why
        if len(self.rounds) < 4 or len(self.states) < 2:
            self.trouble = self.trouble or "ended too early"

    def slower(self, before, after):
        """Its target's CPU time and time a round, over those without, in %."""
        return [100 * (2 * on / (off + then) - 1)
                for on, off, then in zip(usual(self.rounds), before, after)]

    def own_share(self):
        """% of a core, while it samples."""
        (begin, spent), (end, in_all) = self.states[0], self.states[-1]
        return 100 * (in_all - spent) / (end - begin)

    def asked(self):
        share = sum(each.cpu for each in self.rounds) / sum(each.wall for each in self.rounds)
        return self.sampler.rate * self.sampler.seconds * (share if self.sampler.on_cpu else 1)

    def usable(self):
        """Samples that say where the target was."""
        return sum(count for stack, count in self.stacks.items()
                   if stack or not self.sampler.names)


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def reason(text):
    """The line of a complaint that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for sign in ("nable to", "annot ", "is not ", "rror", ""):
        for line in lines:
            if sign in line:
                return line.encode("ascii", "ignore").decode().strip()[:100]
    return "without a word"


def compare(room, python, kinds, idle=0, repeats=REPEATS):
    """Runs each sampler in turn on the same target; {name: [(run, slower)]}."""
    targets = {}
    for options in {kind.python_options for kind in kinds}:
        targets[options] = Varied(room, python, options, idle)
    plain = targets.get(()) or Varied(room, python, (), idle)
    done, failed = collections.defaultdict(list), {}
    for _ in range(repeats):
        before = plain.alone(ALONE)
        for kind in kinds:
            sampler = kind(room, RATE, RUN)
            why = failed.get(kind) or sampler.missing()
            if not why:
                run = Run(room, sampler, python, targets[kind.python_options])
                why = run.trouble
            if why:
                failed[kind] = why
                continue
            after = plain.alone(ALONE)
            done[kind].append((run, run.slower(before, after)))
            before = after
    for options, target in targets.items():
        if target is not plain:
            alone, beside = target.alone(ALONE)[0], plain.alone(ALONE)[0]
            note("%s %s alone, without a profiler: %+.1f %% CPU time" % (
                python.name, " ".join(options), 100 * (alone / beside - 1)))
    truth = tools.Truth(json.loads(plain.ask("edges 200")))
    results = [Result(kind, done[kind], truth) for kind in kinds if done[kind]]
    for kind in kinds:
        if not done[kind]:
            results.append(Absent(kind, failed[kind]))
    room.stop_all()
    return results


class Absent:
    examples = collections.Counter()

    def __init__(self, kind, why):
        self.name, self.line = kind.name, why


class Result:
    """All runs of one sampler."""

    def __init__(self, kind, runs, truth):
        self.name, self.names = kind.name, kind.names
        self.cpu = [slower[0] for _, slower in runs]
        self.wall = [slower[1] for _, slower in runs]
        self.own = [run.own_share() for run, _ in runs]
        self.whole = [run.whole for run, _ in runs]
        self.memory = max(run.peak for run, _ in runs) / 1024
        self.asked = sum(run.asked() for run, _ in runs)
        self.got = sum(run.usable() for run, _ in runs)
        self.lost = 100 * (1 - self.got / self.asked)
        self.impossible, self.examples = 0, collections.Counter()
        for run, _ in runs:
            for stack, count in run.stacks.items() if kind.names else ():
                edge = truth.impossible(stack)
                if edge:
                    self.impossible += count
                    self.examples[edge] += count

    @property
    def line(self):
        wrong = "n/a: native frames" if not self.names else "%.0f (%.2f %%)" % (
            self.impossible, 100 * self.impossible / max(1, self.got))
        return "%+7.2f %+7.2f %8.2f %8.2f %7.1f %13s %6.1f  %s" % (
            statistics.median(self.cpu), statistics.median(self.wall),
            statistics.median(self.own), statistics.median(self.whole), self.memory,
            "%.0f/%.0f" % (self.got, self.asked), self.lost, wrong)


HEAD = "%-31s %7s %7s %8s %8s %7s %13s %6s  %s" % (
    "", "CPU %", "time %", "own CPU%", "in all s", "MiB", "got/asked", "lost%", "impossible stacks")


def table(title, results):
    note(title)
    note(HEAD)
    for result in results:
        note("%-31s %s" % (result.name, result.line))
    for result in results:
        for (caller, callee), count in result.examples.most_common(2):
            note("impossible, %s: %d of %s called by %s" % (
                result.name, count, callee, caller or "nobody"))


def places(what, results):
    """Where pycost stands, measure by measure."""
    ours = next((each for each in results if each.name == "pycost"), None)
    others = [each for each in results if isinstance(each, Result) and each is not ours]
    if not isinstance(ours, Result) or not others:
        return note("pycost did not run: nothing to compare")
    measures = (
        ("target's CPU, % more", lambda each: statistics.median(each.cpu)),
        ("own CPU, % of a core", lambda each: statistics.median(each.own)),
        ("memory, MiB", lambda each: each.memory),
        ("samples lost, %", lambda each: each.lost),
        ("impossible stacks, %",
         lambda each: 100 * each.impossible / max(1, each.got) if each.names else None),
    )
    for name, value in measures:
        known = [each for each in others if value(each) is not None]
        best = min(known, key=value)
        # Nothing costs less than nothing; as good as the best, as it is shown, will do.
        row("%s: %s (as %s)" % (what, name, best.name), [value(ours)],
            max(0, round(value(best), 2)), "%.2f",
            math.hypot(error(ours.cpu), error(best.cpu)) if name.startswith("target") else 0)


def error(values):
    """Standard error of the mean; none is known of one value."""
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0


def rivals(room):
    """pycost and other samplers on one target, each at 1,000 Hz."""
    note("CPU, time: what a unit of the target's work takes more; own CPU: of a core while")
    note("sampling; in all: CPU time of one run of %d s, with its start and its stacks;" % RUN)
    note("MiB: most resident of what samples; got/asked: samples of the busy thread that")
    note("say where it was; impossible stacks: with a call that sys.setprofile never saw")
    every = (tools.Pycost, tools.ProfilingSampling, tools.ProfilingSamplingBlocking,
             tools.Austin, tools.Perf, tools.Bpftrace, tools.Bcc)
    for kind in every:
        if kind.remark:
            note("%s: %s" % (kind.name, kind.remark))
    newest = room.python("python3.15")
    results = compare(room, newest, every)
    table("python3.15, one busy thread", results)
    places("3.15", results)
    results = compare(room, newest, every, idle=150, repeats=2)
    table("python3.15, one busy thread and 150 idle ones", results)
    places("3.15, 150 idle threads", results)
    older = room.python("python3.13")
    if not older:
        return note("no python3.13 here: austin, which knows no 3.15, has nothing to sample")
    for idle, more in ((0, ""), (150, " and 150 idle ones")):
        results = compare(room, older, (tools.Pycost, tools.Austin), idle, 2)
        table("python3.13, one busy thread" + more, results)
        places("3.13, 150 idle threads" if idle else "3.13", results)


CRITERIA = {"rivals": rivals}

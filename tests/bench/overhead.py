# SPDX-License-Identifier: GPL-2.0-or-later
"""What pycost's own sampling costs: a server under load, and the recorder."""
import argparse
import contextlib
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time

import lab
from results import note, row

sys.path.insert(0, str(lab.TOP / "tests/web"))
import load  # noqa: E402

# Requests between two looks at the clocks: each path as often as the others.
BATCH = 70
# Seconds of load with or without, of settling before, and how often.
PHASE, SETTLE, CYCLES = 3, 6, 8
# So often that what a sample takes rises above the noise.
OFTEN = 10000
STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")


class Server:
    """gunicorn's two workers on one CPU; who asks, and all else, on the other."""

    def __init__(self, room):
        with socket.socket() as free:
            free.bind((load.HOST, 0))
            self.port = free.getsockname()[1]
        self.process = room.start(["tests/web/serve.sh", str(self.port), "2"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not load.wait_for(self.port, lab.PATIENCE):
            raise lab.Failed("the server does not listen")
        self.workers = self.both()
        # Its every view, template and connection is met before anything is timed.
        self.batch(10 * BATCH)
        for pid in self.workers:
            lab.pin_all(pid, 0)

    def both(self):
        """The workers, once there are as many as there should be."""
        end = time.monotonic() + lab.PATIENCE
        while time.monotonic() < end:
            found = children(self.process.pid)
            if len(found) == 2:
                return found
            time.sleep(0.1)
        raise lab.Failed("the server has not got its two workers")

    def pids(self):
        return [self.process.pid, *self.workers]

    def cpu(self):
        return sum(map(lab.cpu_seconds, self.workers))

    def batch(self, count=BATCH):
        """CPU seconds of the workers, and seconds, for one request."""
        job = load.Load(argparse.Namespace(port=self.port, timeout=10, seconds=lab.PATIENCE,
                                           requests=count, paths=load.PATHS))
        begin, before = time.monotonic(), self.cpu()
        threads = [threading.Thread(target=job.work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if sum(counts["failed"] for counts in job.counts.values()):
            raise lab.Failed("requests failed")
        return (self.cpu() - before) / count, (time.monotonic() - begin) / count

    def phase(self, seconds):
        """The same of a usual request: a disturbed batch is one of many."""
        end, batches = time.monotonic() + seconds, []
        while time.monotonic() < end:
            batches.append(self.batch())
        return tuple(middle(values) for values in zip(*batches))


def children(pid):
    text = pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text()
    return [int(child) for child in text.split()]


def middle(values):
    """The mean of the middle half."""
    values, quarter = sorted(values), len(values) // 4
    return statistics.mean(values[quarter:len(values) - quarter])


class Recorder:
    """pycost, sampling some processes; what it takes itself."""

    def __init__(self, room, pids, rate, output="sampled.pycost"):
        self.room, self.rate, self.output = room, rate, room.work / output
        self.complaint = room.work / "complaint"
        with open(self.complaint, "w") as complaint:
            self.process = room.start(room.sample(pids, rate, self.output),
                                      stdout=subprocess.DEVNULL, stderr=complaint)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.room.stop(self.process)

    def check(self):
        if self.process.poll() is not None:
            lines = self.complaint.read_text().split("\n")
            raise lab.Failed("pycost does not sample: " + lines[0])

    def cpu(self):
        self.check()
        return lab.cpu_seconds(self.pid)

    def peak(self):
        return lab.memory_kib(self.pid, "VmHWM") / 1024

    def in_kernel(self):
        """Runs of its programs, and the seconds that they took."""
        runs = taken = 0
        seen = set()
        for file in pathlib.Path("/proc/%d/fdinfo" % self.pid).iterdir():
            with contextlib.suppress(OSError):
                facts = dict(line.split(":", 1) for line in file.read_text().splitlines()
                             if ":" in line)
                if "run_time_ns" in facts and facts["prog_id"] not in seen:
                    seen.add(facts["prog_id"])
                    runs += int(facts["run_cnt"])
                    taken += int(facts["run_time_ns"]) / 1e9
        return runs, taken


@contextlib.contextmanager
def program_times():
    """The kernel times BPF programs meanwhile, which makes each a little slower."""
    before = STATS.read_text()
    STATS.write_text("1")
    try:
        yield
    finally:
        STATS.write_text(before)


def error(values):
    """Standard error of the median, by what lies between the quartiles."""
    _, low, high = lab.spread(values)
    return 1.2533 * (high - low) / 1.349 / len(values) ** 0.5


def serve(server, room):
    """Phases with and without in turns: [(rate or None, phase, recorder's share, MiB)]."""
    phases = []
    for number in range(2 * 3 * CYCLES + 1):
        rate = (None, 99, None, 1000, None, OFTEN)[number % 6]
        if not rate:
            phases.append((None, server.phase(PHASE), None, None))
            continue
        with Recorder(room, server.pids(), rate) as recorder:
            server.phase(SETTLE)
            begin, before = time.monotonic(), recorder.cpu()
            phase = server.phase(PHASE)
            share = (recorder.cpu() - before) / (time.monotonic() - begin)
            phases.append((rate, phase, share, recorder.peak()))
    return phases


def changes(phases, rate, which):
    """Each phase of this kind over the two beside it that are without."""
    step = 1 if rate else 2
    return [
        2 * phases[i][1][which] / (phases[i - step][1][which] + phases[i + step][1][which])
        for i in range(step, len(phases) - step) if phases[i][0] == rate
    ]


def django(room):
    """gunicorn and Django on 3.15 under load, sampled or not."""
    affinity = os.sched_getaffinity(0)
    server = Server(room)
    lab.pin_all(os.getpid(), 1)
    try:
        phases = serve(server, room)
        with program_times():
            for rate in (99, 1000):
                programs(server, room, rate)
    finally:
        os.sched_setaffinity(0, affinity)
    plain = [phase for rate, phase, _, _ in phases if not rate]
    note("without: %.0f us of the workers' CPU time a request, %.0f requests a second" % (
        1e6 * statistics.median(cpu for cpu, _ in plain),
        1 / statistics.median(wall for _, wall in plain)))
    for rate, limit in ((99, 1.005), (1000, 1.03), (OFTEN, None), (None, None)):
        name = "%d Hz" % rate if rate else "without, twice"
        for which, what in enumerate(("CPU time", "time")):
            values = changes(phases, rate, which)
            note("%s, %s a request: %+.2f %% (standard error of the median %.2f %%)" % (
                name, what, 100 * (statistics.median(values) - 1), 100 * error(values)))
            row("django, %s: %s a request, with / without" % (name, what), values, limit,
                "%.4f", error(values))
    often = changes(phases, OFTEN, 0)
    for rate, limit in ((99, 1.005), (1000, 1.03)):
        part = rate / OFTEN
        row("django, %d Hz: CPU time a request, from %d Hz" % (rate, OFTEN),
            [1 + (value - 1) * part for value in often], limit, "%.4f", part * error(often))
    for rate, limit in ((99, 0.3), (1000, None)):
        of_rate = [each for each in phases if each[0] == rate]
        row("django, %d Hz: the recorder's CPU, %% of a core" % rate,
            [100 * share for _, _, share, _ in of_rate], limit, "%.2f")
        row("django, %d Hz: its memory at its peak, MiB" % rate,
            [peak for *_, peak in of_rate], 40 if limit else None, "%.1f")
    room.stop_all()


def programs(server, room, rate):
    """What the kernel itself says that our programs take, in interrupts and elsewhere."""
    with Recorder(room, server.pids(), rate) as recorder:
        server.phase(SETTLE)
        (runs, taken), begin = recorder.in_kernel(), time.monotonic()
        server.phase(2 * PHASE)
        now, took = recorder.in_kernel(), time.monotonic() - begin
    if now[0] > runs:
        row("django, %d Hz: our programs in the kernel, %% of a core" % rate,
            [100 * (now[1] - taken) / took], None, "%.3f")
        note("%d Hz: %.0f runs of our programs a second, %.2f us each" % (
            rate, (now[0] - runs) / took, 1e6 * (now[1] - taken) / (now[0] - runs)))


def sampler(room):
    """The sampling recorder itself, with 10,000 functions, 100,000 call paths, no pause."""
    target = room.start(
        room.pythons[0].command("burn", "tests/oracle/burn.py", "--functions", 10000, "--paths",
                                100000),
        stdout=subprocess.DEVNULL)
    lab.pin(target.pid, 0)
    time.sleep(2)
    for rate in (99, 10000):
        with program_times(), Recorder(room, [target.pid], rate) as recorder:
            shares = observe(recorder, target.pid)
            peak = recorder.peak()
        row("sampler, %d Hz: the recorder's CPU, %% of a core" % rate, shares, None, "%.2f")
        row("sampler, %d Hz: its memory at its peak, MiB" % rate, [peak], None, "%.1f")
        told(room, recorder)
    times = []
    for _ in range(9):
        begin = time.monotonic()
        report(room, recorder)
        times.append(time.monotonic() - begin)
    row("sampler: report of what 10,000 Hz have recorded, s", times, None)
    room.stop_all()


def observe(recorder, pid):
    """The recorder's share of a core, second by second; the rest as notes."""
    time.sleep(2)
    shares, seconds = [], 10
    busy, (runs, taken) = lab.cpu_seconds(pid), recorder.in_kernel()
    start = time.monotonic()
    for _ in range(seconds):
        begin, before = time.monotonic(), recorder.cpu()
        time.sleep(1)
        shares.append(100 * (recorder.cpu() - before) / (time.monotonic() - begin))
    now, took = recorder.in_kernel(), time.monotonic() - start
    note("%d Hz: the target was on a CPU for %.0f %% of the time" % (
        recorder.rate, 100 * (lab.cpu_seconds(pid) - busy) / took))
    if now[0] > runs:
        note("%d Hz: our programs ran %.0f times a second, %.2f us each, %.2f %% of a core" % (
            recorder.rate, (now[0] - runs) / took, 1e6 * (now[1] - taken) / (now[0] - runs),
            100 * (now[1] - taken) / took))
    return shares


def report(room, recorder, *options):
    done = subprocess.run([room.pycost, "report", *options, str(recorder.output)],
                          capture_output=True, text=True)
    if done.returncode:
        raise lab.Failed("no report: " + done.stderr.strip())
    return done.stdout


def told(room, recorder):
    """Samples and losses, as the recording itself says."""
    facts = json.loads(report(room, recorder, "-f", "json"))
    lost = {name: count for name, count in facts.get("losses", {}).items() if count}
    note("%d Hz: the recording has %s samples, and losses: %s" % (
        recorder.rate, facts.get("samples", "uncounted"),
        ", ".join("%s %d" % pair for pair in lost.items()) or "none"))


CRITERIA = {"django": django, "sampler": sampler}

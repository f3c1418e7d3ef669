# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes to measure, what is attached to them, and how two are compared.

Everything is told by a process's own CPU time over the work that it did, and by
ratios of rounds that ran one right after the other: so a slow or a busy machine
changes both sides alike, and a disturbed round is one among many.
"""
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
PATIENCE = 60


class Failed(Exception):
    pass


class Python:
    """One of the fetched interpreters, in copies.

    Breakpoints belong to a file. In a copy of its own, a process meets no probes but
    those that are meant for it, while others with other probes run the same code.
    """

    def __init__(self, name, root, inside, work):
        self.name = name
        self.root = pathlib.Path(root)
        self.enter = [str(self.root / "enter")] if inside else []
        self.inner = "/usr/bin/" + name
        self.lib = "/usr/lib" if inside else str(self.root / "usr/lib")
        self.work = work

    def copy(self, label):
        base = self.work / self.name / label
        path = base / "bin" / self.name
        if not path.exists():
            path.parent.mkdir(parents=True)
            shutil.copy(self.root / "usr/bin" / self.name, path)
            (base / "lib").symlink_to(self.lib)
        return str(path)

    def command(self, label, *arguments):
        return [*self.enter, self.copy(label), *map(str, arguments)]


class Lab:
    """Starts processes, and ends them all, last first."""

    def __init__(self, options):
        self.build = pathlib.Path(options.build).resolve()
        self.pycost = str(self.build / "pycost")
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="pycost-bench-", dir="/tmp"))
        self.started = []
        self.pythons = [
            Python("python3.9", options.py39, False, self.work),
            Python("python3.15", options.py315, True, self.work),
        ]
        # Without live USDT probes.
        self.trapped = [Python("python3." + minor, root, True, self.work)
                        for minor, root in (("11", options.py311), ("13", options.py313))
                        if root]
        self.austin = options.austin

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop_all()
        shutil.rmtree(self.work, ignore_errors=True)

    def python(self, name):
        return next((each for each in self.pythons + self.trapped if each.name == name), None)

    def start(self, command, **options):
        options.setdefault("stdin", subprocess.PIPE)
        options.setdefault("stdout", subprocess.PIPE)
        process = subprocess.Popen(command, cwd=TOP, text=True, bufsize=1, **options)
        self.started.append(process)
        return process

    def stop(self, process):
        self.started.remove(process)
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self):
        while self.started:
            self.stop(self.started[-1])

    def worker(self, python, label):
        return Worker(self, python.command(label, "tests/bench/spin.py"))

    def spinner(self):
        return Worker(self, [str(self.build / "bench/spin")])

    def empty(self, worker):
        tracer = self.start([str(self.build / "bench/empty_probes"), str(worker.pid)])
        if tracer.stdout.readline() != "ready\n":
            raise Failed("the empty probes cannot be attached")
        return tracer

    def record(self, pid, *options, output="out.pycost"):
        command = [self.pycost, "record", "-q", "-p", str(pid), "-o", str(self.work / output)]
        return self.start([*command, *options], stdout=subprocess.DEVNULL)

    def sample(self, pids, rate, output):
        """The command that samples these processes until it is told to end."""
        return [self.pycost, "record", "-q", "--mode", "sample", "--rate", str(rate),
                "-p", ",".join(map(str, pids)), "-o", str(output)]

    def bpftrace(self, worker, path, lean):
        """Adds up each function's time, by file and name, for calls that nest.

        As bpftrace's own tools do it: what began is looked up, and deleted once it has
        ended. The lean one leaves it in the map and trusts its count of the depth.
        """
        probe = "usdt:%s:python:function__" % path
        known, after = "@depth[tid] > 0", ""
        if not lean:
            known, after = "@start[tid, @depth[tid]]", "delete(@start[tid, @depth[tid]]);"
        script = """
            %sentry { @depth[tid]++; @start[tid, @depth[tid]] = nsecs; }
            %sreturn /%s/ {
                @ns[str(arg0), str(arg1)] = sum(nsecs - @start[tid, @depth[tid]]);
                %s @depth[tid]--;
            }""" % (probe, probe, known, after)
        return self.start(
            ["bpftrace", "-q", "-p", str(worker.pid), "-e", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )


class Worker:
    """A process that does work on demand: spin.py or spin.c."""

    def __init__(self, lab, command):
        self.process = lab.start(command)
        self.pid = self.process.pid
        self.plain = None

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        answer = self.process.stdout.readline()
        if not answer:
            raise Failed("a worker died")
        return answer

    def work(self, what, count):
        """CPU nanoseconds for one unit of the work."""
        return int(self.ask("%s %d" % (what, count))) / count

    def measure_plain(self):
        self.plain = min(self.work("calls", 20000) for _ in range(10))

    def wait_probed(self, tracer, what):
        """Until a call costs much more than it did without probes."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if min(self.work("calls", 1000) for _ in range(3)) > 5 * self.plain:
                return
            if tracer.poll() is not None:
                break
            time.sleep(0.05)
        raise Failed(what + " did not attach")


def turns(jobs, rounds, skip=2):
    """Runs each job once a round, in an order that turns; {name: [ns a unit]}.

    jobs: {name: (worker, what, count)}
    """
    results = {name: [] for name in jobs}
    names = list(jobs)
    for number in range(rounds + skip):
        for name in names:
            worker, what, count = jobs[name]
            value = worker.work(what, count)
            if number >= skip:
                results[name].append(value)
        names = names[1:] + names[:1]
    return results


def ratios(above, below):
    return [a / b for a, b in zip(above, below)]


def spread(values):
    """Median and quartiles."""
    values = sorted(values)
    if len(values) < 4:
        return statistics.median(values), values[0], values[-1]
    low, _, high = statistics.quantiles(values, n=4)
    return statistics.median(values), low, high


def pin(pid, cpu):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(pid, {cpus[cpu % len(cpus)]})


def pin_all(pid, cpu):
    """Each of its threads."""
    for task in os.listdir("/proc/%d/task" % pid):
        pin(int(task), cpu)


def cpu_seconds(pid):
    """A process's CPU time, in user and kernel mode, to the nanosecond."""
    total = 0
    for task in pathlib.Path("/proc/%d/task" % pid).iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory_kib(pid, field):
    for line in pathlib.Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise Failed("no %s of %d" % (field, pid))

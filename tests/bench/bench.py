# SPDX-License-Identifier: GPL-2.0-or-later
"""What measuring costs: the target, the machine around it, and the recorder itself."""
import argparse
import json
import statistics
import subprocess
import sys
import time

import budget
import capturing
import lab
import overhead
import sampling
import watching
from results import missed, note, row, show


def probed_call(room):
    """A call of an empty function, entry and return, with all its accounting."""
    for python in room.pythons + room.trapped:
        # bpftrace knows no sites but USDT probes.
        scripts = [] if python in room.trapped else ["bpftrace", "bpftrace-lean"]
        labels = ["plain", "empty", "pycost", *scripts]
        workers = {label: room.worker(python, label) for label in labels}
        for worker in workers.values():
            worker.measure_plain()
        tracers = {
            "empty": room.empty(workers["empty"]),
            "pycost": room.record(workers["pycost"].pid, "--no-calibration"),
        }
        for label in scripts:
            lean = label != "bpftrace"
            tracers[label] = room.bpftrace(workers[label], python.copy(label), lean)
        for label, tracer in list(tracers.items()):
            try:
                workers[label].wait_probed(tracer, label)
            except lab.Failed as why:
                if not label.startswith("bpftrace"):
                    raise
                note("%s: %s" % (python.name, why))
                del workers[label]
        jobs = {label: (worker, "calls", 4000) for label, worker in workers.items()}
        compare_calls(python.name, lab.turns(jobs, 80))
        room.stop_all()


def compare_calls(name, cost):
    median = {label: statistics.median(values) for label, values in cost.items()}
    note(name + ", ns a call: " + ", ".join("%s %.0f" % pair for pair in median.items()))
    row(name + ": call under pycost / under empty probes",
        lab.ratios(cost["pycost"], cost["empty"]), 1.25)
    row(name + ": the same, of what is added to a plain call",
        [(p - n) / (e - n) for p, e, n in zip(cost["pycost"], cost["empty"], cost["plain"])], None)
    for label, limit in (("bpftrace", 0.6), ("bpftrace-lean", None)):
        if label in cost:
            row("%s: call under pycost / %s" % (name, label.replace("-", ", ")),
                lab.ratios(cost["pycost"], cost[label]), limit)


def others(room):
    """Processes that are no targets, on another CPU than a target under way."""
    python = room.pythons[0]
    target = room.start(
        python.command("shared", "tests/oracle/burn.py", "--calls-per-second", 100000),
        stdout=subprocess.DEVNULL,
    )
    lab.pin(target.pid, 0)
    jobs = {
        "same file": (room.worker(python, "shared"), "calls", 200000),
        "own file": (room.worker(python, "own"), "calls", 200000),
        "loop": (room.spinner(), "loop", 4000000),
        "echo": (room.spinner(), "echo", 1000),
    }
    for worker, _, _ in jobs.values():
        lab.pin(worker.pid, 1)
    phases = []
    for number in range(13):
        tracer = None
        if number % 2:
            tracer = room.record(target.pid, "--no-calibration")
            lab.pin(tracer.pid, 0)
            time.sleep(2)
        cost = lab.turns(jobs, 16)
        phases.append({name: statistics.median(values) for name, values in cost.items()})
        if tracer:
            room.stop(tracer)
    compare_phases(phases)
    room.stop_all()


def compare_phases(phases):
    def change(name):
        """Each phase with the recorder against the two beside it without."""
        return [
            2 * phases[i][name] / (phases[i - 1][name] + phases[i + 1][name])
            for i in range(1, len(phases), 2)
        ]

    note("ns a unit: " + ", ".join(
        "%s %.1f" % (name, statistics.median(phase[name] for phase in phases[::2]))
        for name in phases[0]))
    row("not a target, Python of the same file: with / without", change("same file"), 1.01)
    row("not a target, a C program: with / without", change("loop"), 1.01)
    row("not a target, Python of another file: with / without", change("own file"), None)
    row("not a target, 2 context switches: with / without", change("echo"), None)


def between_calls(room):
    """A target's code while it neither calls nor returns: one long loop in C."""
    for python in room.pythons:
        off, on = room.worker(python, "plain"), room.worker(python, "pycost")
        on.measure_plain()
        on.wait_probed(room.record(on.pid, "--no-calibration"), "pycost")
        cost = lab.turns({"off": (off, "sum", 100000), "on": (on, "sum", 100000)}, 300)
        row(python.name + ": between calls, target / no target",
            lab.ratios(cost["on"], cost["off"]), 1.03)
        room.stop_all()


def recorder(room):
    """The recorder itself, with 10,000 functions and 100,000 call paths."""
    python = room.pythons[0]
    target = room.start(
        python.command("burn", "tests/oracle/burn.py", "--functions", 10000, "--paths", 100000,
                       "--calls-per-second", 500000)
    )
    lab.pin(target.pid, 0)
    reports = (json.loads(line) for line in target.stdout)
    usual = cost_of_call(next(reports), next(reports))
    record = room.record(target.pid, output="big.pycost")
    begun = time.monotonic()
    wait_dearer(reports, usual)
    # Now every path is met within some seconds.
    for _ in range(8):
        next(reports)
    spent, waited = lab.cpu_seconds(record.pid), time.monotonic() - begun
    shares, rates = [], []
    for _ in range(4):
        calls, cpu, at = next(reports)["calls"], lab.cpu_seconds(record.pid), time.monotonic()
        next(reports)
        now = next(reports)["calls"]
        took = time.monotonic() - at
        shares.append((lab.cpu_seconds(record.pid) - cpu) / took)
        rates.append((now - calls) / took)
    rss = lab.memory_kib(record.pid, "VmRSS") / 1024
    peak = lab.memory_kib(record.pid, "VmHWM") / 1024
    room.stop(record)
    room.stop_all()
    note("the target made %.0f calls a second" % statistics.median(rates))
    note("the recorder's own CPU time from its start to %.0f s after: %.2f s" % (waited, spent))
    row("recorder's memory, MiB", [rss], 32, "%.1f")
    row("recorder's memory at its peak, MiB", [peak], None, "%.1f")
    row("recorder's CPU, % of a core", [100 * share for share in shares], 1, "%.2f")
    report(room)


def cost_of_call(before, now):
    return (now["cpu"] - before["cpu"]) / (now["calls"] - before["calls"])


def wait_dearer(reports, usual):
    """Until calls cost the target much more than they did: the probes are on."""
    before = next(reports)
    for now in reports:
        if cost_of_call(before, now) > 2 * usual:
            return
        if now["elapsed"] > lab.PATIENCE:
            raise lab.Failed("pycost did not attach")
        before = now


def report(room):
    """The report of the recording that recorder() made."""
    recording = str(room.work / "big.pycost")
    tree = subprocess.run([room.pycost, "report", recording, "--raw", "-f", "folded"],
                          capture_output=True, text=True, check=True).stdout
    times = []
    for _ in range(9):
        begin = time.monotonic()
        subprocess.run([room.pycost, "report", recording], stdout=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - begin)
    note("its recording has %d call paths" % tree.count("\n"))
    row("report of 100,000 call paths, s", times, 0.5)


CRITERIA = {
    "call": probed_call,
    "others": others,
    "between": between_calls,
    "recorder": recorder,
    **overhead.CRITERIA,
    **sampling.CRITERIA,
    **watching.CRITERIA,
    **budget.CRITERIA,
    **capturing.CRITERIA,
}


def main():
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--strict", action="store_true", help="fail when a criterion is not met")
    for name in ("--build", "--py39", "--py315"):
        made.add_argument(name, required=True, help=argparse.SUPPRESS)
    # Nothing where there is none.
    for name in ("--py311", "--py313", "--austin"):
        made.add_argument(name, default="", help=argparse.SUPPRESS)
    made.add_argument("criteria", nargs="*", metavar="CRITERION",
                      help=", ".join(CRITERIA) + " (default: all)")
    options = made.parse_args()
    unknown = set(options.criteria) - set(CRITERIA)
    if unknown:
        made.error("no criterion " + ", ".join(unknown))
    failed = False
    with lab.Lab(options) as room:
        for name in options.criteria or CRITERIA:
            print("%s: %s" % (name, CRITERIA[name].__doc__.splitlines()[0]), flush=True)
            try:
                CRITERIA[name](room)
            except lab.Failed as why:
                failed = True
                note("FAILED: %s" % why)
                room.stop_all()
    show()
    return 1 if failed or options.strict and missed() else 0


if __name__ == "__main__":
    sys.exit(main())

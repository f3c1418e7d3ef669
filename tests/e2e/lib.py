# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end-to-end tests share: targets, recordings, reports and verdicts.

As a program, it prints what a process's probe semaphores hold: lib.py PID...
"""
import atexit
import collections
import ctypes
import errno
import glob
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
ORACLE = os.path.join(TOP, "tests", "oracle")
PYCOST = os.environ.get("PYCOST", os.path.join(TOP, "build", "pycost"))
PYTHONS = {"3.9": "py39", "3.11": "py311", "3.13": "py313", "3.14": "py314", "3.15": "py315"}
# Built without USDT probes, by pyenv, where this machine has them.
BUILDS = ["3.6.15", "3.7.16", "3.8.18", "3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0"]
FREE_THREADED = {"3.13t": "py313t", "3.14t": "py314t"}  # if tests/fetch.sh was asked to
# Long enough for a machine that does much else, too: nothing waits in vain for it.
PATIENCE = 60

sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)
work = tempfile.mkdtemp(prefix="pycost-e2e-")
counts = collections.Counter()
processes = []


# ---- verdicts ----


def ok(name):
    counts["passed"] += 1
    print("PASS %s" % name)


def fail(name, why):
    counts["failed"] += 1
    print("FAIL %s: %s" % (name, why))


def skip(name, why):
    counts["skipped"] += 1
    print("SKIP %s: %s" % (name, why))


def check(name, good, why=""):
    """One verdict; why is what was seen instead."""
    if good:
        ok(name)
    else:
        fail(name, why or "not so")
    return bool(good)


def equal(name, got, expected):
    return check(name, got == expected, "%r, not %r" % (got, expected))


def descriptors(pid):
    """What the kernel says of each descriptor of a process."""
    for name in os.listdir("/proc/%d/fdinfo" % pid):
        try:
            with open("/proc/%d/fdinfo/%s" % (pid, name), encoding="ascii") as file:
                yield file.read()
        except OSError:  # it is closed by now
            pass


def run(*tests):
    """Runs the tests (those whose names the command line has, if any), sums up."""
    need_privilege()
    unknown = set(sys.argv[1:]) - {t.__name__ for t in tests}
    if unknown:
        sys.exit("no such test: " + " ".join(sorted(unknown)))
    chosen = [t for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    for test in chosen:
        began = time.monotonic()
        try:
            test()
        except Exception as error:  # a broken test must not hide the others
            fail(test.__name__, "%s: %s" % (type(error).__name__, error))
            if os.environ.get("PYCOST_TEST_TRACE"):
                raise
        finally:
            end_all()
        print("# %s: %.0f s" % (test.__name__, time.monotonic() - began))
    sys.exit(summary())


def summary():
    print("%d passed, %d failed, %d skipped"
          % tuple(counts[kind] for kind in ("passed", "failed", "skipped")))
    return 1 if counts["failed"] else 0


def need_privilege():
    if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
        skip(os.path.basename(sys.argv[0]), "needs root and a kernel with BPF and BTF")
        sys.exit(summary())


# ---- processes ----


def end_all():
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                try:
                    stream.close()
                except OSError:
                    pass
    processes.clear()


@atexit.register
def clean_up():
    end_all()
    shutil.rmtree(work, ignore_errors=True)


# By exit(), so that the above is done.
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def start(*command, **options):
    process = subprocess.Popen([str(part) for part in command], **options)
    processes.append(process)
    return process


def until(condition, what, seconds=PATIENCE):
    """Waits until condition() is true, and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)


def deny_tracefs():
    """In a process before its exec: as a container's seccomp filter does, EPERM for fsopen()."""
    load, equal, give, fsopen, refuse = 0x20, 0x15, 0x06, 430, 0x50000 | errno.EPERM
    code = [(load, 0, 0, 0), (equal, 0, 1, fsopen), (give, 0, 0, refuse), (give, 0, 0, 0x7fff0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in code))
    program = struct.pack("<HxxxxxxQ", 4, ctypes.addressof(code))
    set_seccomp, filter_mode = 22, 2
    if ctypes.CDLL(None, use_errno=True).prctl(set_seccomp, filter_mode, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_ns(pid):
    """A process's CPU time, its ended threads included: clock_getcpuclockid()'s clock."""
    return time.clock_gettime_ns(~pid << 3 | 2)


def root(version):
    made = subprocess.run([os.path.join(TOP, "tests", "fetch.sh"), PYTHONS[version]],
                          stdout=subprocess.PIPE, check=True)
    return made.stdout.decode().strip()


def built(version):
    """One of pyenv's, or a free-threaded one; None: this machine has it not."""
    if version in FREE_THREADED:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        cache = os.environ.get("PYCOST_CACHE") or os.path.join(cache, "pycost")
        stamps = glob.glob("%s/%s-*/.complete" % (cache, FREE_THREADED[version]))
        return max(stamps)[:-len(".complete")] + "usr/bin/python" + version if stamps else None
    path = os.path.expanduser("~/.pyenv/versions/%s/bin/python%s"
                              % (version, version.rpartition(".")[0]))
    return path if os.access(path, os.X_OK) else None


def python(version, *arguments):
    """The command line of an interpreter, in its own root unless it was built here."""
    if version in BUILDS or version in FREE_THREADED:
        return [built(version), *arguments]
    return [os.path.join(root(version), "enter"), "python" + version, *arguments]


def script(name, text):
    """A file with a program of the test's own."""
    path = os.path.join(work, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Target:
    """A workload of tests/oracle, or any program that keeps to its protocol."""

    def __init__(self, version, script, *arguments, cwd=ORACLE, wait=True, **options):
        command = python(version, script, *arguments) + (["--wait"] if wait else [])
        self.process = start(*command, cwd=cwd, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, **options)
        self.pid = self.process.pid
        if wait:
            self.line("READY %d" % self.pid)

    def line(self, expected=None):
        line = self.process.stdout.readline().decode().strip()
        if expected is not None and line != expected:
            raise AssertionError("%r instead of %r" % (line, expected))
        return line

    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def done(self):
        """From the work's start to its end; the process stays."""
        self.go()
        self.line("DONE")

    def end(self):
        self.go()
        return self.process.wait(PATIENCE)


class Recording:
    """pycost record, in the background."""

    def __init__(self, *arguments, output=None, **options):
        self.file = output or os.path.join(work, "%d.pycost" % time.monotonic_ns())
        self.log = self.file + ".log"
        with open(self.log, "wb") as log:
            self.process = start(PYCOST, "record", "-o", self.file, *arguments,
                                 stdin=subprocess.DEVNULL, stderr=log, **options)

    @classmethod
    def of(cls, pids, *arguments, **options):
        """Attached when this returns."""
        if isinstance(pids, int):
            pids = [pids]
        self = cls("-p", ",".join(map(str, pids)), "--no-calibration", *arguments, **options)
        self.attached(*pids)
        return self

    def attached(self, *pids):
        def all_on():
            if self.process.poll() is not None:
                raise AssertionError("record ended: " + self.said())
            gone = [pid for pid in pids if not alive(pid)]
            if gone:
                raise AssertionError("%s ended, and is to be recorded" % gone)
            return self.serves() and all(probes_on(pid) for pid in pids)

        until(all_on, "the probes are not on")

    def serves(self):
        return "measuring" in self.said()

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read().strip()

    def wait(self):
        status = self.process.wait(PATIENCE)
        if status:
            raise AssertionError("record exited with %d: %s" % (status, self.said()))
        return self

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def report(self, *options):
        return Report(self.file, *options)


# ---- reports ----


def pycost(*arguments, **options):
    return subprocess.run([PYCOST, *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **options)


class Report:
    def __init__(self, file, *options):
        made = pycost("report", file, "--format", "json", *options)
        if made.returncode:
            raise AssertionError("report: " + made.stderr.decode())
        self.json = json.loads(made.stdout)
        self.warned = made.stderr.decode()
        self.functions = {f["id"]: f for f in self.json["functions"]}
        # Some kernels do not tell of every context switch: a time slice whose start was
        # not seen takes a bit of cost away, never a call.
        self.losses = {kind: n for kind, n in self.json["losses"].items()
                       if n and kind != "slices"}

    def calls(self, name):
        """Of all functions of that name or qualified name."""
        return sum(f["calls"] for f in self.functions.values()
                   if name in (f["name"], f["qualname"]))

    def named(self, name):
        return [f for f in self.functions.values() if name in (f["name"], f["qualname"])]

    def counted(self, files):
        """Calls by key and by edge, of code in these files, as oracle.py has them."""
        keys = {}
        calls, edges = collections.Counter(), collections.Counter()
        for number, f in self.functions.items():
            base = os.path.basename(f["file"])
            if base in files and f["calls"]:
                keys[number] = key = "%s:%d:%s" % (base, f["line"], f["name"])
                calls[key] += f["calls"]
                edges["*", key] += f["calls"]
        for edge in self.json["edges"]:
            caller, callee = keys.get(edge["caller"]), keys.get(edge["callee"])
            if caller and callee and edge["calls"]:
                edges[caller, callee] += edge["calls"]
                edges["*", callee] -= edge["calls"]
        return calls, +edges


# ---- what lies in the target ----


def load_address(pid):
    """Of the program itself: Debian's interpreters have all of Python inside."""
    name = os.path.basename(os.readlink("/proc/%d/exe" % pid))
    with open("/proc/%d/maps" % pid) as maps:
        for line in maps:
            if os.path.basename(line.strip()) == name:
                return int(line.split("-")[0], 16)
    return 0


known_notes = {}


def notes_of(path):
    """{probe name: {semaphore's address}} of an ELF file, and its first segment's."""
    stat = os.stat(path)
    found = known_notes.get((stat.st_dev, stat.st_ino))
    if found:
        return found
    with open(path, "rb") as file:
        data = file.read()
    at, = struct.unpack_from("<Q", data, 0x20)
    n, = struct.unpack_from("<H", data, 0x38)
    loads = [h for h in struct.iter_unpack("<IIQQQQQQ", data[at:at + 56 * n]) if h[0] == 1]
    at, = struct.unpack_from("<Q", data, 0x28)
    n, names_at = struct.unpack_from("<HH", data, 0x3C)
    sections = list(struct.iter_unpack("<IIQQQQIIQQ", data[at:at + 64 * n]))
    text = data[sections[names_at][4]:]
    named = {text[s[0]:text.index(b"\0", s[0])].decode(): s for s in sections}
    notes = collections.defaultdict(set)
    if ".note.stapsdt" in named:
        base_now = named[".stapsdt.base"][3]
        section = named[".note.stapsdt"]
        at, end = section[4], section[4] + section[5]
        while at < end:
            name_size, size, _ = struct.unpack_from("<III", data, at)
            at += 12 + (name_size + 3 & ~3)
            _, base, semaphore = struct.unpack_from("<QQQ", data, at)
            provider, name = data[at + 24:at + size].split(b"\0")[:2]
            if provider == b"python" and semaphore:
                notes[name.decode()].add(semaphore + base_now - base)
            at += size + 3 & ~3
    found = known_notes[stat.st_dev, stat.st_ino] = (dict(notes), loads[0][3] - loads[0][2])
    return found


def semaphores(pid):
    """{probe name: what its semaphore holds} in a process; {} when it is gone."""
    values = {}
    try:
        notes, first = notes_of("/proc/%d/exe" % pid)
        bias = load_address(pid) - (first & ~4095)
        with open("/proc/%d/mem" % pid, "rb", 0) as memory:
            for name, addresses in notes.items():
                for address in addresses:
                    memory.seek(bias + address)
                    values[name] = struct.unpack("<H", memory.read(2))[0]
    except (OSError, struct.error):
        pass
    return values


def has_probes(pid):
    """Function probes that are live: those of 3.11 are not. None: the process is gone."""
    try:
        notes, _ = notes_of("/proc/%d/exe" % pid)
        name = os.path.basename(os.readlink("/proc/%d/exe" % pid))
    except OSError:
        return None
    return "function__entry" in notes and name != "python3.11"


def changed(pid, name):
    """How many bytes of a mapped file's code are not as they are in the file."""
    count = 0
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            where, rights, offset, _, inode, *path = line.split(None, 5)
            if "x" not in rights or not path or name not in os.path.basename(path[0].strip()):
                continue
            low, high = (int(part, 16) for part in where.split("-"))
            memory.seek(low)
            now = memory.read(high - low)
            with open("/proc/%d/map_files/%x-%x" % (pid, low, high), "rb") as file:
                file.seek(int(offset, 16))
                then = file.read(high - low)
            # By pages first: byte by byte, megabytes take a good part of a second.
            for at in range(0, len(then), 4096):
                if now[at:at + 4096] != then[at:at + 4096]:
                    count += sum(a != b for a, b in zip(now[at:at + 4096], then[at:at + 4096]))
    return count


def traps(pid):
    """The breakpoints in an interpreter's code; 0 when the process is gone."""
    try:
        return changed(pid, "python")
    except (OSError, ValueError):
        return 0


def probes_on(pid):
    if not has_probes(pid):
        return traps(pid) > 0
    values = semaphores(pid)
    return values.get("function__entry") and values.get("function__return")


def probes_off(pid):
    """None of Python's probes is on, and it could be read."""
    if not has_probes(pid):
        return alive(pid) and not traps(pid)
    values = semaphores(pid)
    return bool(values) and not any(values.values())


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(each, json.dumps({k: v for k, v in semaphores(int(each)).items() if v}))

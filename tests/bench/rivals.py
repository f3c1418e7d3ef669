# SPDX-License-Identifier: GPL-2.0-or-later
"""The samplers to compare: how each is run, and what it says that it saw.

Those that read a target's files by the names in its memory map are run in its own
root directory: none of them looks through /proc/PID/root.
"""
import collections
import itertools
import re
import shutil
import subprocess

Sample = collections.namedtuple("Sample", "thread frames count")
Sample.__doc__ = """`count` samples of one stack, outermost function first; the thread's
id, or None when the tool does not tell."""


class Sampler:
    """What all of them share: most know no more than this."""

    program = ""
    # Options that its target's Python needs.
    python_options = ()
    # Whether only threads on a CPU are sampled, not all of them at each tick.
    on_cpu = True
    # Whether it names Python's functions.
    names = True
    # Seconds until it surely samples.
    settle = 0.8
    remark = ""

    def __init__(self, room, rate, seconds):
        self.room, self.rate, self.seconds = room, rate, seconds
        self.output = str(room.work / ("sampled-" + re.sub(r"\W+", "-", self.name)))

    def missing(self):
        """Why it cannot be tried, or None."""
        return None if shutil.which(self.program) else "not installed"

    def inside(self, pid, *command):
        """Where the target's files have the names that its memory map says."""
        return ["nsenter", "-t", str(pid), "-m", "-r", "--wd=/proc/%d/cwd" % pid, *command]


class Pycost(Sampler):
    name = "pycost"

    def missing(self):
        return None

    def command(self, python, pid):
        return [*self.room.sample([pid], self.rate, self.output), "-d", str(self.seconds)]

    def samples(self, _, said):
        folded = run([self.room.pycost, "report", "-f", "folded", self.output])
        for stack, weight in folded_lines(folded):
            _, *frames = stack.split(";")
            # A sample's weight is the time from one to the next.
            yield Sample(None, frames, weight * self.rate / 1e9)


class ProfilingSampling(Sampler):
    name = "profiling.sampling"
    on_cpu = False
    remark = "all threads (-a), wall mode: its default"

    def missing(self):
        return None

    def command(self, python, pid):
        return self.inside(
            pid, python.inner, "-m", "profiling.sampling", "attach", "-r", str(self.rate),
            "-d", str(self.seconds), "-a", "--collapsed", "-o", self.output, str(pid))

    def samples(self, _, said):
        for stack, count in folded_lines(open(self.output).read()):
            thread, *frames = stack.split(";")
            yield Sample(int(re.search(r"\d+", thread)[0]), places(frames), count)


class ProfilingSamplingBlocking(ProfilingSampling):
    name = "profiling.sampling --blocking"
    remark = "stops the target for each sample"

    def command(self, python, pid):
        command = super().command(python, pid)
        return command[:-1] + ["--blocking", command[-1]]


class Austin(Sampler):
    name = "austin"
    on_cpu = False

    def __init__(self, room, rate, seconds):
        super().__init__(room, rate, seconds)
        self.binary = room.austin
        if self.binary:
            # /tmp has the same name in each root.
            self.binary = shutil.copy(self.binary, room.work / "austin")

    def missing(self):
        return None if self.binary else "not installed"

    def command(self, python, pid):
        return self.inside(pid, str(self.binary), "-i", str(round(1e6 / self.rate)),
                           "-x", str(self.seconds), "-o", self.output, "-p", str(pid))

    def samples(self, _, said):
        # A line is a sample; its weight is the time since the one before.
        for stack, _ in folded_lines(open(self.output).read()):
            _, thread, *frames = stack.split(";")
            # It owns up to frames that it could not read: then no path is claimed.
            frames = [] if ":INVALID:" in frames else places(frames)
            yield Sample(int(thread.split(":")[-1]), frames, 1)


class Perf(Sampler):
    name = "perf + trampoline"
    program = "perf"
    python_options = ("-X", "perf")
    remark = "its target runs as python -X perf, against one without; frame pointers"

    def command(self, python, pid):
        return ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(self.rate), "-g",
                "-p", str(pid), "-o", self.output, "--", "sleep", str(self.seconds)]

    def samples(self, pid, said):
        text = run(["perf", "script", "-i", self.output, "-F", "tid,ip,sym"])
        for block in text.split("\n\n"):
            head, *lines = block.strip().splitlines() or [""]
            frames = [re.search(r" py::(.*?):", line) for line in lines]
            frames = [found[1] for found in reversed(frames) if found]
            if head:
                yield Sample(int(head.split()[-1]), frames, 1)


class Bpftrace(Sampler):
    name = "bpftrace profile"
    program = "bpftrace"
    names = False
    settle = 2
    remark = "native stacks only"

    def command(self, python, pid):
        return ["bpftrace", "-q", "-o", self.output, "-e",
                "profile:hz:%d /pid == %d/ { @[tid, ustack(perf)] = count(); }"
                " interval:s:%d { exit(); }" % (self.rate, pid, self.seconds)]

    def samples(self, _, said):
        for tid, count in re.findall(r"^@\[(\d+),.*?^\]: (\d+)$", open(self.output).read(),
                                     re.MULTILINE | re.DOTALL):
            yield Sample(int(tid), [], int(count))


class Bcc(Sampler):
    name = "bcc profile"
    program = "profile-bpfcc"
    names = False
    settle = 2
    remark = "native stacks only"

    def command(self, python, pid):
        return ["profile-bpfcc", "-U", "-f", "-F", str(self.rate), "-p", str(pid),
                str(self.seconds)]

    def samples(self, _, said):
        for _, count in folded_lines(said):
            yield Sample(None, [], count)


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=True,
                          errors="replace").stdout


def folded_lines(text):
    """(stack, count) of each line "a;b;c COUNT"."""
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if stack and not line.startswith("#") and count.isdigit():
            yield stack, int(count)


def places(frames):
    """The functions of FILE:FUNCTION:LINE. Without <GC> and its like, which are no
    functions, nor the frame that the interpreter itself puts below an __init__."""
    split = [frame.rsplit(":", 2) for frame in frames if frame.count(":") >= 2]
    return [function for file, function, _ in split if (file, function) != ("__init__",) * 2]


class Truth:
    """Which calls there are, by sys.setprofile."""

    def __init__(self, edges):
        self.edges = {tuple(edge) for edge in edges}
        self.known = set(itertools.chain(*self.edges))

    def named(self, text):
        """A function as the truth calls it: tools put modules before it."""
        name = text
        while name not in self.known:
            _, dot, name = name.partition(".")
            if not dot:
                return text
        return name

    def impossible(self, frames):
        """The first (caller, callee) in a stack that cannot be, or None."""
        frames = ["", *map(self.named, frames)]
        return next((edge for edge in zip(frames, frames[1:]) if edge not in self.edges), None)

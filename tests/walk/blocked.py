# SPDX-License-Identifier: GPL-2.0-or-later
# Threads that stand still in known places, and what they see of themselves: for each
#
#	thread IDENT NAME
#	frame CODE LASTI NAME		innermost first
#	await CODE LASTI NAME
#	end
#
# and "ready", when all are told.  Numbers are hexadecimal.  Ends with its standard input.
import asyncio
import functools
import sys
import threading
import time

FOREVER = 1000000
blocked = []  # (what, whom): threads that are about to stand still


def sleep():
    time.sleep(FOREVER)


class Plain(object):
    def __init__(self, then):
        self.done = then()

    @property
    def value(self):
        return sorted([1], key=lambda one: sleep())


def counted(then):
    for i in range(3):
        yield then()


def delegating(then):
    yield from counted(then)


def deep(n, then):
    return deep(n - 1, then) if n else then()


def through_c():
    return list(map(lambda one: functools.reduce(lambda a, b: sleep(), [1, 2]), [1]))


def functions():
    deep(3, lambda: [Plain(through_c) for i in range(2)])


def generators():
    for value in delegating(lambda: sum(counted(lambda: Plain.value.fget(None)))):
        pass


def thrown():
    def inner():
        try:
            yield
        except ValueError:
            sleep()

    made = inner()
    next(made)
    made.throw(ValueError())


tasks = []


def coroutines():
    async def innermost():
        await asyncio.sleep(0)
        sleep()

    async def middle():
        await innermost()

    async def outer(then):
        tasks.append(asyncio.ensure_future(then))
        await tasks[-1]

    async def outermost():
        tasks.append(asyncio.ensure_future(outer(middle())))
        await asyncio.gather(tasks[-1])

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    main = loop.create_task(outermost())
    tasks.append(main)
    loop.run_until_complete(main)


def tell(kind, frame):
    # Before anything has run it is below 0.
    print("%s %x %x %s" % (kind, id(frame.f_code), frame.f_lasti & 0x3fffffff, frame.f_code.co_name))


def waiting():
    """Who awaits the running task, if the interpreter knows; those that gather() are left out."""
    if sys.version_info < (3, 14):
        return []
    by_code = dict((task.get_coro().cr_code.co_name, task) for task in tasks)
    return [by_code[name].get_coro().cr_frame for name in ("outer", "outermost")]


def report():
    frames = sys._current_frames()
    for thread in threads:
        frame = frames[thread.ident]
        print("thread %x %s" % (thread.ident, thread.name))
        awaits = waiting() if thread.name == "coroutines" else []
        while frame:
            tell("frame", frame)
            if awaits and frame.f_code.co_name == "middle":
                break
            frame = frame.f_back
        for frame in awaits:
            tell("await", frame)
        print("end")
    print("ready")
    sys.stdout.flush()


threads = []
for target in functions, generators, thrown, coroutines:
    threads.append(threading.Thread(target=target, name=target.__name__))
    threads[-1].daemon = True
    threads[-1].start()
time.sleep(1.5)
report()
sys.stdin.read()

# SPDX-License-Identifier: GPL-2.0-or-later
"""rounds.py MODULE WORD...: MODULE.main([WORD...]) again and again, stopped before each.

`counted rounds` lets it go on; while it is stopped it runs no instruction, so that
a recording can begin and end where its counter is known.
"""
import gc
import importlib
import os
import signal
import sys


def rounds(main, words):
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)
        main(words)


gc.disable()
# No thread is asked to give up the interpreter's lock in the midst of a function.
sys.setswitchinterval(1000)
rounds(importlib.import_module(sys.argv[1]).main, [int(word) for word in sys.argv[2:]])

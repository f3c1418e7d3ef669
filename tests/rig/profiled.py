# SPDX-License-Identifier: GPL-2.0-or-later
"""profiled.py SIZE...: work.py under cProfile; prints {kind: its cumulative seconds}."""
import cProfile
import gc
import json
import sys

import work

gc.disable()
profile = cProfile.Profile()
profile.enable()
work.main([int(size) for size in sys.argv[1:]])
profile.disable()
seconds = {entry.code: entry.totaltime for entry in profile.getstats()}
print(json.dumps({kind.__name__: seconds[kind.__code__] for kind in work.KINDS}))

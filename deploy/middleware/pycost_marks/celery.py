# SPDX-License-Identifier: GPL-2.0-or-later
"""Celery:  pycost_marks.celery.connect()  where the application is made.

Each task is a request of the kind "TASK", named as the task is.  Its state is its tag
"outcome": SUCCESS, FAILURE, RETRY...  tags(task) may give {key: value}.
"""
from . import begin, end, listening


def connect(tags=None):
    """False: Celery is not there, or not as it was when this was written."""
    try:
        from celery.signals import task_postrun, task_prerun
    except Exception:
        return False

    def on_prerun(task=None, **rest):
        more = None
        if listening and tags is not None:
            try:
                more = tags(task)
            except Exception:
                pass
        begin("TASK", getattr(task, "name", None) or "?", more)

    def on_postrun(state=None, **rest):
        end("", outcome=state or "?")

    # Signals hold their receivers weakly, and one by its uid but once.
    task_prerun.connect(on_prerun, weak=False, dispatch_uid="pycost_marks")
    task_postrun.connect(on_postrun, weak=False, dispatch_uid="pycost_marks")
    return True

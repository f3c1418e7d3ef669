# SPDX-License-Identifier: GPL-2.0-or-later
"""Flask:  pycost_marks.flask.init(app, tags=lambda: {"arm": g.arm})

The endpoint is the rule of the URL as it was written, /product/<int:id>; it is marked
before the functions of before_request(), and the tags after them.
"""
import functools

from . import audit, flat, listening


def init(app, tags=None):
    from flask import request

    def mark():
        try:
            rule = request.url_rule
            if rule is not None:
                audit("pycost.endpoint", rule.rule)
        except Exception:
            pass

    def mark_tags():
        try:
            audit("pycost.tag", *flat(tags() or {}))
        except Exception:
            pass

    try:
        put_around(app, mark, mark_tags if tags is not None else None)
    except Exception:
        pass
    return app


def put_around(app, mark, mark_tags):
    """Flask looks closely at each function of before_request() before it calls it: that
    would be several times as much as all of this when nobody listens."""
    preprocess = getattr(app, "preprocess_request", None)
    if preprocess is None:  # a blueprint
        app.before_request(lambda: listening and mark() or None)
        if mark_tags is not None:
            app.before_request(lambda: listening and mark_tags() or None)
        return

    @functools.wraps(preprocess)
    def marked(*context):
        if listening:
            mark()
        found = preprocess(*context)
        if listening and mark_tags is not None:
            mark_tags()
        return found

    app.preprocess_request = marked

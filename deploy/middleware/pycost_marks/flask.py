# SPDX-License-Identifier: GPL-2.0-or-later
"""Flask:  pycost_marks.flask.init(app, tags=lambda: {"arm": g.arm})

The endpoint is the rule of the URL as it was written, /product/<int:id>; it and the
tags are marked when the view is about to be called.
"""
from . import audit, endpoint, flat


def init(app, tags=None):
    from flask import request

    def mark():
        try:
            rule = request.url_rule
            name = rule.rule if rule is not None else ""
            if tags is None:
                audit("pycost.endpoint", name)
            else:
                audit("pycost.endpoint", name, *flat(tags() or {}))
        except Exception:
            pass

    try:
        app.before_request(mark)
    except Exception:
        pass
    return app

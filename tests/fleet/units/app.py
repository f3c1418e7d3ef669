# SPDX-License-Identifier: GPL-2.0-or-later
"""A site with one view that does something."""
from flask import Flask

app = Flask(__name__)


@app.route("/work")
def work():
    return str(sum(i * i for i in range(20000)))

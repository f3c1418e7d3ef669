# SPDX-License-Identifier: GPL-2.0-or-later
"""A site whose views cost what is known: one does four times the work of another, and one
serves two endpoints."""
from flask import Flask

app = Flask(__name__)


def work(rounds):
    total = 0
    for number in range(rounds):
        total += number * number
    return total


@app.route("/cheap")
def cheap():
    return "%d\n" % work(10000)


@app.route("/dear")
def dear():
    return "%d\n" % work(40000)


@app.route("/left")
@app.route("/right")
def both():
    return "%d\n" % work(20000)

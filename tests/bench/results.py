# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured, as it is shown."""
import lab

rows = []


def row(name, values, limit, form="%.3f", error=0):
    """One criterion: met when the median is within the limit (None: to know only).

    With an error of the median, neither is said of one that is no further away.
    """
    median, low, high = lab.spread(values)
    verdict = "" if limit is None else "met" if median <= limit else "NOT MET"
    if verdict and abs(median - limit) < error:
        verdict = "within its error"
    rows.append((name, limit, median, low, high, verdict, form))


def note(text):
    print("      " + text, flush=True)


def show():
    print("\n%-62s %8s %8s  %-17s" % ("criterion", "at most", "median", "quartiles"))
    for name, limit, median, low, high, verdict, form in rows:
        print("%-62s %8s %8s  %-17s %s" % (
            name, "" if limit is None else "%g" % limit, form % median,
            form % low + " - " + form % high, verdict))


def missed():
    return sum(verdict == "NOT MET" for *_, verdict, _ in rows)

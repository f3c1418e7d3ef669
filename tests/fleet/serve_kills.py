#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The collector is killed at random moments while batches are posted and posted again until
they are answered: afterwards the totals are exact.  serve_kills.py [KILLS]"""
import http.client
import random
import signal
import sys
import threading
import time

from serve_rig import Server, batches, check, finish, need_store, stored, totals

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
SENDERS = 6
OPTIONS = ("--quiet", "--set", "group.ms=30", "--set", "limits.sender-batches=1000000")


class Current:
    """The server that there is now; those who post take whichever it is."""

    def __init__(self):
        self.server = Server(*OPTIONS)
        self.kills = self.resent = self.unheard = 0
        self.done = False
        self.refused = []


def post_until_answered(now, batch, is_new=True):
    while True:
        try:
            answer = now.server.post(batch)
        except (OSError, http.client.HTTPException):
            now.resent += 1
            time.sleep(0.01)
            continue
        if answer.status == 200:
            now.unheard += is_new and answer.json["stored"] == "duplicate"
            return
        if answer.status != 503:
            now.refused.append(answer)
            return


def send(now, name, sent):
    """More and more of them, until the last kill is over."""
    number = 0
    while not now.done:
        for batch in batches(20, sender=name, functions=40, step=0):
            post_until_answered(now, batch)
            sent.append(batch)
            number += 1
            # An answer that got lost: the same again.
            if number % 7 == 0:
                post_until_answered(now, batch, False)


def kill_and_start(now, dice):
    time.sleep(dice.choice([dice.uniform(0, 0.05), dice.uniform(0, 0.5)]))
    now.server.process.send_signal(signal.SIGKILL)
    now.server.process.wait()
    now.kills += 1
    now.server = Server(*OPTIONS, store=now.server.store)


def main():
    need_store("kills")
    seed = random.SystemRandom().randrange(1 << 32)
    dice = random.Random(seed)
    now, sent = Current(), []
    threads = [threading.Thread(target=send, args=(now, "web-%d" % i, sent)) for i in range(SENDERS)]
    for t in threads:
        t.start()
    while now.kills < KILLS:
        kill_and_start(now, dice)
    now.done = True
    for t in threads:
        t.join()
    status = now.server.stop()
    print("# %d kills, %d batches, posted %d times in vain, %d were stored unheard, seed %d"
          % (now.kills, len(sent), now.resent, now.unheard, seed))
    check("kills: none was refused", not now.refused, now.refused[:3])
    check("kills: some were under way", now.resent > KILLS / 4, now.resent)
    check("kills: ends well", status == 0, now.server.log()[-500:])
    have, want = stored(now.server.store), totals(sent)
    check("kills: exact totals after %d kills" % now.kills, have == want, "%s, not %s" % (have, want))
    finish()


main()

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that keeps the store: once a minute hours and days are made, and old facts go. */
#ifndef PYCOST_KEEPER_H
#define PYCOST_KEEPER_H

struct collector;

void keeper_init(struct collector *c);
void keeper_free(struct collector *c);
int keeper_start(struct collector *c); /* -errno */
void keeper_stop(struct collector *c); /* waits for the round that is under way */

#endif

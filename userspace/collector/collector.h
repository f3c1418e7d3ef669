/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The collector: batches come in over HTTP, go to the store in groups, and are answered
 * when they are durable there; questions are answered from the store.
 *
 *	connections' threads: heads and bodies, never anything that waits
 *	  -> unpacking threads: bytes to batches, who may bring what, clocks
 *	    -> the group's thread: store_write(), then all of the group are answered
 *	  -> asking threads: queries
 *	maintenance: store_maintain()
 *
 * A sender that got no answer sends again; the store knows what it has. So there is
 * nothing here that a crash could lose.
 */
#ifndef PYCOST_COLLECTOR_H
#define PYCOST_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/collector/serve_config.h"

struct collector;

/* The configuration must outlive it. -errno, and a sentence in err. */
int collector_start(const struct serve_config *config, struct collector **ret, char *err,
		    size_t errlen);
/* Whether the files that it names are good; nothing is begun. -errno, and a sentence in err. */
int collector_check(const struct serve_config *config, char *err, size_t errlen);
/* Where it listens. */
uint16_t collector_port(const struct collector *c);
/* Tokens and certificates, once more; -errno: those that there were stay. */
int collector_reload(struct collector *c, char *err, size_t errlen);
/* About once a second: cuts connections and queries that take too long. */
void collector_tick(struct collector *c);
/* Whether all of it moves: false when a write to the store is stuck for minutes. */
bool collector_is_alive(struct collector *c);
/* One line of what it has done, for systemctl status. */
void collector_summary(struct collector *c, char *buf, size_t size);
/*
 * Takes no more, answers all that came, writes what has to be written, and is gone. Bodies
 * that do not arrive within half a minute are cut off. -EBUSY: a query does not come to its
 * end, so the memory is still used: end the process by _exit(). All that was answered is
 * durable either way.
 */
int collector_stop(struct collector *c);

#endif

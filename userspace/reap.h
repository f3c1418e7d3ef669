/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What served processes leave behind in the kernel's tables when they end, by whatever
 * death: requests that no thread worked for just then, and open connections.  And what all
 * of them leave when watching rests.
 */
#ifndef PYCOST_REAP_H
#define PYCOST_REAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct requests_bpf;

/*
 * Requests of processes that are not served are ended; those whose process is gone are
 * told as WIRE_REQUEST_DIED.  Goes through all rows: for when a process has ended.
 * finish: nothing more is going to be seen, and those answered by now are told as well.
 */
void reap(struct requests_bpf *programs, bool finish);

/*
 * Watching rests, and has let go of all sockets: what the programs have noted of
 * connections goes; in_flight: and of requests.
 */
void reap_rest(struct requests_bpf *programs, bool in_flight);
bool process_lives(pid_t pid);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What agents and collectors say while they run: one line an event on standard error, as
 * "event=started address=127.0.0.1:7680". Under systemd each begins with its priority.
 *
 * What comes from others is quoted and cut, so that it can be nothing but a value. No line
 * ever has a token, a header or a body in it.
 */
#ifndef PYCOST_DAEMON_LOG_H
#define PYCOST_DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#define LOG_TEXT_MAX 200

/* Call once, before threads. quiet: nothing below LOG_NOTICE. */
void daemon_log_init(bool quiet);

/* priority: LOG_ERR... of syslog(3). fmt: "key=%s key=%u". Any thread. */
__attribute__((format(printf, 3, 4)))
void daemon_log(int priority, const char *event, const char *fmt, ...);

/*
 * For what strangers can bring about: so many lines in ten seconds at most, the rest is
 * counted and told with the next.
 */
__attribute__((format(printf, 3, 4)))
void daemon_log_some(int priority, const char *event, const char *fmt, ...);

/* Foreign text as a value, quoted where it has to be. Returns buf. */
#define LOG_VALUE_SIZE (LOG_TEXT_MAX + 16)
const char *daemon_log_value(char buf[LOG_VALUE_SIZE], const char *text);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/daemon_log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/clock.h"

#define LINE_MAX_SIZE 2048
#define SOME_LINES 20
#define SOME_NS (10ull * 1000000000)

static bool under_systemd, is_quiet;
static pthread_mutex_t some_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t some_since;
static unsigned some_count;
static uint64_t some_dropped;

void daemon_log_init(bool quiet)
{
	under_systemd = getenv("JOURNAL_STREAM") != NULL;
	is_quiet = quiet;
}

static const char *level_name(int priority)
{
	return priority <= LOG_ERR ? "error" : priority == LOG_WARNING ? "warning" : "info";
}

static void say(int priority, const char *event, const char *fmt, va_list ap)
{
	char line[LINE_MAX_SIZE];
	size_t at = 0;

	if (is_quiet && priority > LOG_NOTICE)
		return;
	if (under_systemd)
		at = snprintf(line, sizeof(line), "<%d>", priority);
	at += snprintf(line + at, sizeof(line) - at, "level=%s event=%s", level_name(priority), event);
	if (*fmt) {
		line[at++] = ' ';
		at += vsnprintf(line + at, sizeof(line) - at, fmt, ap);
	}
	if (at > sizeof(line) - 2)
		at = sizeof(line) - 2;
	line[at++] = '\n';
	/* One call, so that lines of several threads stay whole. */
	fwrite(line, 1, at, stderr);
}

void daemon_log(int priority, const char *event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(priority, event, fmt, ap);
	va_end(ap);
}

/* Whether one more line may be; dropped: how many were not since the last. */
static bool some_allowed(uint64_t *dropped)
{
	uint64_t now = clock_ns();
	bool allowed;

	pthread_mutex_lock(&some_lock);
	*dropped = 0;
	if (!some_since || now - some_since > SOME_NS) {
		some_since = now;
		some_count = 0;
		*dropped = some_dropped;
		some_dropped = 0;
	}
	allowed = some_count < SOME_LINES;
	if (allowed)
		some_count++;
	else
		some_dropped++;
	pthread_mutex_unlock(&some_lock);
	return allowed;
}

void daemon_log_some(int priority, const char *event, const char *fmt, ...)
{
	uint64_t dropped;
	va_list ap;

	if (!some_allowed(&dropped))
		return;
	if (dropped)
		daemon_log(LOG_WARNING, "lines_left_out", "count=%llu", (unsigned long long)dropped);
	va_start(ap, fmt);
	say(priority, event, fmt, ap);
	va_end(ap);
}

const char *daemon_log_value(char buf[LOG_VALUE_SIZE], const char *text)
{
	bool plain = *text;
	size_t at = 0;

	for (const char *c = text; *c; c++)
		plain &= (*c > ' ' && *c < 0x7f && *c != '"' && *c != '=' && *c != '\\');
	if (plain && strlen(text) <= LOG_TEXT_MAX)
		return strcpy(buf, text);
	buf[at++] = '"';
	for (const char *c = text; *c && at < LOG_TEXT_MAX; c++) {
		unsigned char byte = *c;

		if (byte == '"' || byte == '\\')
			buf[at++] = '\\', buf[at++] = byte;
		else if (byte < ' ' || byte == 0x7f)
			at += sprintf(buf + at, "\\x%02x", byte);
		else
			buf[at++] = byte;
	}
	buf[at++] = '"';
	buf[at] = 0;
	return buf;
}

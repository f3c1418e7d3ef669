/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A measurement under way: follows processes, drains the kernel, tells a sink.
 *
 *	session_open()  the counter is chosen, the kernel's part is loaded
 *	session_attach(), session_launch()  any number of targets
 *	session_poll()  until enough is known
 *	session_finish()  the last facts; then session_close()
 *
 * However it ends, kill -9 included, the kernel takes every probe back.
 */
#ifndef PYCOST_SESSION_H
#define PYCOST_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/sink.h"

struct session;
struct interpreter;
struct request_config;
struct request_seen;

struct session_options {
	bool sample; /* instead of measuring each call */
	/* Of samples: how often on a busy CPU, or else how much of the metric from one to the next. */
	unsigned rate;	 /* Hz; 0: default */
	uint64_t period; /* 0: by the rate */
	bool debuginfod; /* ask for native names that files lack */
	bool everyone;	 /* every Python on the machine, those that come later too */
	enum metric metric; /* 0: the best there is */
	bool no_follow;	    /* leave what the targets fork alone */
	bool per_thread;
	bool no_calibration; /* exact only */
	unsigned max_nodes, max_threads; /* 0: default */
	bool kernel_mode; /* count that too; an error where it cannot be; exact only */
	const struct request_config *requests; /* finished: see requests too; NULL: do not */
	/* With requests: they are watched in phases, see phases.h; in 0.01 %; 0: always. */
	unsigned budget;
	bool no_samples; /* with sample and requests: nothing but these */
	/* With requests, exact only: one in so many is probed, and nothing else; 0 and 1: all is. */
	unsigned one_in;
	const char *endpoint; /* a glob: of these, and of all others none; NULL: of all */
	/* With requests: called at the end of each, amid session_poll(); may be NULL. */
	void (*each)(void *arg, const struct request_seen *r);
	void *each_arg;
};

/* Errors of all these in words in err. */
int session_open(const struct session_options *o, struct sink *sink, struct session **ret,
		 char *err, size_t errlen);
int session_attach(struct session *s, pid_t pid, char *err, size_t errlen);
/*
 * All that takes long before this process, or one of the same Python, can be attached to; it
 * is not measured yet.
 */
int session_prepare(struct session *s, pid_t pid, char *err, size_t errlen);
int session_launch(struct session *s, char *const argv[], char *err, size_t errlen);
/* With options.everyone: begins, whoever is there. */
int session_everyone(struct session *s, char *err, size_t errlen);

/*
 * Serves events for up to timeout_ms and drains once a second.  Returns 0, or
 * -errno of the sink.  -EINTR is no error: 0 is returned early.
 */
int session_poll(struct session *s, int timeout_ms);

/* Ends the measurement and the sink's stream. */
int session_finish(struct session *s);
void session_close(struct session *s);

struct session_status {
	enum metric metric;
	const char *fallback_reason; /* NULL unless the metric was second choice */
	const char *caution;	     /* what to mind in the numbers, or NULL */
	unsigned targets;	     /* alive */
	unsigned followed;	     /* all there were, children included */
	uint64_t calls;	  /* 0 of samples */
	uint64_t samples; /* 0 of exact mode */
	uint64_t requests; /* that have ended; 0 when they are not looked at */
	uint64_t period;  /* likewise, in units of the metric */
	uint32_t paths;
	uint64_t duration_ns;
	uint64_t losses[LOSS_MAX];
	int launched_status; /* of waitpid(), -1: none or still running */
	bool kernel_mode;
};
void session_status(struct session *s, struct session_status *ret);

/* Notices that the user should read while it runs, or NULL; clears them. */
const char *session_notice(struct session *s);

#endif

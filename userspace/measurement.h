/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One way to measure: what a session asks of the exact mode and of sampling.
 *
 * The session chooses the targets, starts the command, keeps the time and tells the
 * sink what is common; all that is measured comes from here.
 */
#ifndef PYCOST_MEASUREMENT_H
#define PYCOST_MEASUREMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/session.h"

#define NOTICE_SIZE 512

struct measurement;

struct measurement_ops {
	/* Fills in what the mode knows: the metric and how it is counted. */
	void (*meta)(const struct measurement *m, struct sink_meta *ret);
	/* Follows a process that runs.  Errors in words in text. */
	int (*attach)(struct measurement *m, pid_t pid, char *text, size_t len);
	/* What attaching to it will need and takes long; it is not followed yet.  NULL: nothing. */
	int (*prepare)(struct measurement *m, pid_t pid, char *text, size_t len);
	/* Prepares for what the command will be, when it is Python; else it is none the worse. */
	int (*expect)(struct measurement *m, const char *command, char *text, size_t len);
	/* Follows its process, which has not yet become the command. */
	int (*follow)(struct measurement *m, pid_t pid, char *text, size_t len);
	bool (*knows)(const struct measurement *m, pid_t pid);
	bool (*is_dead)(const struct measurement *m, pid_t pid);
	/* The first target is there: the time runs.  -errno when it cannot be measured. */
	int (*begin)(struct measurement *m);
	/* Serves the kernel's events for up to timeout_ms. */
	int (*wait)(struct measurement *m, int timeout_ms);
	/* Tells the sink what is new.  last: all there is; nothing is measured any more. */
	void (*pass)(struct measurement *m, bool last);
	/* After the last pass: lets go of the targets. */
	void (*release)(struct measurement *m);
	/* Adds its totals. */
	void (*losses)(const struct measurement *m, uint64_t losses[LOSS_MAX]);
	void (*status)(const struct measurement *m, struct session_status *ret);
	void (*close)(struct measurement *m);
};

/* Each mode's own begins with this. */
struct measurement {
	const struct measurement_ops *ops;
	struct sink *sink;
	/* Where they are kept: the sink's first error, and NOTICE_SIZE for the user. */
	int *sink_error;
	char *notice;
};

/* As session_open(). */
int exact_measurement_open(const struct session_options *o, struct sink *sink,
			   struct measurement **ret, char *text, size_t len);
int sampled_measurement_open(const struct session_options *o, struct sink *sink,
			     struct measurement **ret, char *text, size_t len);
int requests_measurement_open(const struct session_options *o, struct sink *sink,
			      struct measurement **ret, char *text, size_t len);

#endif

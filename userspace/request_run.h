/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the commands about requests have in common: a profile with the facts of requests,
 * from a recording or measured now, and where what is made of it goes.
 */
#ifndef PYCOST_REQUEST_RUN_H
#define PYCOST_REQUEST_RUN_H

#include <argp.h>
#include <stdio.h>

#include "userspace/profile.h"
#include "userspace/recording.h"
#include "userspace/report.h"
#include "userspace/request_config.h"
#include "userspace/session.h"
#include "userspace/targets.h"

enum request_format {
	REQUEST_TABLE,
	REQUEST_JSON,
	REQUEST_CSV,
};

struct request_run {
	const char *command; /* "pycost requests": before what it says of errors */
	const char *file;    /* NULL: measured now */
	const char *out;     /* NULL: standard output */
	enum request_format format;
	size_t limit;
	bool exact;	   /* numbers in full */
	double seconds;	   /* 0: until stopped, or the targets' end */
	double interval;   /* show each so many seconds; 0: once, at the end */
	/* Is given each request as it ends, and the run; then show() tells no more than losses. */
	void (*each)(void *arg, const struct request_seen *r);
	struct targets targets;
	struct session_options options;
	struct request_config config;
	/* Before the first of them. */
	void (*each_begin)(struct request_run *r, const struct profile *p, FILE *out);
	/* Shows what is in the profile.  last: no more comes.  -errno of writing. */
	int (*show)(struct request_run *r, const struct profile *p,
		    const struct recording_status *status, bool last, FILE *out);
	/* private */
	bool live_option; /* something was said that is of measuring */
};

/* Options and the name of the recording, for argp's children; input: the run. */
extern const struct argp request_run_argp;

/* Before the arguments are parsed: defaults.  0, or it has said why not. */
int request_run_init(struct request_run *r, const char *command);
/* The exit code; all is freed. */
int request_run(struct request_run *r);

/* Colour, width and the like, as the output wants them. */
struct report_style request_run_style(const struct request_run *r);

/*
 * "a,b,c" cut at its commas, in place; each part is given to take(), until that fails.
 */
int request_run_list(char *list, int (*take)(void *arg, const char *part), void *arg);

#endif

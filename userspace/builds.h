/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter builds of a session, each made and calibrated once. */
#ifndef PYCOST_BUILDS_H
#define PYCOST_BUILDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/build.h"
#include "userspace/calibrate.h"

struct counter;
struct kernel;
struct sink;

/* A build with what the sink knows it as. */
struct known_build {
	struct build *build;
	struct build_cost cost; /* mean of the calibrations so far */
	unsigned calibrations;
	uint32_t id;
	char version[32]; /* "3.15.2" */
};

struct builds {
	struct kernel *kernel;
	struct counter *counter;
	struct sink *sink;
	bool no_calibration;
	struct known_build **v;
	size_t n;
};

/*
 * The build of this interpreter, made when it is the first of its kind; pid as
 * in build_open().  Errors in words in err.  What is wrong with the calibration
 * alone is no error: it is left in err, which is "" otherwise.
 */
int builds_get(struct builds *b, struct interpreter *in, pid_t pid, struct known_build **ret,
	       char *err, size_t errlen);

/* Measures once more and tells the sink the mean. */
int builds_calibrate(struct builds *b, struct known_build *known, pid_t pid, char *err,
		     size_t errlen);

void builds_clear(struct builds *b);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sampling has in the kernel: the program that samples begin in, and for each
 * interpreter build a walker with its constants.  See sample.bpf.c and walk.bpf.c.
 */
#ifndef PYCOST_SAMPLING_H
#define PYCOST_SAMPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/cpython.h"
#include "bpf/wire.h"
#include "symbolizer/interpreter.h"

struct sampling;

/* One build of CPython, by its file's identity. */
struct sampled_build {
	struct interpreter in;
	struct cpython_layout layout;
	struct cpython_runtime runtime;
	char version[32]; /* "3.15.2" */
	uint32_t number;  /* wire_sampled.build */
	bool refused;	  /* its walker was tried, and is wrong: nothing of it holds */
	bool proved;	  /* it was tried, and is right */
	/* private */
	struct walk_bpf *programs;
	bool unproven, tried;
};

/*
 * Loads what all builds share, errors in words in err; nothing fires yet.  rate: samples
 * a second that a CPU may bring.  class_of_fd: the map of that name of those who know
 * requests, which samples are then told apart by; -1: nobody.
 */
int sampling_open(unsigned rate, bool no_follow, int class_of_fd, struct sampling **ret, char *err,
		  size_t errlen);
void sampling_close(struct sampling *s);

/* The program for the perf events. */
int sampling_program_fd(const struct sampling *s);
/* Rings: of rare events, and of samples, which are to be fetched about once a second. */
int sampling_events_fd(const struct sampling *s);
int sampling_samples_fd(const struct sampling *s);

/* NULL when this interpreter's frames can be walked; else one plain sentence.  Static. */
const char *interpreter_sample_reason(const struct interpreter *in);

/*
 * The build of this interpreter, its walker loaded when it is the first of its kind; pid:
 * a process that runs it; 0: none does yet.  The interpreter's content may move to the
 * build.  -ENOTSUP: see above; -ENOSPC: too many builds; errors in words in err.
 */
int sampling_build(struct sampling *s, struct interpreter *in, pid_t pid,
		   struct sampled_build **ret, char *err, size_t errlen);

/*
 * Tries the walker out on a private child (walk_proof.h), once; pid as above.  Where
 * nothing can be tried, only layouts are believed that this pycost was tested with.
 * -ENOTSUP, in words in err: from now on it walks no more.
 */
int sampling_prove(struct sampling *s, struct sampled_build *b, pid_t pid, char *err,
		   size_t errlen);

/*
 * Who reads the rings besides: events and samples that a trial met and that are others'
 * are handed on, by sampling_others().
 */
typedef int (*sampling_reader)(void *arg, void *data, size_t size);
void sampling_set_readers(struct sampling *s, sampling_reader event, sampling_reader sample,
			  void *arg);
int sampling_others(struct sampling *s, void *data, size_t size, bool is_sample);

/* What the kernel is to know of a process with this interpreter: addresses of its own. */
void sampling_addresses(const struct sampled_build *b, const struct interpreter *in, uint32_t epoch,
			struct wire_sampled *ret);
int sampling_follow(struct sampling *s, uint32_t tgid, const struct wire_sampled *p);
/* Only what is there already: -ENOENT, it has ended. */
int sampling_refollow(struct sampling *s, uint32_t tgid, const struct wire_sampled *p);
int sampling_followed(struct sampling *s, uint32_t tgid, struct wire_sampled *ret);
void sampling_unfollow(struct sampling *s, uint32_t tgid);

/* Sums over the CPUs, by enum wire_loss. */
int sampling_losses(const struct sampling *s, uint64_t ret[WIRE_LOSS_MAX]);

#endif

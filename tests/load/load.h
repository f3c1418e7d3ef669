/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A load generator that knows what it sent and what came back: its counts are what
 * those of the program under test are held against.  One thread, many connections.
 */
#ifndef PYCOST_LOAD_H
#define PYCOST_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LOAD_METHOD_MAX 16
#define LOAD_PATH_MAX 512
#define LOAD_FIELDS_MAX 1024
#define LOAD_ID_MAX 32
#define LOAD_DEPTH_MAX 64
#define LOAD_ID_FIELD "X-Request-Id" /* the server is to send it back */

/* ---- random numbers: the same from the same seed ---- */

struct dice {
	uint64_t state;
};
uint64_t dice_roll(struct dice *d);
uint64_t dice_between(struct dice *d, uint64_t low, uint64_t high); /* both included */

/* ---- what is asked for ---- */

enum abort_at {
	ABORT_NEVER = 0,
	ABORT_HEAD,   /* within the request's head */
	ABORT_BODY,   /* within its body */
	ABORT_SENT,   /* when all is sent, before an answer is awaited */
	ABORT_ANSWER, /* at the answer's first bytes */
};

struct kind {
	unsigned weight;
	char method[LOAD_METHOD_MAX];
	char path[LOAD_PATH_MAX]; /* {n}: a number below 1000; {id}: the request's id */
	char fields[LOAD_FIELDS_MAX]; /* more header lines */
	bool body, chunked, expect, close;
	uint64_t body_low, body_high; /* bytes */
	unsigned trickle_ms; /* between the few bytes that are sent at once; 0: all at once */
	enum abort_at abort;
};

struct mix {
	struct kind *kinds;
	unsigned count, weights;
};

/*
 * One kind a line: WEIGHT METHOD PATH [WORD]..., '#' begins a comment.  Words: body=N,
 * body=LOW-HIGH, chunked, expect, close, trickle=MS, field=NAME:VALUE, and
 * abort=head|body|sent|answer.
 * -errno; -EINVAL with the line's number in *line.
 */
int mix_read(struct mix *m, FILE *file, unsigned *line);
const struct kind *mix_pick(const struct mix *m, struct dice *d);
void mix_free(struct mix *m);

/* ---- a request's bytes ---- */

struct bytes {
	char *data;
	size_t length, size;
};
void bytes_add(struct bytes *b, const void *data, size_t length); /* or ends the program */
void bytes_format(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bytes_free(struct bytes *b);

/* What of it is sent when: offsets from its first byte. */
struct message {
	size_t head; /* its head ends here: where 100-continue is awaited */
	size_t length;
	char path[LOAD_PATH_MAX];
};
/* Appends to `out`; uwsgi: as that protocol's packet. */
void message_make(struct message *m, struct bytes *out, const struct kind *k, const char *id,
		  bool uwsgi, struct dice *d);

/* ---- answers ---- */

enum answer_state {
	ANSWER_HEAD = 0,
	ANSWER_LENGTH,
	ANSWER_CHUNK_SIZE,
	ANSWER_CHUNK,
	ANSWER_CHUNK_END,
	ANSWER_TRAILER,
	ANSWER_TO_END, /* of the connection */
	ANSWER_DONE,
	ANSWER_GARBLED,
};

#define ANSWER_HEAD_MAX 16384
struct answer {
	enum answer_state state;
	bool bodiless; /* it answers HEAD */
	bool close, has_id;
	int status;
	unsigned continues; /* 100s before it */
	uint64_t left, bytes;
	size_t length; /* of head, or of the line begun */
	char id[LOAD_ID_MAX];
	char head[ANSWER_HEAD_MAX];
};
void answer_begin(struct answer *a, bool bodiless);
/* How many bytes it took: fewer than there are only when it is done. */
size_t answer_take(struct answer *a, const char *data, size_t length);
void answer_end(struct answer *a); /* the connection's end */

/* ---- counts ---- */

enum outcome {
	OUTCOME_ANSWERED = 0,
	OUTCOME_CUT,	/* the connection ended before the answer did */
	OUTCOME_ABORTED, /* we ended it, as was wanted */
	OUTCOMES,
};

struct tally *tally_new(const struct mix *m, FILE *log);
/* `path` as it was sent; the latency, in ns, of those answered. */
void tally_add(struct tally *t, const struct kind *k, const char *id, const char *path, int status,
	       enum outcome outcome, uint64_t latency);
void tally_mixed(struct tally *t);   /* an answer with another request's id */
void tally_unnamed(struct tally *t); /* one without an id */
void tally_garbled(struct tally *t); /* what is no answer */
void tally_refused(struct tally *t); /* a connection that could not be had */
void tally_print(const struct tally *t, FILE *out, double seconds); /* one line of JSON */
uint64_t tally_total(const struct tally *t, enum outcome outcome);
void tally_free(struct tally *t);

/* ---- connections ---- */

struct load_options {
	const struct mix *mix;
	struct tally *tally;
	const char *const *servers; /* PORT, HOST:PORT of numbers, or /PATH */
	unsigned server_count;
	unsigned connections, depth;
	unsigned per_connection; /* requests; 0: until the server ends it */
	uint64_t requests;
	double rate;	/* a second, of all; 0: as fast as it goes */
	double seconds; /* no request is begun later; 0: no limit */
	double patience; /* with which an answer is awaited, seconds */
	uint64_t seed;
	const char *prefix; /* of ids */
	bool uwsgi;
};
int load_run(const struct load_options *o, double *seconds);

#endif

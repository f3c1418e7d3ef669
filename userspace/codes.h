/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which function a code object is.
 *
 * Keyed by process, the code object's address, a print of its names (addresses
 * are reused) and what it wraps.  Functions of the same file, line and name are one, in however many
 * processes they are met.
 */
#ifndef PYCOST_CODES_H
#define PYCOST_CODES_H

#include <stddef.h>
#include <stdint.h>

struct codes;
struct line_costs;
struct line_table;
struct resolver;
struct sink;
struct wire_event_code;
struct wire_code_key;
struct wire_node;

struct code_known {
	uint32_t function;
	uint32_t lines; /* for whoever keeps line tables by number; 0 at first */
	uint8_t traits; /* see code_traits.h */
};

int codes_new(struct sink *sink, struct codes **ret);
void codes_free(struct codes *c);

/*
 * A code object announced by the kernel; minor is the 15 of Python 3.15, lines what
 * a search of its line table costs (borrowed for good), NULL when that is not known.
 */
int codes_learn(struct codes *c, const struct wire_event_code *e, struct resolver *r, int minor,
		const struct line_costs *lines);

/* The function of a node, 0 when its names have not come. */
uint32_t codes_function(const struct codes *c, const struct wire_node *n);

/* Its line table as it costs there; NULL when that is not known. */
const struct line_table *codes_lines(const struct codes *c, uint32_t function,
				     const struct line_costs *costs);

/* A function for a node whose names were lost: known by its address alone. */
int codes_invent(struct codes *c, const struct wire_node *n, uint32_t *ret);

/* The same by the code object itself.  NULL: its names have not come. */
struct code_known *codes_known(const struct codes *c, const struct wire_code_key *key);
int codes_invent_key(struct codes *c, const struct wire_code_key *key, uint32_t *ret);

/*
 * Drops a dead process's code objects; calls back for each with the kernel's
 * key of it, whose entry is to be deleted.  gone NULL: there is none.
 */
void codes_forget(struct codes *c, uint32_t tgid,
		  void (*gone)(void *arg, const struct wire_code_key *key), void *arg);

#endif

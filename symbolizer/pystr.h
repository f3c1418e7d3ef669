/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of a Python str object whose bytes were copied out of a process. */
#ifndef PYCOST_PYSTR_H
#define PYCOST_PYSTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pystr {
	unsigned kind;	    /* bytes a character: 1 (Latin-1), 2 or 4 (PEP 393) */
	uint64_t length;    /* characters the object has */
	const void *bytes;  /* of any alignment */
	size_t size;	    /* bytes that were copied, maybe fewer than the object's */
};

/*
 * Writes the text as valid UTF-8, terminated, as much as fits into size bytes
 * (at least 1).  Control characters, which could drive a terminal, and what
 * UTF-8 cannot hold are written as Python's escapes: \x1b, \udc80, \U00110000.
 * Returns the bytes written without the terminator; -EINVAL for another kind.
 * *ret_truncated tells whether the object has more characters than were written.
 */
int pystr_decode(const struct pystr *s, char *ret, size_t size, bool *ret_truncated);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPython tells debuggers of its own structs, from 3.13 on: _Py_DebugOffsets,
 * at the head of _PyRuntime and of the ELF section .PyRuntime, and from 3.14 on
 * .AsyncioDebug.  It is made of words of 64 bits: a cookie, the version, whether
 * the build is free-threaded, then for each struct its size and some offsets.
 * Which word is which differs by minor.
 *
 * Sources: Include/internal/pycore_runtime.h (3.13), pycore_debug_offsets.h (from
 * 3.14), Modules/_asynciomodule.c.
 */
#ifndef PYCOST_DEBUG_OFFSETS_H
#define PYCOST_DEBUG_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/cpython.h"

/* As much of _PyRuntime as is worth reading, bytes: more than any of the structs. */
#define DEBUG_OFFSETS_SIZE 1024

/* The words that we use; *_STRUCT is a struct's size. */
enum debug_word {
	DEBUG_COOKIE,
	DEBUG_VERSION,
	DEBUG_FREE_THREADED,
	DEBUG_RUNTIME_STRUCT,
	DEBUG_RUNTIME_INTERPRETERS,
	DEBUG_INTERP_STRUCT,
	DEBUG_INTERP_NEXT,
	DEBUG_INTERP_THREADS,
	DEBUG_INTERP_GC,
	DEBUG_TSTATE_STRUCT,
	DEBUG_TSTATE_NEXT,
	DEBUG_TSTATE_INTERP,
	DEBUG_TSTATE_FRAME,
	DEBUG_TSTATE_THREAD_ID,
	DEBUG_TSTATE_NATIVE_ID,
	DEBUG_TSTATE_STATUS,
	DEBUG_FRAME_STRUCT,
	DEBUG_FRAME_PREVIOUS,
	DEBUG_FRAME_CODE,
	DEBUG_FRAME_INSTR,
	DEBUG_FRAME_LOCALS,
	DEBUG_FRAME_OWNER,
	DEBUG_FRAME_TLBC, /* from 3.14; 0 with the GIL */
	DEBUG_CODE_STRUCT,
	DEBUG_CODE_FILENAME,
	DEBUG_CODE_NAME,
	DEBUG_CODE_QUALNAME,
	DEBUG_CODE_LINETABLE,
	DEBUG_CODE_FIRSTLINENO,
	DEBUG_CODE_BYTECODE,
	DEBUG_CODE_TLBC, /* from 3.14; 0 with the GIL */
	DEBUG_OBJECT_STRUCT,
	DEBUG_OBJECT_TYPE,
	DEBUG_TUPLE_ITEMS,
	DEBUG_TUPLE_SIZE,
	DEBUG_BYTES_SIZE,
	DEBUG_BYTES_DATA,
	DEBUG_STR_STATE,
	DEBUG_STR_LENGTH,
	DEBUG_STR_ASCII,
	DEBUG_STR_UNICODE, /* from 3.15 */
	DEBUG_GC_STRUCT,
	DEBUG_GC_COLLECTING,
	DEBUG_GEN_STRUCT, /* from 3.14 */
	DEBUG_GEN_FRAME,  /* from 3.14 */
	DEBUG_WORDS,
};

/* The minors whose struct we know. */
#define DEBUG_FIRST_MINOR 13
#define DEBUG_LAST_MINOR 15

#define DEBUG_NO_WORD -1
/* Which word it is in one of them, from 0; or DEBUG_NO_WORD. */
int debug_word_at(int minor, enum debug_word word);

struct debug_offsets {
	int minor;
	bool free_threaded;
	bool final; /* a release or its candidate: no alpha, no beta */
	bool known; /* else a later minor, read as if it were the newest that we know */
	uint16_t v[DEBUG_WORDS]; /* offsets: PY_NONE where that minor tells none */
};

/*
 * The bytes at the head of _PyRuntime; there may be more of them than the struct has.
 * -ENOENT: no cookie there.  -EBADMSG: it contradicts itself, or cannot be of a
 * Python that we know how to read; *ret_why is then a static clause that says what.
 */
int debug_offsets_parse(const void *bytes, size_t size, struct debug_offsets *ret,
			const char **ret_why);

/* Puts them over a table's values, and only those that this minor tells. */
void debug_offsets_apply(const struct debug_offsets *d, struct cpython_layout *l,
			 struct cpython_runtime *r);

/* The same of a section .AsyncioDebug.  -EBADMSG, and *r untouched, when it makes no sense. */
int asyncio_offsets_apply(const void *bytes, size_t size, struct cpython_runtime *r);

#endif

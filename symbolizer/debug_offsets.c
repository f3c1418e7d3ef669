/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/debug_offsets.h"

#include <errno.h>
#include <string.h>

#define FIRST_MINOR DEBUG_FIRST_MINOR
#define LAST_MINOR DEBUG_LAST_MINOR
#define MINORS (LAST_MINOR - FIRST_MINOR + 1)
#define NONE DEBUG_NO_WORD

/* Of 3.13, 3.14 and 3.15. */
static const signed char words[DEBUG_WORDS][MINORS] = {
	[DEBUG_COOKIE] = { 0, 0, 0 },
	[DEBUG_VERSION] = { 1, 1, 1 },
	[DEBUG_FREE_THREADED] = { 2, 2, 2 },
	[DEBUG_RUNTIME_STRUCT] = { 3, 3, 3 },
	[DEBUG_RUNTIME_INTERPRETERS] = { 5, 5, 5 },
	[DEBUG_INTERP_STRUCT] = { 6, 6, 6 },
	[DEBUG_INTERP_NEXT] = { 8, 8, 8 },
	[DEBUG_INTERP_THREADS] = { 9, 9, 9 },
	[DEBUG_INTERP_GC] = { 10, 11, 11 },
	[DEBUG_TSTATE_STRUCT] = { 19, 22, 22 },
	[DEBUG_TSTATE_NEXT] = { 21, 24, 24 },
	[DEBUG_TSTATE_INTERP] = { 22, 25, 25 },
	[DEBUG_TSTATE_FRAME] = { 23, 26, 26 },
	[DEBUG_TSTATE_THREAD_ID] = { 24, 27, 30 },
	[DEBUG_TSTATE_NATIVE_ID] = { 25, 28, 31 },
	[DEBUG_TSTATE_STATUS] = { 27, 30, 33 },
	[DEBUG_FRAME_STRUCT] = { 28, 31, 39 },
	[DEBUG_FRAME_PREVIOUS] = { 29, 32, 40 },
	[DEBUG_FRAME_CODE] = { 30, 33, 41 },
	[DEBUG_FRAME_INSTR] = { 31, 34, 42 },
	[DEBUG_FRAME_LOCALS] = { 32, 35, 43 },
	[DEBUG_FRAME_OWNER] = { 33, 36, 44 },
	[DEBUG_FRAME_TLBC] = { NONE, 38, 46 },
	[DEBUG_CODE_STRUCT] = { 34, 39, 47 },
	[DEBUG_CODE_FILENAME] = { 35, 40, 48 },
	[DEBUG_CODE_NAME] = { 36, 41, 49 },
	[DEBUG_CODE_QUALNAME] = { 37, 42, 50 },
	[DEBUG_CODE_LINETABLE] = { 38, 43, 51 },
	[DEBUG_CODE_FIRSTLINENO] = { 39, 44, 52 },
	[DEBUG_CODE_BYTECODE] = { 43, 48, 56 },
	[DEBUG_CODE_TLBC] = { NONE, 49, 57 },
	[DEBUG_OBJECT_STRUCT] = { 44, 50, 58 },
	[DEBUG_OBJECT_TYPE] = { 45, 51, 59 },
	[DEBUG_TUPLE_ITEMS] = { 51, 57, 69 },
	[DEBUG_TUPLE_SIZE] = { 52, 58, 70 },
	[DEBUG_BYTES_SIZE] = { 65, 75, 87 },
	[DEBUG_BYTES_DATA] = { 66, 76, 88 },
	[DEBUG_STR_STATE] = { 68, 78, 90 },
	[DEBUG_STR_LENGTH] = { 69, 79, 91 },
	[DEBUG_STR_ASCII] = { 70, 80, 92 },
	[DEBUG_STR_UNICODE] = { NONE, NONE, 93 },
	[DEBUG_GC_STRUCT] = { 71, 81, 94 },
	[DEBUG_GC_COLLECTING] = { 72, 82, 95 },
	[DEBUG_GEN_STRUCT] = { NONE, 83, 99 },
	[DEBUG_GEN_FRAME] = { NONE, 85, 101 },
};

int debug_word_at(int minor, enum debug_word word)
{
	return words[word][minor - FIRST_MINOR];
}

/*
 * Whether a member lies within its struct, aligned as its width demands; a member
 * that a minor does not tell does.
 */
static bool fits(const struct debug_offsets *d, enum debug_word size, enum debug_word member,
		 unsigned width)
{
	unsigned at = d->v[member];

	return at == PY_NONE || (at % width == 0 && at + width <= d->v[size]);
}

static bool states_fit(const struct debug_offsets *d)
{
	return fits(d, DEBUG_INTERP_STRUCT, DEBUG_INTERP_NEXT, 8) &&
	       fits(d, DEBUG_INTERP_STRUCT, DEBUG_INTERP_THREADS, 8) &&
	       fits(d, DEBUG_INTERP_STRUCT, DEBUG_INTERP_GC, 8) &&
	       fits(d, DEBUG_GC_STRUCT, DEBUG_GC_COLLECTING, 4) &&
	       d->v[DEBUG_INTERP_GC] + d->v[DEBUG_GC_COLLECTING] < PY_NONE &&
	       fits(d, DEBUG_RUNTIME_STRUCT, DEBUG_RUNTIME_INTERPRETERS, 8) &&
	       fits(d, DEBUG_TSTATE_STRUCT, DEBUG_TSTATE_NEXT, 8) &&
	       fits(d, DEBUG_TSTATE_STRUCT, DEBUG_TSTATE_INTERP, 8) &&
	       fits(d, DEBUG_TSTATE_STRUCT, DEBUG_TSTATE_FRAME, 8) &&
	       fits(d, DEBUG_TSTATE_STRUCT, DEBUG_TSTATE_THREAD_ID, 8) &&
	       fits(d, DEBUG_TSTATE_STRUCT, DEBUG_TSTATE_NATIVE_ID, 8) &&
	       fits(d, DEBUG_TSTATE_STRUCT, DEBUG_TSTATE_STATUS, 4);
}

static bool frames_fit(const struct debug_offsets *d)
{
	/* The generator holds a whole frame, but for its slots. */
	if (d->v[DEBUG_GEN_FRAME] != PY_NONE &&
	    (d->v[DEBUG_GEN_FRAME] % 8 ||
	     d->v[DEBUG_GEN_FRAME] + d->v[DEBUG_FRAME_LOCALS] > d->v[DEBUG_GEN_STRUCT]))
		return false;
	return fits(d, DEBUG_FRAME_STRUCT, DEBUG_FRAME_PREVIOUS, 8) &&
	       fits(d, DEBUG_FRAME_STRUCT, DEBUG_FRAME_CODE, 8) &&
	       fits(d, DEBUG_FRAME_STRUCT, DEBUG_FRAME_INSTR, 8) &&
	       fits(d, DEBUG_FRAME_STRUCT, DEBUG_FRAME_LOCALS, 8) &&
	       fits(d, DEBUG_FRAME_STRUCT, DEBUG_FRAME_OWNER, 1) &&
	       fits(d, DEBUG_FRAME_STRUCT, DEBUG_FRAME_TLBC, 4) &&
	       fits(d, DEBUG_CODE_STRUCT, DEBUG_CODE_FILENAME, 8) &&
	       fits(d, DEBUG_CODE_STRUCT, DEBUG_CODE_NAME, 8) &&
	       fits(d, DEBUG_CODE_STRUCT, DEBUG_CODE_QUALNAME, 8) &&
	       fits(d, DEBUG_CODE_STRUCT, DEBUG_CODE_LINETABLE, 8) &&
	       fits(d, DEBUG_CODE_STRUCT, DEBUG_CODE_FIRSTLINENO, 4) &&
	       fits(d, DEBUG_CODE_STRUCT, DEBUG_CODE_BYTECODE, 1) &&
	       fits(d, DEBUG_CODE_STRUCT, DEBUG_CODE_TLBC, 8);
}

/* Members of one struct are in places of their own; those missing count for nothing. */
static bool apart(const struct debug_offsets *d, enum debug_word first, enum debug_word last)
{
	for (unsigned a = first; a <= (unsigned)last; a++)
		for (unsigned b = a + 1; b <= (unsigned)last; b++)
			if (d->v[a] == d->v[b] && d->v[a] != PY_NONE)
				return false;
	return true;
}

/*
 * The heads of objects, which no minor has changed: they say whether the words are
 * where we look for them, as one word more before them would shift them all.
 */
static bool heads_as_ever(const struct debug_offsets *d)
{
	unsigned extra = d->free_threaded ? 16 : 0;

	return d->v[DEBUG_OBJECT_STRUCT] == 16 + extra &&
	       d->v[DEBUG_OBJECT_TYPE] == PY_OBJECT_TYPE + extra &&
	       d->v[DEBUG_TUPLE_SIZE] == PY_TUPLE_SIZE + extra &&
	       d->v[DEBUG_TUPLE_ITEMS] > d->v[DEBUG_TUPLE_SIZE] &&
	       d->v[DEBUG_TUPLE_ITEMS] <= 64 + extra && d->v[DEBUG_TUPLE_ITEMS] % 8 == 0 &&
	       d->v[DEBUG_BYTES_SIZE] == PY_BYTES_SIZE + extra &&
	       d->v[DEBUG_BYTES_DATA] == PY_BYTES_DATA + extra &&
	       d->v[DEBUG_STR_LENGTH] == PY_STR_LENGTH + extra &&
	       d->v[DEBUG_STR_STATE] == PY_STR_STATE + extra &&
	       d->v[DEBUG_STR_ASCII] > d->v[DEBUG_STR_STATE] &&
	       d->v[DEBUG_STR_ASCII] <= 64 + extra && d->v[DEBUG_STR_ASCII] % 8 == 0 &&
	       (d->v[DEBUG_STR_UNICODE] == PY_NONE ||
		(d->v[DEBUG_STR_UNICODE] > d->v[DEBUG_STR_ASCII] &&
		 d->v[DEBUG_STR_UNICODE] <= 96 + extra));
}

static const char *implausible(const struct debug_offsets *d)
{
	if (!states_fit(d) || !apart(d, DEBUG_INTERP_NEXT, DEBUG_INTERP_GC) ||
	    !apart(d, DEBUG_TSTATE_NEXT, DEBUG_TSTATE_STATUS))
		return "its debug offsets of threads and interpreters make no sense";
	if (!frames_fit(d) || !apart(d, DEBUG_FRAME_PREVIOUS, DEBUG_FRAME_TLBC) ||
	    !apart(d, DEBUG_CODE_FILENAME, DEBUG_CODE_TLBC))
		return "its debug offsets of frames and code make no sense";
	if (!heads_as_ever(d))
		return "its debug offsets of objects make no sense";
	return NULL;
}

static uint64_t word(const unsigned char *bytes, size_t at)
{
	uint64_t v;

	memcpy(&v, bytes + 8 * at, sizeof(v));
	return v;
}

/* Sizes may be larger than any offset that we keep: they only bound the others. */
static bool is_size(unsigned i)
{
	return i == DEBUG_RUNTIME_STRUCT || i == DEBUG_INTERP_STRUCT || i == DEBUG_TSTATE_STRUCT;
}

static int parse_offsets(const unsigned char *bytes, size_t n, unsigned column,
			 struct debug_offsets *ret)
{
	for (unsigned i = DEBUG_RUNTIME_STRUCT; i < DEBUG_WORDS; i++) {
		int at = words[i][column];
		uint64_t v;

		ret->v[i] = PY_NONE;
		if (at == NONE)
			continue;
		if ((size_t)at >= n)
			return -EBADMSG;
		v = word(bytes, (size_t)at);
		if (v >= PY_NONE && is_size(i))
			v = PY_NONE - 1;
		if (v >= PY_NONE)
			return -EBADMSG;
		/* Told as 0 where the build has no such member. */
		if ((i != DEBUG_FRAME_TLBC && i != DEBUG_CODE_TLBC) || v)
			ret->v[i] = (uint16_t)v;
	}
	return 0;
}

int debug_offsets_parse(const void *bytes, size_t size, struct debug_offsets *ret,
			const char **ret_why)
{
	size_t n = size / 8;
	uint64_t version;

	if (n <= DEBUG_FREE_THREADED || memcmp(bytes, "xdebugpy", 8))
		return -ENOENT;
	*ret = (struct debug_offsets){ 0 };
	version = word(bytes, DEBUG_VERSION);
	*ret_why = "its debug offsets are not of a Python 3 from 3.13 on";
	ret->minor = (int)(version >> 16 & 0xff);
	if (version >> 24 != 3 || ret->minor < FIRST_MINOR || word(bytes, DEBUG_FREE_THREADED) > 1)
		return -EBADMSG;
	ret->free_threaded = word(bytes, DEBUG_FREE_THREADED) == 1;
	ret->final = (version >> 4 & 0xf) >= 0xc;
	ret->known = ret->minor <= LAST_MINOR;
	*ret_why = "its debug offsets are cut short, or larger than any struct of CPython";
	if (parse_offsets(bytes, n, (ret->known ? (unsigned)ret->minor : LAST_MINOR) - FIRST_MINOR,
			  ret))
		return -EBADMSG;
	*ret_why = implausible(ret);
	return *ret_why ? -EBADMSG : 0;
}

static void put(unsigned short *to, const struct debug_offsets *d, enum debug_word from)
{
	if (d->v[from] != PY_NONE)
		*to = d->v[from];
}

static void apply_layout(const struct debug_offsets *d, struct cpython_layout *l)
{
	l->minor = (unsigned short)d->minor;
	put(&l->frame_previous, d, DEBUG_FRAME_PREVIOUS);
	put(&l->frame_code, d, DEBUG_FRAME_CODE);
	put(&l->frame_instr, d, DEBUG_FRAME_INSTR);
	put(&l->frame_locals, d, DEBUG_FRAME_LOCALS);
	put(&l->frame_owner, d, DEBUG_FRAME_OWNER);
	put(&l->frame_tlbc, d, DEBUG_FRAME_TLBC);
	put(&l->code_filename, d, DEBUG_CODE_FILENAME);
	put(&l->code_name, d, DEBUG_CODE_NAME);
	put(&l->code_qualname, d, DEBUG_CODE_QUALNAME);
	put(&l->code_linetable, d, DEBUG_CODE_LINETABLE);
	put(&l->code_firstlineno, d, DEBUG_CODE_FIRSTLINENO);
	put(&l->code_bytecode, d, DEBUG_CODE_BYTECODE);
	put(&l->code_tlbc, d, DEBUG_CODE_TLBC);
	put(&l->tuple_items, d, DEBUG_TUPLE_ITEMS);
	put(&l->str_ascii_data, d, DEBUG_STR_ASCII);
	put(&l->str_unicode_data, d, DEBUG_STR_UNICODE);
}

void debug_offsets_apply(const struct debug_offsets *d, struct cpython_layout *l,
			 struct cpython_runtime *r)
{
	apply_layout(d, l);
	put(&r->runtime_interpreters, d, DEBUG_RUNTIME_INTERPRETERS);
	put(&r->interp_next, d, DEBUG_INTERP_NEXT);
	put(&r->interp_threads, d, DEBUG_INTERP_THREADS);
	r->interp_gc_collecting =
		(unsigned short)(d->v[DEBUG_INTERP_GC] + d->v[DEBUG_GC_COLLECTING]);
	put(&r->tstate_next, d, DEBUG_TSTATE_NEXT);
	put(&r->tstate_interp, d, DEBUG_TSTATE_INTERP);
	put(&r->tstate_frame, d, DEBUG_TSTATE_FRAME);
	put(&r->tstate_thread_id, d, DEBUG_TSTATE_THREAD_ID);
	put(&r->tstate_native_id, d, DEBUG_TSTATE_NATIVE_ID);
	put(&r->tstate_status, d, DEBUG_TSTATE_STATUS);
	put(&r->gen_frame, d, DEBUG_GEN_FRAME);
}

/* The words of .AsyncioDebug, the same in 3.14 and 3.15. */
enum {
	TASK_STRUCT = 0,
	TASK_AWAITED_BY = 2,
	TASK_IS_TASK = 3,
	TASK_AWAITED_BY_IS_SET = 4,
	TASK_CORO = 5,
	THREAD_STRUCT = 9,
	THREAD_TASK = 11,
	ASYNCIO_WORDS = 13,
};

int asyncio_offsets_apply(const void *bytes, size_t size, struct cpython_runtime *r)
{
	uint64_t task, thread, awaited_by, is_task, is_set, coro, running;

	if (size < 8 * ASYNCIO_WORDS)
		return -EBADMSG;
	task = word(bytes, TASK_STRUCT);
	thread = word(bytes, THREAD_STRUCT);
	awaited_by = word(bytes, TASK_AWAITED_BY);
	is_task = word(bytes, TASK_IS_TASK);
	is_set = word(bytes, TASK_AWAITED_BY_IS_SET);
	coro = word(bytes, TASK_CORO);
	running = word(bytes, THREAD_TASK);
	if (task >= PY_NONE || thread >= 1 << 24 || running >= PY_NONE)
		return -EBADMSG;
	if (awaited_by % 8 || coro % 8 || running % 8 || awaited_by == coro || awaited_by < 16 ||
	    coro < 16 || awaited_by + 8 > task || coro + 8 > task || is_set >= task ||
	    is_task >= task || is_task == is_set || running + 8 > thread)
		return -EBADMSG;
	r->tstate_task = (unsigned short)running;
	r->task_coro = (unsigned short)coro;
	r->task_awaited_by = (unsigned short)awaited_by;
	r->task_is_task = (unsigned short)is_task;
	r->task_awaited_by_is_set = (unsigned short)is_set;
	return 0;
}

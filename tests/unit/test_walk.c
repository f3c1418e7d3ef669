/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's frame walker over threads of every Python, saved by tests/walk/check.sh
 * with what they saw of themselves; and over what it may meet while frames are pushed
 * and popped.
 */
#include <glob.h>
#include <stdlib.h>

#include "tests/unit/suites.h"
#include "tests/walk/host.h"
#include "tests/walk/image.h"

static const struct image *memory;
static struct walk walk;

static int memory_read(void *dst, unsigned len, unsigned long long address)
{
	return image_read(memory, dst, len, address);
}

static void image_walk(const struct image *m, unsigned long long known)
{
	memory = m;
	host_read = memory_read;
	host_walk(&walk, &m->process, m->self, known);
	CU_ASSERT(host_reads <= HOST_READS);
}

/* Whether the walk found the thread's frames but for the innermost `without`. */
static bool walk_is(const struct image *m, unsigned without)
{
	if (walk.sample.flags || walk.sample.frames + without != m->n_frames)
		return false;
	for (unsigned i = 0; i < walk.sample.frames; i++)
		if (walk.frames[i].code != m->frames[i + without].code ||
		    walk.frames[i].instr != m->frames[i + without].instr)
			return false;
	return true;
}

/* Nothing is claimed. */
static bool walk_is_torn(void)
{
	return walk.sample.flags == WIRE_SAMPLE_TORN && !walk.sample.frames &&
	       !walk.sample.has_opcode;
}

static void set(struct image *m, unsigned long long address, unsigned long long value,
		unsigned size)
{
	image_set(m, address, &value, size);
}

/* Calls `test` with each saved thread; the walker is set to its Python. */
static void images_each(void (*test)(struct image *m))
{
	unsigned minors = 0;
	glob_t found;

	CU_ASSERT_EQUAL_FATAL(glob("tests/walk/fixtures/*.walk", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct image *m = image_load(found.gl_pathv[i]);

		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		CU_ASSERT_FATAL(host_python(m->minor, m->free_threaded));
		CU_ASSERT_FATAL(m->n_frames > 3);
		minors |= 1u << m->minor;
		test(m);
		free(m);
	}
	globfree(&found);
	CU_ASSERT_EQUAL(minors, 0xffc0); /* 3.6 to 3.15 */
}

static void frames_test(struct image *m)
{
	unsigned reads;

	image_walk(m, 0);
	CU_ASSERT(walk_is(m, 0));
	CU_ASSERT_EQUAL(walk.sample.has_opcode, 1);
	CU_ASSERT_EQUAL(walk.sample.state, WIRE_SAMPLE_RUNS);
	/* Its state is known by now, and found by fewer reads. */
	reads = host_reads;
	image_walk(m, walk.state);
	CU_ASSERT(walk_is(m, 0));
	CU_ASSERT(host_reads < reads);
	/* That it was with another state is no reason to believe that one. */
	image_walk(m, m->process.code_type);
	CU_ASSERT(walk_is(m, 0));
}

static void test_frames(void)
{
	images_each(frames_test);
}

static void stranger_test(struct image *m)
{
	m->self += 64;
	image_walk(m, 0);
	CU_ASSERT_EQUAL(walk.sample.flags, WIRE_SAMPLE_NO_THREAD);
	CU_ASSERT_EQUAL(walk.sample.frames, 0);
}

static void test_stranger(void)
{
	images_each(stranger_test);
}

/* Where the address of the thread's innermost frame is kept. */
static unsigned long long innermost_at(void)
{
	if (runtime.tstate_cframe == PY_NONE)
		return walk.state + runtime.tstate_frame;
	return walk_u64(walk.state + runtime.tstate_cframe) + runtime.cframe_frame;
}

/* The innermost frame is made current before it knows who called it. */
static void uncalled_test(struct image *m)
{
	unsigned long long frame;

	if (m->minor < 11)
		return;
	image_walk(m, 0);
	frame = walk_u64(innermost_at());
	set(m, frame + layout.frame_previous, 0, 8);
	image_walk(m, 0);
	if (m->minor > 12)
		CU_ASSERT(walk_is_torn());
	/* Else it may be what the run before has left: the caller of this one is sound. */
	if (m->minor <= 12)
		CU_ASSERT(!walk.sample.frames || walk.sample.frames < m->n_frames);
	/* A generator has yielded, and is current for one instruction more. */
	set(m, frame + layout.frame_owner, layout.owner_generator, 1);
	image_walk(m, 0);
	CU_ASSERT(walk_is_torn());
}

static void test_uncalled(void)
{
	images_each(uncalled_test);
}

static void circle_test(struct image *m)
{
	unsigned long long frame, caller;

	image_walk(m, 0);
	frame = walk_u64(innermost_at());
	caller = walk_u64(frame + layout.frame_previous);
	set(m, frame + layout.frame_previous, frame, 8);
	image_walk(m, 0);
	CU_ASSERT(walk_is_torn() || m->minor == 11 || m->minor == 12);
	set(m, frame + layout.frame_previous, caller, 8);
	set(m, caller + layout.frame_previous, frame, 8);
	image_walk(m, 0);
	CU_ASSERT(walk_is_torn() || m->minor == 11 || m->minor == 12);
	CU_ASSERT(walk.sample.frames < m->n_frames);
}

static void test_circle(void)
{
	images_each(circle_test);
}

/* No code object, though it can be read. */
static void alien_code_test(struct image *m)
{
	static const char nothing[sizeof(walk.code_words)];
	unsigned long long frame, caller;

	image_walk(m, 0);
	frame = walk_u64(innermost_at());
	caller = walk_u64(frame + layout.frame_previous);
	image_set(m, 4096, nothing, sizeof(nothing));
	set(m, caller + layout.frame_code, 4096, 8);
	if (layout.owner_c_min != PY_NONE)
		set(m, caller + layout.frame_owner, 0, 1);
	image_walk(m, 0);
	CU_ASSERT(walk_is_torn() || m->minor == 11 || m->minor == 12);
	CU_ASSERT(walk.sample.frames < m->n_frames);
}

static void test_alien_code(void)
{
	images_each(alien_code_test);
}

/* The first frame of a run is not yet where it belongs. */
static void beginning_test(struct image *m)
{
	static const unsigned long long left[] = { 0, 8, 0x7f0000001000 };
	unsigned long long cframe, below;
	unsigned inner;

	if (m->minor != 11 && m->minor != 12)
		return;
	image_walk(m, 0);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		set(m, innermost_at(), left[i], 8);
		image_walk(m, 0);
		inner = m->n_frames - walk.sample.frames;
		CU_ASSERT(inner >= 1 && inner < m->n_frames);
		/* All but the innermost run's, when there is another. */
		CU_ASSERT(walk.sample.frames ? walk_is(m, inner) : walk.sample.flags != 0);
	}
	/* Nor does it know yet which run was before; but a register does. */
	cframe = innermost_at() - runtime.cframe_frame;
	below = walk_u64(cframe + runtime.cframe_previous);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		set(m, cframe + runtime.cframe_frame, left[i], 8);
		set(m, cframe + runtime.cframe_previous, left[i], 8);
		host_register = 0;
		image_walk(m, 0);
		CU_ASSERT(walk_is_torn());
		host_register = below;
		image_walk(m, 0);
		host_register = 0;
		inner = m->n_frames - walk.sample.frames;
		CU_ASSERT(inner >= 1 && !walk.sample.flags);
		CU_ASSERT(!walk.sample.frames || walk_is(m, inner));
	}
}

static void test_beginning(void)
{
	images_each(beginning_test);
}

/* A function that has not begun is not there yet, up to 3.13. */
static void unborn_test(struct image *m)
{
	unsigned long long frame, code;

	if (m->minor < 11 || m->minor > 13)
		return;
	image_walk(m, 0);
	frame = walk_u64(innermost_at());
	code = walk.frames[0].code + layout.code_bytecode;
	set(m, frame + layout.frame_instr, m->minor == 13 ? code : code - 2, 8);
	image_walk(m, 0);
	CU_ASSERT(walk_is(m, 1));
	CU_ASSERT(m->minor == 13 || !walk.sample.has_opcode); /* what is past the call */
}

static void test_unborn(void)
{
	images_each(unborn_test);
}

static void collecting_test(struct image *m)
{
	unsigned long long interp, state;

	image_walk(m, 0);
	state = walk.state;
	interp = walk_u64(state + runtime.tstate_interp);
	if (m->minor == 6)
		return; /* what says it is no symbol there */
	set(m, runtime.interp_gc_collecting != PY_NONE ? interp + runtime.interp_gc_collecting
							     : m->process.collecting, 1, 4);
	image_walk(m, 0);
	CU_ASSERT_EQUAL(walk.sample.state, WIRE_SAMPLE_RUNS); /* another thread does */
	if (runtime.tstate_status != PY_NONE)
		set(m, state + runtime.tstate_status, PY_TSTATE_ACTIVE, 4);
	else
		set(m, m->process.current, state, 8);
	if (runtime.interp_stopper != PY_NONE) {
		set(m, interp + runtime.interp_stopper, state + 8, 8);
		image_walk(m, 0);
		CU_ASSERT_EQUAL(walk.sample.state, WIRE_SAMPLE_RUNS); /* without the GIL */
		set(m, interp + runtime.interp_stopper, state, 8);
	}
	image_walk(m, 0);
	CU_ASSERT_EQUAL(walk.sample.state, WIRE_SAMPLE_GC);
	CU_ASSERT(walk_is(m, 0));
}

static void test_collecting(void)
{
	images_each(collecting_test);
}

int suite_walk(void)
{
	CU_TestInfo tests[] = {
		{ "what every thread sees of itself", test_frames },
		{ "a thread that is not Python's", test_stranger },
		{ "a frame without its caller", test_uncalled },
		{ "frames in a circle", test_circle },
		{ "a frame without code", test_alien_code },
		{ "a run of the interpreter that begins", test_beginning },
		{ "a function that has not begun", test_unborn },
		{ "collecting garbage", test_collecting },
		CU_TEST_INFO_NULL,
	};

	return suite_register("walk", tests);
}

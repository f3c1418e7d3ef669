/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From samples to the sink: orders, names that come late, lines, room that ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/resolver.h"
#include "tests/unit/suites.h"
#include "userspace/code_traits.h"
#include "userspace/codes.h"
#include "userspace/line_store.h"
#include "userspace/path_order.h"
#include "userspace/paths.h"
#include "userspace/profile.h"
#include "userspace/samples.h"

#define CORO TRAIT_COROUTINE
#define LOOP TRAIT_LOOP

static void expect_order(const struct path_frame *frames, uint32_t n, const char *expected)
{
	uint32_t order[16], count = path_order(frames, n, order);
	char got[17] = "";

	for (uint32_t i = 0; i < count; i++)
		got[i] = 'a' + order[i];
	CU_ASSERT_STRING_EQUAL(got, expected);
}

static void test_order(void)
{
	static const struct path_frame plain[] = { { 1 }, { 2 }, { 3 } };
	/* work < inner < outer < Handle._run < run_forever < <module> */
	static const struct path_frame task[] = { { 1 }, { 2, .traits = CORO }, { 3, .traits = CORO },
						  { 4, .traits = LOOP }, { 5, .traits = LOOP }, { 6 } };
	static const struct path_frame callback[] = { { 1 }, { 2, .traits = LOOP }, { 3 } };
	/* A coroutine that is sent into by hand. */
	static const struct path_frame driven[] = { { 1, .traits = CORO }, { 2 }, { 3, .traits = LOOP } };
	/* asyncio's own coroutines are no loop. */
	static const struct path_frame wait_for[] = { { 1, .traits = CORO },
						      { 2, .traits = CORO | LOOP },
						      { 3, .traits = LOOP }, { 4 } };
	/* Two that await, and a loop in C that nobody knows. */
	static const struct path_frame awaited[] = { { 1 }, { 2, .traits = CORO }, { 3 },
						     { 4, .traits = CORO, .awaits = true },
						     { 5, .traits = CORO, .awaits = true } };
	static const struct path_frame no_task[] = { { 1 }, { 2 }, { 3, .awaits = true } };

	expect_order(plain, 3, "cba");
	expect_order(plain, 0, "");
	expect_order(task, 6, "cba");
	expect_order(callback, 3, "cba");
	expect_order(driven, 3, "cba");
	expect_order(wait_for, 4, "ba");
	expect_order(awaited, 5, "edba");
	expect_order(no_task, 3, "ba");
}

static void test_traits(void)
{
	CU_ASSERT_EQUAL(code_traits(0x83, "app", "/app.py", "f"), CORO);
	CU_ASSERT_EQUAL(code_traits(3, "<shim>", "<shim>", "<interpreter trampoline>"),
			TRAIT_NO_CALL);
	CU_ASSERT_EQUAL(code_traits(0x203, "app", "/app.py", "f"), CORO);
	CU_ASSERT_EQUAL(code_traits(0x23, "app", "/app.py", "generator"), 0);
	CU_ASSERT_EQUAL(code_traits(3, "asyncio.events", "/usr/lib/python3.9/asyncio/events.py", "_run"),
			LOOP);
	CU_ASSERT_EQUAL(code_traits(3, "app.asyncio.events", "/x.py", "_run"), 0);
	CU_ASSERT_EQUAL(code_traits(3, "importlib._bootstrap", "<frozen importlib._bootstrap>",
				    "_find_and_load"), TRAIT_IMPORT);
	CU_ASSERT_EQUAL(code_traits(3, "importlib._bootstrap", "<frozen importlib._bootstrap>",
				    "_handle_fromlist"), 0);
	CU_ASSERT_EQUAL(code_traits(3, "app", "/app.py", "_find_and_load"), 0);
}

static void test_line_store(void)
{
	static const uint8_t pairs[] = { 0, 1, 4, 1 };
	struct line_store *s;
	uint32_t one, same, other, huge;
	uint8_t *large = calloc(1, 9 << 20);

	CU_ASSERT_FATAL(large && !line_store_new(&s));
	CU_ASSERT(!line_store_add(s, 9, 10, pairs, 4, 4, &one) && one == 1);
	CU_ASSERT(!line_store_add(s, 9, 10, pairs, 4, 4, &same) && same == 1);
	CU_ASSERT(!line_store_add(s, 9, 20, pairs, 4, 4, &other) && other == 2);
	CU_ASSERT(line_store_line(s, 1, 0) == 11 && line_store_line(s, 1, 4) == 12);
	CU_ASSERT(line_store_line(s, 2, 4) == 22 && line_store_line(s, 1, 4) == 12);
	CU_ASSERT(line_store_line(s, 0, 4) == 0 && line_store_line(s, 3, 4) == 0);
	CU_ASSERT(line_store_add(s, 9, 1, large, 9 << 20, 9 << 20, &huge) == -ENOSPC);
	line_store_free(s);
	free(large);
}

/* ---- samples into a profile ---- */

struct world {
	struct profile *profile;
	struct codes *codes;
	struct line_store *lines;
	struct resolver *resolver;
	struct paths *paths;
	struct samples now, later;
	struct path_owner owner;
	bool gone;
};

static const struct path_owner *owner_of(void *arg, uint32_t tgid)
{
	struct world *w = arg;

	return tgid == w->owner.pid && !w->gone ? &w->owner : NULL;
}

static bool lives(void *arg, uint32_t serial)
{
	return ((struct world *)arg)->owner.serial == serial;
}

static void world_make(struct world *w, uint32_t max_nodes, bool per_thread)
{
	struct sink_meta meta = { METRIC_TASK_CLOCK, .host = "", .kernel = "", .version = "",
				  .period = 10, .per_thread = per_thread };
	struct sink_process process = { .pid = 7 };
	struct paths_options o = { .owner = owner_of, .lives = lives, .arg = w,
				   .max_nodes = max_nodes, .per_thread = per_thread };
	int root = open("/", O_PATH | O_DIRECTORY);

	*w = (struct world){ .owner = { .pid = 7, .serial = 1, .interpreter = "" } };
	CU_ASSERT_FATAL(!profile_create(&w->profile));
	o.sink = &w->profile->sink;
	CU_ASSERT_FATAL(!o.sink->meta(o.sink, &meta) && !o.sink->process(o.sink, &process));
	CU_ASSERT_FATAL(!codes_new(o.sink, &w->codes) && !line_store_new(&w->lines));
	w->resolver = resolver_new(root, -1);
	close(root);
	o.codes = w->codes;
	o.lines = w->lines;
	CU_ASSERT_FATAL(w->resolver && !paths_new(&o, &w->paths));
	CU_ASSERT_FATAL(!samples_init(&w->now) && !samples_init(&w->later));
}

static void world_end(struct world *w)
{
	samples_clear(&w->now);
	samples_clear(&w->later);
	paths_free(w->paths);
	resolver_free(w->resolver);
	line_store_free(w->lines);
	codes_free(w->codes);
	profile_free(w->profile);
}

static void text_set(struct wire_str *s, uint8_t *data, const char *text)
{
	*s = (struct wire_str){ .length = strlen(text), .bytes = strlen(text), .kind = 1, .ascii = 1 };
	memcpy(data, text, strlen(text));
}

/* Code object 100 * number of 3.11: its lines are 10 * number + 1, + 2. */
static void learn(struct world *w, uint64_t number, const char *name)
{
	static const uint8_t table[] = { 0xd8, 0, 0, 0xd8, 0, 0 };
	struct wire_event_code *e = calloc(1, sizeof(*e));
	struct wire_code_key key = { .code = 100 * number, .tgid = 7, .print = number };

	CU_ASSERT_FATAL(e != NULL);
	*e = (struct wire_event_code){ .head = { WIRE_EVENT_CODE, 7 }, .code = key.code,
				       .print = number, .firstlineno = 10 * number };
	text_set(&e->file, e->file_data, "/nowhere/app.py");
	text_set(&e->name, e->name_data, name);
	text_set(&e->qualname, e->qualname_data, name);
	CU_ASSERT_FATAL(!codes_learn(w->codes, e, w->resolver, 11, NULL));
	CU_ASSERT_FATAL(!line_store_add(w->lines, 11, 10 * number, table, sizeof(table),
					sizeof(table), &codes_known(w->codes, &key)->lines));
	free(e);
}

struct event {
	struct wire_sample head;
	uint8_t rest[256];
};

/* frames: code objects by number, innermost first; instr is 2 * its place. */
static int add_at(struct world *w, uint32_t tid, unsigned flags, const char *frames,
		  uint8_t opcode)
{
	struct event e = { .head = { .head = { WIRE_EVENT_SAMPLE, 7 }, .tid = tid, .flags = flags,
				     .frames = strlen(frames), .natives = 1, .opcode = opcode,
				     .has_opcode = 1 } };
	struct wire_sample_frame *f = (void *)(&e.head + 1);

	for (int i = 0; frames[i]; i++)
		f[i] = (struct wire_sample_frame){ .code = 100 * (frames[i] - '0'),
						   .print = frames[i] - '0', .instr = i ? 2 : 0 };
	return samples_add(&w->now, &e.head,
			   sizeof(e.head) + strlen(frames) * sizeof(*f) + sizeof(uint64_t), false);
}

static int add(struct world *w, uint32_t tid, unsigned flags, const char *frames)
{
	return add_at(w, tid, flags, frames, 42);
}

static void pass(struct world *w, bool last)
{
	struct samples waiting;

	CU_ASSERT(!paths_take(w->paths, &w->now, last ? NULL : &w->later, 0));
	waiting = w->later;
	w->later = w->now;
	w->now = waiting;
}

static const char *name_of(const struct world *w, uint32_t node)
{
	return w->profile->functions[w->profile->nodes[node].function].name;
}

static void test_paths(void)
{
	struct world w;

	world_make(&w, 0, false);
	learn(&w, 1, "leaf");
	learn(&w, 2, "caller");
	for (int i = 0; i < 5; i++)
		CU_ASSERT(!add(&w, 7, 0, "12"));
	CU_ASSERT(!add(&w, 8, 0, "2") && !add(&w, 8, WIRE_SAMPLE_NO_THREAD, ""));
	CU_ASSERT(w.now.stacks.count == 3 && w.now.places.count == 3);
	pass(&w, false);
	CU_ASSERT_EQUAL_FATAL(w.profile->node_count, 4);
	CU_ASSERT_STRING_EQUAL(name_of(&w, 2), "caller");
	CU_ASSERT_STRING_EQUAL(name_of(&w, 3), "leaf");
	CU_ASSERT(w.profile->nodes[3].samples == 5 && w.profile->nodes[3].self_raw == 50);
	CU_ASSERT(w.profile->nodes[2].samples == 1 && w.profile->nodes[1].samples == 1);
	CU_ASSERT(w.profile->samples[0].line == 11 && w.profile->samples[0].opcode == 42);
	CU_ASSERT(w.profile->passage_count == 1 && w.profile->passages[0].count == 5);
	CU_ASSERT(w.profile->passages[0].node == 2 && w.profile->passages[0].line == 22);
	/* The next pass tells no more than what is new. */
	CU_ASSERT(!add(&w, 7, 0, "12"));
	pass(&w, true);
	CU_ASSERT(w.profile->node_count == 4 && w.profile->nodes[3].samples == 6);
	CU_ASSERT_EQUAL(paths_samples(w.paths), 8);
	world_end(&w);
}

static void test_late_names(void)
{
	struct world w;

	world_make(&w, 0, false);
	learn(&w, 2, "caller");
	CU_ASSERT(!add(&w, 7, 0, "12") && !add(&w, 7, 0, "32"));
	pass(&w, false);
	CU_ASSERT_EQUAL(w.profile->sample_count, 0);
	learn(&w, 1, "leaf");
	CU_ASSERT(!add(&w, 7, 0, "12"));
	pass(&w, false);
	/* The one has its name now; the other goes without. */
	CU_ASSERT_EQUAL_FATAL(w.profile->node_count, 5);
	CU_ASSERT(w.profile->nodes[3].samples == 2 && w.profile->nodes[4].samples == 1);
	CU_ASSERT_STRING_EQUAL(name_of(&w, 3), "leaf");
	CU_ASSERT(w.profile->functions[w.profile->nodes[4].function].unresolved);
	world_end(&w);
}

static void test_no_path(void)
{
	uint64_t losses[LOSS_MAX] = { 0 };
	struct world w;

	world_make(&w, 0, false);
	learn(&w, 1, "leaf");
	CU_ASSERT(!add(&w, 7, WIRE_SAMPLE_TORN, "1") && !add(&w, 7, WIRE_SAMPLE_UNREAD, "1"));
	CU_ASSERT(!add(&w, 7, WIRE_SAMPLE_DEEP, "1"));
	pass(&w, false);
	CU_ASSERT_EQUAL_FATAL(w.profile->node_count, 3);
	CU_ASSERT(w.profile->nodes[1].samples == 2 && w.profile->nodes[2].samples == 1);
	CU_ASSERT(w.profile->samples[0].opcode == SINK_NO_OPCODE && !w.profile->samples[0].line);
	paths_losses(w.paths, losses);
	CU_ASSERT(losses[LOSS_UNWALKED] == 2 && losses[LOSS_DEEP] == 1);
	world_end(&w);
}

/* An entry frame of 3.12 that was taken for a function's: nothing of it is claimed. */
static void test_no_call(void)
{
	uint64_t losses[LOSS_MAX] = { 0 };
	struct world w;

	world_make(&w, 0, false);
	learn(&w, 1, "<interpreter trampoline>");
	learn(&w, 2, "caller");
	CU_ASSERT(!add(&w, 7, 0, "12") && !add(&w, 7, 0, "12") && !add(&w, 7, 0, "2"));
	pass(&w, false);
	CU_ASSERT_EQUAL_FATAL(w.profile->node_count, 3);
	CU_ASSERT(w.profile->nodes[1].samples == 2 && w.profile->nodes[2].samples == 1);
	paths_losses(w.paths, losses);
	CU_ASSERT_EQUAL(losses[LOSS_UNWALKED], 2);
	world_end(&w);
}

/* What is in a cache behind an instruction is none, and is told as not known. */
static void test_no_opcode(void)
{
	struct world w;

	world_make(&w, 0, false);
	learn(&w, 1, "leaf");
	CU_ASSERT(!add_at(&w, 7, 0, "1", 0) && !add_at(&w, 7, 0, "1", 0));
	CU_ASSERT(!add_at(&w, 7, 0, "1", 1));
	pass(&w, false);
	CU_ASSERT_EQUAL_FATAL(w.profile->sample_count, 2);
	for (int i = 0; i < 2; i++) {
		const struct sink_sample *s = &w.profile->samples[i];

		CU_ASSERT(s->count == 2 ? s->opcode == SINK_NO_OPCODE
					: s->count == 1 && s->opcode == 1);
		CU_ASSERT_EQUAL(s->line, 11);
	}
	world_end(&w);
}

/* Of a process that is no more, room comes back; without any, the caller is charged. */
static void test_full(void)
{
	uint64_t losses[LOSS_MAX] = { 0 };
	struct world w;

	world_make(&w, 3, false);
	learn(&w, 1, "leaf");
	learn(&w, 2, "caller");
	learn(&w, 3, "other");
	CU_ASSERT(!add(&w, 7, 0, "12") && !add(&w, 7, 0, "32"));
	pass(&w, false);
	CU_ASSERT(w.profile->node_count == 4 && w.profile->nodes[2].samples == 1);
	paths_losses(w.paths, losses);
	CU_ASSERT_EQUAL(losses[LOSS_NODES], 1);
	w.owner.serial = 2;
	CU_ASSERT(!add(&w, 7, 0, "32"));
	pass(&w, false);
	CU_ASSERT(w.profile->node_count == 7 && w.profile->nodes[6].samples == 1);
	CU_ASSERT_STRING_EQUAL(name_of(&w, 6), "other");
	world_end(&w);
}

static void test_gone(void)
{
	uint64_t losses[LOSS_MAX] = { 0 };
	struct world w;

	world_make(&w, 0, false);
	w.gone = true;
	CU_ASSERT(!add(&w, 7, 0, ""));
	pass(&w, false);
	pass(&w, false);
	paths_losses(w.paths, losses);
	CU_ASSERT(losses[LOSS_PROCESSES] == 1 && !w.profile->sample_count);
	world_end(&w);
}

static void test_malformed(void)
{
	struct wire_sample e = { .frames = 2000 };
	struct samples s;

	CU_ASSERT_FATAL(!samples_init(&s));
	CU_ASSERT(samples_add(&s, &e, sizeof(e) + 2000 * 16, false) == -EINVAL);
	e.frames = 1;
	CU_ASSERT(samples_add(&s, &e, sizeof(e) + 15, false) == -EINVAL);
	CU_ASSERT(samples_add(&s, &e, sizeof(e) - 1, false) == -EINVAL);
	e.natives = 65;
	CU_ASSERT(samples_add(&s, &e, sizeof(e) + 16 + 65 * 8, false) == -EINVAL);
	CU_ASSERT_EQUAL(s.stacks.count, 0);
	samples_clear(&s);
}

int suite_paths(void)
{
	CU_TestInfo tests[] = {
		{ "order", test_order },
		{ "traits", test_traits },
		{ "line store", test_line_store },
		{ "paths", test_paths },
		{ "late names", test_late_names },
		{ "no path", test_no_path },
		{ "no call", test_no_call },
		{ "no opcode", test_no_opcode },
		{ "full", test_full },
		{ "gone", test_gone },
		{ "malformed", test_malformed },
		CU_TEST_INFO_NULL,
	};

	return suite_register("paths", tests);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "tests/unit/sample.h"
#include "tests/unit/suites.h"
#include "userspace/profile.h"

static struct profile *shop_profile(void)
{
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT_FATAL(!sample_shop(&p->sink, METRIC_INSTRUCTIONS));
	return p;
}

static void test_contract(void)
{
	struct profile *p = shop_profile();
	struct sink *s = &p->sink;
	struct sink_meta meta = { .metric = METRIC_CYCLES };
	struct sink_function function = { .id = 9 };
	struct sink_calibration calibration = { .id = 3 };
	struct sink_node gap = { .id = 20, .pid = 100 };
	struct sink_node stranger = { .id = 12, .pid = 4711 };
	struct sink_node nameless = { .id = 12, .parent = 1, .pid = 100 };
	struct sink_cost cost = { .node = 12 };

	CU_ASSERT(s->meta(s, &meta) == -EINVAL);
	CU_ASSERT(s->function(s, &function) == -EINVAL);
	CU_ASSERT(s->calibration(s, &calibration) == -EINVAL);
	CU_ASSERT(s->node(s, &gap) == -EINVAL);
	CU_ASSERT(s->node(s, &stranger) == -EINVAL);
	CU_ASSERT(s->node(s, &nameless) == -EINVAL);
	CU_ASSERT(s->cost(s, &cost) == -EINVAL);
	CU_ASSERT(s->loss(s, LOSS_MAX, 1) == -EINVAL);
	CU_ASSERT_EQUAL(p->node_count, 12);
	profile_free(p);
	profile_free(NULL);
}

/* The same pid again: news about the process, or another one after an exec. */
static void test_process_again(void)
{
	struct sink_process first = { .pid = 5, .comm = "sh" };
	struct sink_process known = { 5, 0, "python3", "3.12.1", "/usr/bin/python3", 1 };
	struct sink_process other = { 5, 0, "python3", "3.9.2", "/opt/python3.9", 2 };
	struct sink_node node = { .id = 1, .pid = 5 };
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT(!p->sink.process(&p->sink, &first) && !p->sink.process(&p->sink, &known));
	CU_ASSERT(p->process_count == 1 && p->processes[0].calibration == 1);
	CU_ASSERT(!p->sink.node(&p->sink, &node));
	CU_ASSERT(!p->sink.process(&p->sink, &other) && p->process_count == 2);
	node.id = 2;
	CU_ASSERT(!p->sink.node(&p->sink, &node));
	CU_ASSERT(p->nodes[1].process == 0 && p->nodes[2].process == 1);
	/* Calibrations 1 and 2 were never told. */
	CU_ASSERT(profile_calibration(p, &p->processes[1]) == p->calibrations);
	profile_free(p);
}

static void test_calibration_again(void)
{
	struct profile *p = shop_profile();
	struct sink_calibration better = { .id = 1, .entry = 101, .exit = 21 };

	CU_ASSERT(!p->sink.calibration(&p->sink, &better));
	CU_ASSERT(p->calibration_count == 2 && p->calibrations[1].entry == 101);
	profile_free(p);
}

static void test_names_are_repaired(void)
{
	struct sink_function f = {
		.id = 1,
		.name = "\x1b[31mred\xff",
		.qualname = "a\nb",
		.file = "/ok/\xe5\xba\x97.py",
	};
	struct profile *p;

	CU_ASSERT_FATAL(!profile_create(&p));
	CU_ASSERT(!p->sink.function(&p->sink, &f));
	CU_ASSERT_STRING_EQUAL(p->functions[1].name, "\xef\xbf\xbd[31mred\xef\xbf\xbd");
	CU_ASSERT_STRING_EQUAL(p->functions[1].qualname, "a\xef\xbf\xbd" "b");
	CU_ASSERT_STRING_EQUAL(p->functions[1].file, "/ok/\xe5\xba\x97.py");
	CU_ASSERT_STRING_EQUAL(p->functions[1].wraps, "");
	profile_free(p);
}

static void test_keep_pid(void)
{
	struct profile *p = shop_profile();

	CU_ASSERT(!profile_keep_pid(p, 101));
	CU_ASSERT(p->process_count == 1 && p->processes[0].pid == 101);
	CU_ASSERT_EQUAL_FATAL(p->node_count, 4);
	CU_ASSERT(p->nodes[1].parent == 0 && p->nodes[2].parent == 1 && p->nodes[3].parent == 2);
	CU_ASSERT(p->nodes[3].self_raw == 60000000 && p->nodes[3].process == 0);
	CU_ASSERT(profile_keep_pid(p, 100) == -ESRCH);
	profile_free(p);
}

int suite_profile(void)
{
	CU_TestInfo tests[] = {
		{ "contract", test_contract },
		{ "process again", test_process_again },
		{ "calibration again", test_calibration_again },
		{ "names are repaired", test_names_are_repaired },
		{ "keep pid", test_keep_pid },
		CU_TEST_INFO_NULL,
	};

	return suite_register("profile", tests);
}

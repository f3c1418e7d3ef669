/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is decided about counters, without one: most machines that test have none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/shop_report.h"
#include "tests/unit/tree.h"
#include "userspace/counter_reason.h"
#include "userspace/counter_share.h"
#include "userspace/counter_task.h"
#include "userspace/counters.h"
#include "userspace/cpu_kinds.h"
#include "userspace/doctor.h"
#include "userspace/perf_event.h"

static void test_cpu_lists(void)
{
	static const char *const bad[] = {"x",	"1,",	"1,,2", "3-1", "-1",   "1-",
					  "1 2", "8192", "0-8192", "1;2", ",1", "1-2-3"};
	struct cpu_list l;

	CU_ASSERT(!cpu_list_parse("0-3,8,62-65\n", &l));
	CU_ASSERT(cpu_list_has(&l, 0) && cpu_list_has(&l, 3) && cpu_list_has(&l, 8));
	CU_ASSERT(cpu_list_has(&l, 63) && cpu_list_has(&l, 64) && cpu_list_has(&l, 65));
	CU_ASSERT(!cpu_list_has(&l, 4) && !cpu_list_has(&l, 7) && !cpu_list_has(&l, 66));
	CU_ASSERT(!cpu_list_has(&l, CPU_LIST_CPUS));
	CU_ASSERT(!cpu_list_parse("\n", &l) && !cpu_list_has(&l, 0));
	CU_ASSERT(!cpu_list_parse("8191", &l) && cpu_list_has(&l, 8191));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT(cpu_list_parse(bad[i], &l) == -EINVAL);
}

static void pmu(const char *name, const char *type, const char *file, const char *cpus)
{
	char path[128];

	CU_ASSERT_FATAL(!tree_directory(name));
	snprintf(path, sizeof(path), "%s/type", name);
	CU_ASSERT_FATAL(!tree_write(path, type));
	if (!file)
		return;
	snprintf(path, sizeof(path), "%s/%s", name, file);
	CU_ASSERT_FATAL(!tree_write(path, cpus));
}

/* As an i7-1260P shows them; the P cores' PMU keeps the type of the old "cpu". */
static void alder_lake(void)
{
	CU_ASSERT_FATAL(!tree_make());
	pmu("cpu_atom", "10\n", "cpus", "8-15\n");
	pmu("cpu_core", "4\n", "cpus", "0-7\n");
	pmu("uncore_imc_0", "15\n", "cpumask", "0\n");
	pmu("power", "12\n", "cpumask", "0\n");
	pmu("software", "1\n", NULL, NULL);
}

static void test_intel_hybrid(void)
{
	struct cpu_kinds k;
	char names[64];

	alder_lake();
	CU_ASSERT(!cpu_kinds_read(tree_path, &k));
	CU_ASSERT_EQUAL_FATAL(k.n, 2);
	CU_ASSERT(cpu_kinds_mixed(&k));
	CU_ASSERT_STRING_EQUAL(k.v[0].name, "cpu_core");
	CU_ASSERT_PTR_EQUAL(cpu_kinds_of(&k, 7), &k.v[0]);
	CU_ASSERT_PTR_EQUAL(cpu_kinds_of(&k, 8), &k.v[1]);
	CU_ASSERT_PTR_NULL(cpu_kinds_of(&k, 16));
	/* PERF_COUNT_HW_INSTRUCTIONS is 1. */
	CU_ASSERT_EQUAL(cpu_kind_config(&k.v[0], 1), 0x400000001);
	CU_ASSERT_EQUAL(cpu_kind_config(&k.v[1], 1), 0xa00000001);
	CU_ASSERT_EQUAL(cpu_kind_config(NULL, 1), 1);
	cpu_kinds_names(&k, names, sizeof(names));
	CU_ASSERT_STRING_EQUAL(names, "cpu_core, cpu_atom");
	cpu_kinds_names(&k, names, 10);
	CU_ASSERT_STRING_EQUAL(names, "cpu_core,");
	tree_remove();
}

/* An RK3399's, which is 4 + 2; its other PMUs have a cpumask or nothing. */
static void test_big_little(void)
{
	struct cpu_kinds k;

	CU_ASSERT_FATAL(!tree_make());
	pmu("armv8_cortex_a72", "8\n", "cpus", "4-5\n");
	pmu("armv8_cortex_a53", "7\n", "cpus", "0-3\n");
	pmu("arm_spe_0", "9\n", "cpumask", "0-5\n");
	CU_ASSERT(!cpu_kinds_read(tree_path, &k));
	CU_ASSERT_EQUAL_FATAL(k.n, 2);
	CU_ASSERT_STRING_EQUAL(k.v[0].name, "armv8_cortex_a53");
	CU_ASSERT_EQUAL(cpu_kinds_of(&k, 4)->type, 8);
	tree_remove();
}

static void test_alike(void)
{
	struct cpu_kinds k;

	CU_ASSERT_FATAL(!tree_make());
	pmu("cpu", "4\n", NULL, NULL);
	CU_ASSERT(!cpu_kinds_read(tree_path, &k) && !k.n && !cpu_kinds_mixed(&k));
	pmu("armv8_pmuv3_0", "8\n", "cpus", "0-63\n");
	CU_ASSERT(!cpu_kinds_read(tree_path, &k) && k.n == 1 && !cpu_kinds_mixed(&k));
	CU_ASSERT(cpu_kinds_read(tree_at("none"), &k) == -ENOENT && !k.n);
	tree_remove();
}

/* A kind whose CPUs are all offline is one; what makes no sense is none. */
static void test_odd_kinds(void)
{
	char name[16];
	struct cpu_kinds k;

	CU_ASSERT_FATAL(!tree_make());
	pmu("cpu_atom", "10\n", "cpus", "\n");
	pmu("cpu_core", "4\n", "cpus", "0-3\n");
	pmu("cpu_bad", "5\n", "cpus", "none\n");
	pmu("cpu_worse", "none\n", "cpus", "4\n");
	CU_ASSERT(!cpu_kinds_read(tree_path, &k));
	CU_ASSERT(k.n == 2 && !strcmp(k.v[1].name, "cpu_atom") && !cpu_kinds_of(&k, 4));
	for (int i = 0; i < CPU_KINDS_MAX - 2; i++) {
		snprintf(name, sizeof(name), "cpu_%d", i);
		pmu(name, "20\n", "cpus", "5\n");
	}
	CU_ASSERT(!cpu_kinds_read(tree_path, &k) && k.n == CPU_KINDS_MAX);
	pmu("cpu_more", "20\n", "cpus", "5\n");
	CU_ASSERT(cpu_kinds_read(tree_path, &k) == -E2BIG && k.n == CPU_KINDS_MAX);
	tree_remove();
}

static void test_doctor_explains_kinds(void)
{
	struct checkup c = {0};

	alder_lake();
	doctor_cpu_kinds(&c, tree_path);
	doctor_cpu_kinds(&c, tree_at("power"));
	doctor_cpu_kinds(&c, tree_at("none"));
	CU_ASSERT_EQUAL_FATAL(c.n, 3);
	CU_ASSERT(c.v[0].status == CHECK_WARN && c.v[1].status == CHECK_OK);
	ASSERT_CONTAINS(c.v[0].finding, "cpu_core, cpu_atom have a PMU each");
	ASSERT_CONTAINS(c.v[0].finding, "instructions of all add up");
	ASSERT_CONTAINS(c.v[0].mend, "taskset");
	ASSERT_CONTAINS(c.v[1].finding, "alike");
	CU_ASSERT(c.v[2].status == CHECK_WARN);
	checkup_clear(&c);
	tree_remove();
}

static void test_judgement(void)
{
	/* value, enabled, running */
	struct perf_reading v[] = {{500, 1000, 1000}, {0, 1000, 1000}, {0, 0, 0}};

	CU_ASSERT_EQUAL(perf_event_judge(v, 3), 0); /* one idle, one offline */
	v[1].running = 10;
	CU_ASSERT_EQUAL(perf_event_judge(v, 3), 0); /* shared, but it has been there */
	v[1].running = 0;
	CU_ASSERT_EQUAL(perf_event_judge(v, 3), -EAGAIN);
	CU_ASSERT_EQUAL(perf_event_judge(v, 1), 0);
	v[1].running = 1000;
	v[0].value = 0;
	CU_ASSERT_EQUAL(perf_event_judge(v, 3), -ENODATA);
	CU_ASSERT_EQUAL(perf_event_judge(v + 2, 1), 0);
}

static void test_share_is_of_the_time_between(void)
{
	struct perf_reading from = {0, 1000, 100}, to = {0, 2000, 732}, back = {0, 500, 50};

	CU_ASSERT_DOUBLE_EQUAL(perf_event_share(&from, &to), 0.632, 1e-12);
	from.running = to.running;
	CU_ASSERT(perf_event_share(&from, &to) == 0);
	CU_ASSERT(perf_event_share(&to, &to) == 1); /* offline all the time */
	CU_ASSERT(perf_event_share(&from, &back) == 1);
	to.running = from.running + 1000;
	CU_ASSERT(perf_event_share(&from, &to) == 1);
}

static void test_share_in_words(void)
{
	uint64_t losses[LOSS_MAX] = {0};
	char text[128];

	CU_ASSERT(counter_share(losses) == 1);
	CU_ASSERT(!counter_share_text(losses, text, sizeof(text)) && !*text);
	losses[LOSS_MULTIPLEXED] = 368000;
	CU_ASSERT_DOUBLE_EQUAL(counter_share(losses), 0.632, 1e-12);
	CU_ASSERT(counter_share_text(losses, text, sizeof(text)));
	CU_ASSERT_STRING_EQUAL(text, "counter on the PMU 63.2 % of the time: costs are parts "
				     "only, not scaled");
	losses[LOSS_MULTIPLEXED] = 1;
	CU_ASSERT(counter_share_text(losses, text, sizeof(text)));
	ASSERT_CONTAINS(text, "over 99.9 %");
	losses[LOSS_MULTIPLEXED] = 999999;
	CU_ASSERT(counter_share_text(losses, text, sizeof(text)));
	ASSERT_CONTAINS(text, "under 0.1 %");
	/* A damaged recording may claim anything. */
	losses[LOSS_MULTIPLEXED] = UINT64_MAX;
	CU_ASSERT(counter_share_text(losses, text, sizeof(text)) && counter_share(losses) == 0);
	ASSERT_CONTAINS(text, "never on the PMU");
}

static const char *reason(int err, const struct counter_rights *r)
{
	static char text[256];

	counter_reason_text(err, r, text, sizeof(text));
	/* As long as whoever shows them has room for. */
	CU_ASSERT(strlen(text) < 250);
	return text;
}

static const char *mend(int err, const struct counter_rights *r)
{
	static char text[256];

	counter_mend_text(err, r, text, sizeof(text));
	CU_ASSERT(strlen(text) > 10 && strlen(text) < 250);
	return text;
}

static void test_reasons_of_machines(void)
{
	struct counter_rights root = {true, 2, true, false};

	ASSERT_CONTAINS(reason(-ENOENT, &root), "this machine shows no instruction counter");
	ASSERT_CONTAINS(mend(-ENOENT, &root), "virtual PMU");
	ASSERT_CONTAINS(reason(-EBUSY, &root), "taken by someone else");
	ASSERT_CONTAINS(mend(-EBUSY, &root), "kernel.nmi_watchdog=0");
	ASSERT_CONTAINS(reason(-ENODATA, &root), "stands still");
	ASSERT_CONTAINS(mend(-ENODATA, &root), "virtual PMU");
	ASSERT_CONTAINS(reason(-ENXIO, &root), "some CPUs");
	ASSERT_CONTAINS(mend(-ENXIO, &root), "offline");
	ASSERT_CONTAINS(reason(-EMFILE, &root), "Too many open files");
	ASSERT_CONTAINS(mend(-EMFILE, &root), "ulimit");
}

static void test_reasons_of_rights(void)
{
	struct counter_rights user = {true, 2, false, false}, root = {true, 2, true, false};

	ASSERT_CONTAINS(reason(-EACCES, &user), "kernel.perf_event_paranoid is 2: run with CAP_PERFMON");
	ASSERT_CONTAINS(mend(-EACCES, &user), "sysctl kernel.perf_event_paranoid=0");
	user.paranoid = 3;
	ASSERT_CONTAINS(reason(-EACCES, &user), "is 3, with which Debian's");
	user.has_paranoid = false;
	ASSERT_CONTAINS(reason(-EPERM, &user), "kernel.perf_event_paranoid");
	/* The sysctl would have let us: it is something else. */
	ASSERT_CONTAINS(reason(-EACCES, &root), "security module");
	user = (struct counter_rights){true, 0, false, false};
	ASSERT_CONTAINS(reason(-EACCES, &user), "security module");
	ASSERT_CONTAINS(mend(-EACCES, &user), "SELinux");
	ASSERT_CONTAINS(reason(-ENOSYS, &root), "CONFIG_PERF_EVENTS");
	ASSERT_CONTAINS(mend(-ENOSYS, &root), "CONFIG_PERF_EVENTS");
}

/* Who runs in a container has a filter; only some errors are of its making. */
static void test_reasons_of_filters(void)
{
	struct counter_rights user = {true, 2, false, true}, root = {true, 2, true, true};

	ASSERT_CONTAINS(reason(-EPERM, &user), "seccomp");
	ASSERT_CONTAINS(reason(-EPERM, &root), "seccomp");
	ASSERT_CONTAINS(reason(-ENOSYS, &root), "seccomp");
	ASSERT_CONTAINS(mend(-EPERM, &root), "--cap-add PERFMON");
	ASSERT_CONTAINS(reason(-EACCES, &user), "perf_event_paranoid");
	ASSERT_CONTAINS(reason(-EBUSY, &root), "taken");
}

static void test_seccomp_line(void)
{
	bool on = false;

	CU_ASSERT(counter_seccomp_line("Seccomp:\t2\n", &on) && on);
	CU_ASSERT(counter_seccomp_line("Seccomp:\t0\n", &on) && !on);
	CU_ASSERT(!counter_seccomp_line("Seccomp_filters:\t1\n", &on));
	CU_ASSERT(!counter_seccomp_line("NoNewPrivs:\t0\n", &on));
}

/* The one event that any machine has: it counts what we do, and no turns are missed. */
static void test_task_counter(void)
{
	struct counter_task *c = NULL;
	struct perf_reading a, b;
	int err = counter_task_open(METRIC_TASK_CLOCK, 0, &c);

	if (err == -EACCES || err == -EPERM || err == -ENOSYS)
		return; /* kernel.perf_event_paranoid, or a container */
	CU_ASSERT_EQUAL_FATAL(err, 0);
	CU_ASSERT(!counter_task_read(c, &a));
	for (volatile int i = 0; i < 1000000; i++)
		;
	CU_ASSERT(!counter_task_read(c, &b));
	CU_ASSERT(b.value > a.value && b.enabled > a.enabled);
	CU_ASSERT(perf_event_share(&a, &b) == 1);
	counter_task_close(c);
	counter_task_close(NULL);
	CU_ASSERT(counter_task_open(METRIC_TASK_CLOCK, -2, &c) < 0);
}

/* Of the clock, which every machine has: it never shares, and has no kernel mode. */
static void test_counters_of_the_clock(void)
{
	uint64_t losses[LOSS_MAX] = {[LOSS_MULTIPLEXED] = 7};
	struct sink_meta meta = {.user_only = true, .kernel_mode = true};
	char text[256] = "", notice[256] = "";
	struct counters c = {0};

	CU_ASSERT_EQUAL_FATAL(counters_open(&c, METRIC_TASK_CLOCK, false, text, sizeof(text)), 0);
	CU_ASSERT_PTR_NULL(c.kernel);
	counters_start(&c);
	counters_meta(&c, &meta);
	CU_ASSERT(meta.metric == METRIC_TASK_CLOCK && !meta.user_only);
	CU_ASSERT(!meta.metric_fallback && !meta.kernel_mode);
	counters_look(&c, -1, -1, notice, sizeof(notice));
	CU_ASSERT_STRING_EQUAL(notice, "");
	counters_losses(&c, losses);
	CU_ASSERT_EQUAL(losses[LOSS_MULTIPLEXED], 7);
	counters_finish(&c);
	/* What it was at the end is what it stays. */
	CU_ASSERT(c.finished && counters_running(&c) == 1);
	c.running = 0.25;
	CU_ASSERT(counters_running(&c) == 0.25);
	counters_losses(&c, losses);
	CU_ASSERT_EQUAL(losses[LOSS_MULTIPLEXED], 750007);
	counters_close(&c);
	CU_ASSERT(!c.user && !c.finished);
	counters_close(&c);
}

/* Once, and not before the last notice was taken. */
static void test_counters_tell_that_they_share(void)
{
	char text[256], notice[256] = "another";
	struct counters c = {0};

	CU_ASSERT_EQUAL_FATAL(counters_open(&c, METRIC_TASK_CLOCK, false, text, sizeof(text)), 0);
	counters_finish(&c);
	c.running = 0.25;
	counters_look(&c, -1, -1, notice, sizeof(notice));
	CU_ASSERT_STRING_EQUAL(notice, "another");
	*notice = 0;
	counters_look(&c, -1, -1, notice, sizeof(notice));
	CU_ASSERT_STRING_EQUAL(notice, "others use the hardware counters too, and ours is off the "
				       "PMU for a part of the time: costs are parts only");
	*notice = 0;
	counters_look(&c, -1, -1, notice, sizeof(notice));
	CU_ASSERT_STRING_EQUAL(notice, "");
	counters_close(&c);
}

/* The words are of the error, and nothing is left open. */
static void test_counters_of_kernel_mode(void)
{
	static const char kernel[] = "--kernel: no counter of kernel mode: ";
	struct counters c = {0};
	char text[256] = "";
	int err = counters_open(&c, METRIC_TASK_CLOCK, true, text, sizeof(text));

	CU_ASSERT_EQUAL(err, -EINVAL);
	CU_ASSERT(!strncmp(text, kernel, strlen(kernel)));
	CU_ASSERT_STRING_EQUAL(text + strlen(kernel),
			       "task-clock has the kernel's time in it already");
	CU_ASSERT(!c.user && !c.kernel);
	/* The clock was not asked for: what is told is what there is no counter for. */
	err = counters_open(&c, 0, true, text, sizeof(text));
	if (err) {
		CU_ASSERT(!strncmp(text, kernel, strlen(kernel)));
		CU_ASSERT_PTR_NULL(strstr(text, "task-clock"));
		CU_ASSERT_PTR_NULL(c.user);
	} else {
		CU_ASSERT(c.user && c.kernel && counter_metric(c.user) != METRIC_TASK_CLOCK);
	}
	counters_close(&c);
}

int suite_counter(void)
{
	CU_TestInfo tests[] = {
		{ "lists of CPUs", test_cpu_lists },
		{ "Intel's hybrids", test_intel_hybrid },
		{ "big and little", test_big_little },
		{ "CPUs that are alike", test_alike },
		{ "odd kinds", test_odd_kinds },
		{ "doctor explains kinds", test_doctor_explains_kinds },
		{ "judgement of events", test_judgement },
		{ "share of the time", test_share_is_of_the_time_between },
		{ "share in words", test_share_in_words },
		{ "reasons: the machine", test_reasons_of_machines },
		{ "reasons: rights", test_reasons_of_rights },
		{ "reasons: filters", test_reasons_of_filters },
		{ "the seccomp line", test_seccomp_line },
		{ "a task's counter", test_task_counter },
		{ "the clock's counters", test_counters_of_the_clock },
		{ "counters that share the PMU", test_counters_tell_that_they_share },
		{ "counters of kernel mode", test_counters_of_kernel_mode },
		CU_TEST_INFO_NULL,
	};

	return suite_register("counter", tests);
}

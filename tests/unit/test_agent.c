/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/suites.h"
#include "userspace/agent/agent_config.h"
#include "userspace/agent/board.h"
#include "userspace/agent/bolt.h"
#include "userspace/agent/budget.h"
#include "userspace/agent/labels.h"
#include "userspace/agent/sender.h"
#include "userspace/agent/turns.h"
#include "userspace/agent/usage.h"
#include "userspace/clock.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- the configuration ---- */

static int read_text(struct agent_config *c, const char *text, char why[512])
{
	CU_ASSERT_FATAL(!agent_config_init(c));
	*why = 0;
	return agent_config_text(c, "a.yaml", text, strlen(text), why, 512);
}

static void test_config(void)
{
	static const char text[] =
		"collector: http://10.0.0.1:7680/\n"
		"host: web-1\n"
		"spool: { directory: /tmp/s, limit: 64MiB, memory: 500 kB }\n"
		"tags: { cluster: blue }\n"
		"rules:\n"
		"- match: celery\n"
		"  ignore: true\n"
		"- match: gunicorn.*-n ([a-z]+)\n"
		"  service: \\1\n"
		"  version: { env: GIT_COMMIT }\n"
		"  tags: { team: { label: team }, owner: { from: user } }\n"
		"sampling: { rate: 49, metric: task-clock, renew: 20m }\n"
		"exact: { share: 5%, window: 5m, one-in: 1000, endpoint: 'GET /shop/*' }\n"
		"budget: { host: 1.5%, targets: 0.005 }\n"
		"limits: { targets: 30 }\n";
	struct agent_config c;
	char why[512];

	CU_ASSERT_EQUAL(read_text(&c, text, why), 0);
	CU_ASSERT_STRING_EQUAL(why, "");
	CU_ASSERT(!agent_config_finish(&c, why, sizeof(why)));
	CU_ASSERT_STRING_EQUAL(c.collector, "http://10.0.0.1:7680");
	CU_ASSERT(c.spool_limit == 64 << 20 && c.spool_memory == 500000);
	CU_ASSERT(c.rule_count == 2 && c.rules[0].ignore && c.rules[1].tag_count == 2);
	CU_ASSERT(c.rules[1].tags[0].value.source == VALUE_LABEL);
	CU_ASSERT(c.rate == 49 && c.metric == METRIC_TASK_CLOCK && c.renew_s == 1200);
	CU_ASSERT(c.exact_share == 0.05 && c.exact_window_s == 300 && c.exact_one_in == 1000);
	CU_ASSERT(c.budget_host == 0.015 && c.budget_targets == 0.005 && c.max_targets == 30);
	CU_ASSERT_STRING_EQUAL(c.common[0].value.text, "blue");
	agent_config_clear(&c);
}

static void test_config_errors(void)
{
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{"rules:\n- service: a\n", "a.yaml:2: a rule must ask for something"},
		{"rules:\n- match: '('\n", "a.yaml:2: '(' is no regular expression"},
		{"collector: x\nspol: 1\n", "a.yaml:2: 'spol' is none of collector"},
		{"spool:\n  limit: much\n", "a.yaml:2: 'much' is no size"},
		{"exact: { share: 200% }\n", "a.yaml:1: '200%' is no share"},
		{"sampling:\n  renew: soon\n", "a.yaml:2: 'soon' is no time"},
		{"sampling:\n  metric: watts\n", "a.yaml:2: 'watts' is none of instructions"},
		{"tags:\n  endpoint: x\n", "a.yaml:2: the tag 'endpoint' is pycost's own"},
		{"tags:\n  a b: x\n", "a.yaml:2: 'a b' is no key"},
		{"rules:\n- match: a\n  service: { from: moon }\n", "a.yaml:3: 'moon' is none of unit"},
		{"rules:\n- match: a\n  service: { env: A, label: B }\n", "a.yaml:3: a value is from one"},
		{"rules:\n- match: a\n  ignore: perhaps\n", "a.yaml:3: 'ignore' must be"},
		{"rules:\n- unit: 'x[z-a]'\n", "a.yaml:2: 'x[z-a]': a range in []"},
		{"rules: [ {match: a\n", "a.yaml:"},
		{"requests: /nonexistent.yaml\n", "a.yaml:1: cannot read /nonexistent.yaml"},
	};
	struct agent_config c;
	char why[512];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		CU_ASSERT(read_text(&c, wrong[i].text, why) < 0);
		if (strncmp(why, wrong[i].why, strlen(wrong[i].why)))
			printf("\n%s", why);
		CU_ASSERT(!strncmp(why, wrong[i].why, strlen(wrong[i].why)));
		agent_config_clear(&c);
	}
}

static void test_config_whole(void)
{
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{"rules: [{match: a}]", "nowhere to send to"},
		{"collector: ftp://a\nrules: [{match: a}]", "'ftp://a' is no collector"},
		{"collector: http://a\n", "nothing to measure"},
		{"collector: http://a\nrules: [{match: a}]\nlisten: web1:1", "'web1:1' is no address"},
		{"collector: http://a\nrules: [{match: a}]\nlisten: 127.0.0.1", "'127.0.0.1' is no address"},
		{"collector: http://a\nrules: [{match: a}]\ntoken-file: /nowhere", "cannot read /nowhere"},
		{"collector: http://a\nrules: [{match: a}]\ntls: {ca: /dev/null}", "certificates are of no use"},
	};
	struct agent_config c;
	char why[512];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		CU_ASSERT(!read_text(&c, wrong[i].text, why));
		CU_ASSERT(agent_config_finish(&c, why, sizeof(why)) == -EINVAL);
		if (strncmp(why, wrong[i].why, strlen(wrong[i].why)))
			printf("\n%s", why);
		CU_ASSERT(!strncmp(why, wrong[i].why, strlen(wrong[i].why)));
		agent_config_clear(&c);
	}
}

/* ---- rules ---- */

static struct process_facts facts(const char *command, const char *cgroup)
{
	struct process_facts f = {.root = "", .has_environment = true};

	snprintf(f.command, sizeof(f.command), "%s", command);
	strcpy(f.user, "www-data");
	process_facts_cgroup(&f, cgroup);
	return f;
}

static const char *tag(const struct tag_list *l, const char *key)
{
	const char *value = tag_list_get(l, key);

	return value ? value : "";
}

static void test_rules(void)
{
	static const char text[] = "rules:\n"
				   "- { match: '^gunicorn: ', unit: 'other*', service: other }\n"
				   "- { match: 'nightly', ignore: true }\n"
				   "- { match: 'gunicorn.* ([a-z]+)[.]wsgi(-[0-9]+)?', service: \\1,"
				   "    tags: { by: { from: user }, n: 'no\\2' , unit: { from: unit } } }\n"
				   "- { user: www-*, cgroup: '*kubepods*' }\n"
				   "- { unit: 'mail*' }\n";
	struct process_facts f;
	struct agent_config c;
	struct tag_list tags;
	char why[512];

	CU_ASSERT_FATAL(!read_text(&c, text, why));
	f = facts("gunicorn -w 2 shop.wsgi", "0::/system.slice/shop.service\n");
	CU_ASSERT(rules_apply(c.rules, c.rule_count, &f, &tags) == &c.rules[2]);
	CU_ASSERT_STRING_EQUAL(tag(&tags, "service"), "shop");
	CU_ASSERT_STRING_EQUAL(tag(&tags, "by"), "www-data");
	CU_ASSERT_STRING_EQUAL(tag(&tags, "unit"), "shop.service");
	CU_ASSERT_PTR_NULL(tag_list_get(&tags, "n")); /* the group found nothing */
	f = facts("gunicorn nightly shop.wsgi", "0::/\n");
	CU_ASSERT_PTR_NULL(rules_apply(c.rules, c.rule_count, &f, &tags));
	f = facts("python x", "0::/kubepods.slice/kubepods-pod1e0e97b1_7a0c_4b0a_8f3a_111111111111.slice/"
			      "cri-containerd-" ID ".scope\n");
	CU_ASSERT_STRING_EQUAL(f.group.container, ID);
	CU_ASSERT_STRING_EQUAL(process_facts_named(&f, "container"), "0123456789ab");
	CU_ASSERT_STRING_EQUAL(process_facts_named(&f, "pod"), "1e0e97b1-7a0c-4b0a-8f3a-111111111111");
	CU_ASSERT(rules_apply(c.rules, c.rule_count, &f, &tags) == &c.rules[3]);
	CU_ASSERT_STRING_EQUAL(tag(&tags, "service"), "python"); /* its program */
	f = facts("/usr/bin/python3 -m mail", "1:name=systemd:/system.slice/mail-in.service\n");
	CU_ASSERT(rules_apply(c.rules, c.rule_count, &f, &tags) == &c.rules[4]);
	CU_ASSERT_STRING_EQUAL(tag(&tags, "service"), "mail-in");
	f = facts("bash", "0::/user.slice/user-1.slice/user@1.service/app.slice\n");
	CU_ASSERT_STRING_EQUAL(f.unit, "");
	CU_ASSERT_PTR_NULL(rules_apply(c.rules, c.rule_count, &f, &tags));
	agent_config_clear(&c);
}

/* Of a process that is there: ourselves. */
static void test_facts_read(void)
{
	struct process_facts f;

	CU_ASSERT_FATAL(!process_facts_read(getpid(), "", &f));
	CU_ASSERT_PTR_NOT_NULL(strstr(f.command, "unit"));
	CU_ASSERT(*f.user);
	CU_ASSERT_PTR_NULL(process_facts_environment(&f, "PYCOST_THERE_IS_NONE"));
	if (getenv("PATH"))
		CU_ASSERT(!strcmp(process_facts_environment(&f, "PATH"), getenv("PATH")));
	process_facts_clear(&f);
	CU_ASSERT_EQUAL(process_facts_read(2147483646, "", &f), -ESRCH);
}

/* ---- labels ---- */

static void file_put(const char *root, const char *directory, const char *name, const char *text)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "mkdir -p %s%s", root, directory);
	CU_ASSERT_FATAL(!system(path));
	snprintf(path, sizeof(path), "%s%s/%s", root, directory, name);
	f = fopen(path, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static void forget(const char *root)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/var %s/run", root, root);
	CU_ASSERT(!system(command));
}

static void podman_put(const char *root)
{
	char path[256];
	sqlite3 *db = NULL;

	file_put(root, "/var/lib/containers/storage", "db.sql", "");
	snprintf(path, sizeof(path), "%s/var/lib/containers/storage/db.sql", root);
	CU_ASSERT_FATAL(!sqlite3_open(path, &db));
	CU_ASSERT(!sqlite3_exec(db,
				"CREATE TABLE ContainerConfig(ID TEXT PRIMARY KEY, Name TEXT, PodID TEXT,"
				" JSON TEXT); INSERT INTO ContainerConfig VALUES('" ID "', 'pod-shop', NULL,"
				" '{\"labels\": {\"team\": \"c\"}, \"name\": \"pod-shop\","
				" \"rootfsImageName\": \"i:3\"}')",
				NULL, NULL, NULL));
	sqlite3_close(db);
}

#define BOLT_ID "4e23bcf1ca7822b1ff17f026c8a0f37a5fdaa75661378b3d94403d5c0bc3d37a"

/* A file of Podman 4.3's, where Debian 12's has it. */
static void old_podman_put(const char *root)
{
	char command[512];

	snprintf(command, sizeof(command), "mkdir -p %s/var/lib/containers/storage/libpod && "
		 "cp tests/fuzz/fuzz_bolt.corpus/podman-4.3 %s/var/lib/containers/storage/libpod/bolt_state.db",
		 root, root);
	CU_ASSERT_FATAL(!system(command));
}

static void test_old_podman(void)
{
	char root[] = "/tmp/pycost-labels-XXXXXX";
	const char *const names[] = {"ctr", BOLT_ID, "config"}, *const none[] = {"ctr", "4f", "config"};
	unsigned char data[65536];
	struct labels l;
	const void *found;
	size_t size;
	FILE *f = fopen("tests/fuzz/fuzz_bolt.corpus/podman-4.3", "re");

	CU_ASSERT_FATAL(f && fread(data, 1, sizeof(data), f) == sizeof(data));
	fclose(f);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
	old_podman_put(root);
	CU_ASSERT(!labels_read(root, BOLT_ID, &l));
	CU_ASSERT_STRING_EQUAL(labels_get(&l, "team"), "a");
	CU_ASSERT_STRING_EQUAL(labels_get(&l, "app"), "shop");
	CU_ASSERT_STRING_EQUAL(labels_get(&l, "container.name"), "shop");
	labels_clear(&l);
	CU_ASSERT_EQUAL(labels_read(root, ID, &l), -ENOENT);
	forget(root);
	rmdir(root);
	CU_ASSERT(!bolt_get(data, sizeof(data), names, 2, &found, &size) && size > 1000);
	CU_ASSERT_EQUAL(bolt_get(data, sizeof(data), none, 2, &found, &size), -ENOENT);
	CU_ASSERT_EQUAL(bolt_get(data, sizeof(data), names, 1, &found, &size), -EBADMSG);
	CU_ASSERT_EQUAL(bolt_get(data, 8192, names, 2, &found, &size), -EBADMSG);
	data[16 + 56]++; /* the other head holds, of before the last change */
	CU_ASSERT(!bolt_get(data, sizeof(data), names, 2, &found, &size));
	data[4096 + 16 + 56]++;
	CU_ASSERT_EQUAL(bolt_get(data, sizeof(data), names, 2, &found, &size), -EBADMSG);
}

static void labels_are(const char *root, const char *name, const char *team, const char *image)
{
	struct labels l;

	CU_ASSERT(!labels_read(root, ID, &l));
	CU_ASSERT(labels_get(&l, "team") && !strcmp(labels_get(&l, "team"), team));
	CU_ASSERT(labels_get(&l, "container.name") && !strcmp(labels_get(&l, "container.name"), name));
	CU_ASSERT(labels_get(&l, "container.image") && !strcmp(labels_get(&l, "container.image"), image));
	labels_clear(&l);
	forget(root);
}

static void test_labels(void)
{
	char root[] = "/tmp/pycost-labels-XXXXXX";
	struct labels l;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
	CU_ASSERT_EQUAL(labels_read(root, ID, &l), -ENOENT);
	file_put(root, "/var/lib/docker/containers/" ID, "config.v2.json",
		 "{\"Name\": \"/shop\", \"Config\": {\"Image\": \"i:1\", \"Labels\": {\"team\": \"a\"}}}");
	labels_are(root, "shop", "a", "i:1");
	file_put(root, "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID, "config.json",
		 "{\"annotations\": {\"team\": \"b\", \"io.kubernetes.cri.container-name\": \"web\","
		 " \"io.kubernetes.cri.image-name\": \"i:2\"}}");
	labels_are(root, "web", "b", "i:2");
	podman_put(root);
	labels_are(root, "pod-shop", "c", "i:3");
	file_put(root, "/run/containers/storage/overlay-containers/" ID "/userdata", "config.json",
		 "{\"annotations\": {\"team\": \"d\", \"io.kubernetes.container.name\": \"w\","
		 " \"io.kubernetes.cri-o.ImageName\": \"i:4\"}}");
	labels_are(root, "w", "d", "i:4");
	file_put(root, "/var/lib/docker/containers/" ID, "config.v2.json", "{\"Name\": [1, {");
	CU_ASSERT_EQUAL(labels_read(root, ID, &l), -ENOENT);
	forget(root);
	rmdir(root);
}

/* ---- turns ---- */

static void test_turns(void)
{
	unsigned turns[50] = {0}, all = 0, same = 0;
	char host[32];

	for (unsigned h = 0; h < 50; h++) {
		snprintf(host, sizeof(host), "web-%u", h);
		for (unsigned w = 0; w < 2000; w++) {
			bool is = turn_is_exact(host, w * 300ull + 17, 300, 0.1);

			turns[h] += is;
			all += is;
			same += is != turn_is_exact(host, w * 300ull + 299, 300, 0.1);
		}
	}
	CU_ASSERT_EQUAL(same, 0);
	CU_ASSERT(all > 9500 && all < 10500); /* 10,000, of a deviation of 95 */
	for (unsigned h = 0; h < 50; h++)
		CU_ASSERT(turns[h] > 140 && turns[h] < 260);
	CU_ASSERT(!turn_is_exact("web", 1, 300, 0) && turn_is_exact("web", 1, 300, 1));
	CU_ASSERT_EQUAL(turn_end(600, 300), 900);
	CU_ASSERT_EQUAL(turn_end(899, 300), 900);
}

/* ---- budget ---- */

static void test_budget(void)
{
	struct budget_limits limits = {.host = 0.01, .targets = 0.02};
	struct budget b;
	int up = 0;

	budget_init(&b);
	CU_ASSERT_EQUAL(budget_look(&b, &limits, 0.009, 0.019), 0);
	CU_ASSERT_EQUAL(budget_look(&b, &limits, 0.011, 0), -1);
	CU_ASSERT(b.level == 1 && !budget_plan(1)->exact);
	CU_ASSERT_EQUAL(budget_look(&b, &limits, 0.02, 0), 0); /* it settles */
	CU_ASSERT_EQUAL(budget_look(&b, &limits, 0, 0.03), -1);
	CU_ASSERT(b.level == 2 && budget_plan(2)->rate == 4 && b.exceeded == 3);
	for (int i = 0; i < 29; i++)
		up += budget_look(&b, &limits, 0.001, 0.001);
	CU_ASSERT_EQUAL(up, 0);
	CU_ASSERT_EQUAL(budget_look(&b, &limits, 0.001, 0.001), 1);
	/* In vain: the next time it takes twice as long. */
	CU_ASSERT_EQUAL(budget_look(&b, &limits, 0.02, 0), 0);
	CU_ASSERT_EQUAL(budget_look(&b, &limits, 0.02, 0), -1);
	for (int i = 0; i < 59; i++)
		up += budget_look(&b, &limits, 0.001, 0.001);
	CU_ASSERT_EQUAL(up, 0);
	CU_ASSERT_EQUAL(budget_look(&b, &limits, 0.001, 0.001), 1);
	/* What is within the limits but leaves no room keeps its level. */
	for (int i = 0; i < 1000; i++)
		up += budget_look(&b, &limits, 0.006, 0.001);
	CU_ASSERT_EQUAL(up, 0);
	for (int i = 0; i < 100; i++)
		budget_look(&b, &limits, 1, 1);
	CU_ASSERT(b.level == BUDGET_LEVELS - 1 && budget_plan(b.level)->nothing);
}

/* ---- what measuring takes ---- */

#define S 1000000000ull
#define BURNT_NS (S / 20)

static void *burn(void *arg)
{
	uint64_t from = clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID);

	while (clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID) - from < BURNT_NS)
		;
	return NULL;
}

static uint64_t no_targets(void *arg)
{
	return 0;
}

/* A window of ten seconds, by a clock of the test's own, from *now on. */
static double own_share(struct usage *u, uint64_t *now)
{
	struct usage_shares shares;

	CU_ASSERT(!usage_look(u, *now + 8 * S, no_targets, NULL, &shares));
	*now += 10 * S;
	CU_ASSERT_FATAL(usage_look(u, *now, no_targets, NULL, &shares));
	return shares.own;
}

static void test_usage(void)
{
	const double whole = BURNT_NS / (10.0 * S);
	struct usage_shares shares;
	uint64_t now = S;
	pthread_t beside;
	struct usage u;

	usage_init(&u);
	CU_ASSERT(!usage_look(&u, now, no_targets, NULL, &shares));
	burn(NULL);
	CU_ASSERT(own_share(&u, &now) > 0.9 * whole);
	usage_once_begin(&u);
	burn(NULL);
	usage_once_end(&u);
	CU_ASSERT(own_share(&u, &now) < 0.5 * whole);
	/* Of what goes on in two threads, that of the other one. */
	usage_beside_begin(&u);
	CU_ASSERT_FATAL(!pthread_create(&beside, NULL, burn, NULL));
	burn(NULL);
	pthread_join(beside, NULL);
	CU_ASSERT(own_share(&u, &now) < 1.5 * whole);
	usage_beside_end(&u);
	CU_ASSERT(u.once > 1.5 * BURNT_NS && u.once < 3 * BURNT_NS);
	/* An opening begins a window, all of which is ours to spend; the next is as any other. */
	now += 5 * S;
	usage_opened(&u, false);
	CU_ASSERT(!usage_look(&u, now, no_targets, NULL, &shares));
	burn(NULL);
	CU_ASSERT(own_share(&u, &now) < 0.5 * whole);
	burn(NULL);
	CU_ASSERT(own_share(&u, &now) > 0.9 * whole);
	usage_clear(&u);
}

/* ---- metrics ---- */

static void test_metrics(void)
{
	struct board_numbers n = {.requests = 12345678901234ull, .level = 2};
	struct sender_status sender = {.attempts = 7};
	struct spool_status spool = {.dropped = 3};
	size_t size = 0;
	char *text;

	n.losses[LOSS_NODES] = 5;
	text = board_metrics(&n, &spool, &sender, &size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "pycost_agent_requests_total 12345678901234\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "pycost_agent_spool_dropped_total 3\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "pycost_agent_losses_total{kind=\"nodes\"} 5\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "pycost_agent_budget_level 2\n"));
	CU_ASSERT(size > 6 && !strcmp(text + size - 6, "# EOF\n"));
	free(text);
}

int suite_agent(void)
{
	CU_TestInfo tests[] = {
		{ "configuration", test_config },
		{ "its errors, by line", test_config_errors },
		{ "what does not go together", test_config_whole },
		{ "rules", test_rules },
		{ "what is known of a process", test_facts_read },
		{ "labels of containers", test_labels },
		{ "labels of containers of Podman before 5", test_old_podman },
		{ "turns", test_turns },
		{ "budget", test_budget },
		{ "what measuring takes", test_usage },
		{ "metrics", test_metrics },
		CU_TEST_INFO_NULL,
	};

	return suite_register("agent", tests);
}

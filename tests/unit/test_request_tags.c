/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tags: of sets, of fields and marks, of clients, of processes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/suites.h"
#include "userspace/client.h"
#include "userspace/field_tags.h"
#include "userspace/process_tags.h"
#include "userspace/profile.h"

static struct tag_list list;

static bool has(const char *key, const char *value)
{
	const char *is = tag_list_get(&list, key);

	if (!is || strcmp(is, value))
		fprintf(stderr, "%s: %s, not %s\n", key, is ? is : "(none)", value);
	return is && !strcmp(is, value);
}

static void set(const char *key, const char *value)
{
	CU_ASSERT(tag_list_set(&list, key, strlen(key), value, strlen(value)));
}

static void test_lists(void)
{
	char key[8];

	list.count = 0;
	set("b", "1");
	set("a", "2");
	set("c", "3");
	set("b", "4");
	CU_ASSERT(list.count == 3 && has("a", "2") && has("b", "4") && has("c", "3"));
	CU_ASSERT_STRING_EQUAL(list.tags[0].key, "a");
	CU_ASSERT_STRING_EQUAL(list.tags[2].key, "c");
	CU_ASSERT(!tag_list_set(&list, "", 0, "x", 1) && list.count == 3);
	CU_ASSERT(tag_list_set(&list, "esc\033", 4, "a\nb\0c", 5) && has("esc?", "a?b"));
	list.count = 0;
	for (int i = 0; i < TAGS_MAX; i++) {
		snprintf(key, sizeof(key), "%d", i);
		set(key, "x");
	}
	CU_ASSERT(!tag_list_set(&list, "y", 1, "x", 1) && list.count == TAGS_MAX);
	CU_ASSERT(tag_list_set(&list, "7", 1, "y", 1) && has("7", "y"));
}

static void test_sets(void)
{
	struct sink_meta meta = { .metric = METRIC_CYCLES, .requests = true };
	struct tag_sets *sets;
	struct profile *p;
	uint32_t a, b, again, none;

	CU_ASSERT_FATAL(!profile_create(&p) && !p->sink.meta(&p->sink, &meta));
	CU_ASSERT_FATAL(!tag_sets_new(&p->sink, 2, &sets));
	list.count = 0;
	CU_ASSERT(!tag_sets_id(sets, &list, &none) && none == 0);
	set("x", "1");
	CU_ASSERT(!tag_sets_id(sets, &list, &a) && a == 1);
	set("y", "");
	CU_ASSERT(!tag_sets_id(sets, &list, &b) && b == 2);
	CU_ASSERT(!tag_sets_id(sets, &list, &again) && again == b);
	set("z", "3");
	CU_ASSERT(tag_sets_id(sets, &list, &again) == -ENOSPC && again == 0);
	CU_ASSERT(p->requests.tag_count == 3 && p->requests.tags[2].count == 2);
	CU_ASSERT_STRING_EQUAL(profile_tag(p, 1, "x"), "1");
	tag_sets_free(sets);
	profile_free(p);
}

static void test_fields(void)
{
	static char values[WIRE_FIELDS][WIRE_FIELD_MAX];
	uint16_t lengths[WIRE_FIELDS];
	struct request_config c;
	char err[256];

	request_config_init(&c);
	CU_ASSERT(!request_config_field(&c, "header:X-Platform=platform,split", err, sizeof(err)));
	CU_ASSERT(!request_config_field(&c, "cookie:sid", err, sizeof(err)));
	CU_ASSERT(!request_config_field(&c, "arg:uid=user,user", err, sizeof(err)));
	CU_ASSERT(!request_config_field(&c, "header:User-Agent,client", err, sizeof(err)));
	CU_ASSERT(!request_config_field(&c, "arg:page", err, sizeof(err)));
	CU_ASSERT_FATAL(!request_config_finish(&c, err, sizeof(err)));
	memset(lengths, 0xff, sizeof(lengths));
	strcpy(values[0], "ios"); lengths[0] = 3;
	strcpy(values[1], "s3cr3t"); lengths[1] = 6;
	strcpy(values[2], "alice"); lengths[2] = 5;
	strcpy(values[3], "curl/7.88.1"); lengths[3] = 11;
	list.count = 0;
	field_tags(&c, lengths, values, false, &list);
	CU_ASSERT(list.count == 5 && has("platform", "ios") && has("client.version", "curl 7.88"));
	CU_ASSERT(!tag_list_get(&list, "page"));
	CU_ASSERT(strlen(tag_list_get(&list, "user")) == 16);
	CU_ASSERT(strlen(tag_list_get(&list, "sid")) == 16);
	/* Neither a user nor a cookie is anywhere in it. */
	CU_ASSERT_PTR_NULL(memmem(&list, sizeof(list), "alice", 5));
	CU_ASSERT_PTR_NULL(memmem(&list, sizeof(list), "s3cr3t", 6));
	/* Nobody; and one whose name was cut. */
	list.count = 0;
	lengths[2] = 0;
	memset(values[1], 'x', WIRE_FIELD_MAX);
	lengths[1] = WIRE_FIELD_MAX;
	field_tags(&c, lengths, values, false, &list);
	CU_ASSERT(!tag_list_get(&list, "user") && strlen(tag_list_get(&list, "sid")) == 17);
	CU_ASSERT(tag_list_get(&list, "sid")[16] == '+');
	tags_without_users(&c, &list);
	CU_ASSERT(list.count == 3 && !tag_list_get(&list, "user") && has("platform", "ios"));
	list.count = 0;
	field_tags(&c, lengths, values, true, &list);
	CU_ASSERT(list.count == 1 && has("platform", "ios"));
	request_config_clear(&c);
}

static void test_marks(void)
{
	static const char marks[] = "arm\0B\0flag.new\0on\0user\0alice\0user_hash\0abcd\0empty\0\0cut\0va";
	struct request_config c;
	char err[256];

	request_config_init(&c);
	CU_ASSERT_FATAL(!request_config_finish(&c, err, sizeof(err)));
	list.count = 0;
	/* Without the NUL that the compiler puts behind it. */
	mark_tags(&c, marks, sizeof(marks) - 1, &list);
	CU_ASSERT(list.count == 5 && has("arm", "B") && has("flag.new", "on") && has("empty", ""));
	CU_ASSERT(has("user_hash", "abcd") && strlen(tag_list_get(&list, "user")) == 16);
	CU_ASSERT_PTR_NULL(memmem(&list, sizeof(list), "alice", 5));
	list.count = 0;
	for (size_t cut = 0; cut < sizeof(marks); cut++)
		mark_tags(&c, marks, cut, &list);
	mark_tags(&c, "\0\0\0\0", 4, &list);
	CU_ASSERT(list.count <= 6 && !tag_list_get(&list, ""));
	request_config_clear(&c);
}

static void test_clients(void)
{
	static const struct {
		const char *agent, *platform, *version;
	} cases[] = {
		{ "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
		  "Chrome/120.0.0.0 Safari/537.36", "windows", "chrome 120" },
		{ "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
		  "Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91", "windows", "edge 120" },
		{ "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
		  "like Gecko) Version/17.1 Mobile/15E148 Safari/604.1", "ios", "safari 17" },
		{ "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:121.0) Gecko/20100101 Firefox/121.0",
		  "macos", "firefox 121" },
		{ "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
		  "Chrome/119.0.6045.66 Mobile Safari/537.36", "android", "chrome 119" },
		{ "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0", "linux",
		  "firefox 115" },
		{ "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot", "other" },
		{ "curl/7.88.1", "other", "curl 7.88" },
		{ "python-requests/2.31.0", "other", "python-requests 2.31" },
		{ "Shop/5.12.3 (iPhone; iOS 17.1; Scale/3.00)", "ios", "Shop 5.12" },
		{ "Shop 123.0.0.21.114 Android (34/14; 480dpi)", "android", "Shop 123.0" },
		{ "Wget", "other", "Wget" },
		{ "x/12345678901234567890", "other", "x 12345678" },
		{ "", "other", "other" },
		{ "\x01\x02", "other", "other" },
	};
	struct client c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		client_parse(cases[i].agent, strlen(cases[i].agent), &c);
		if (strcmp(c.platform, cases[i].platform) || strcmp(c.version, cases[i].version))
			fprintf(stderr, "%s: %s, %s\n", cases[i].agent, c.platform, c.version);
		CU_ASSERT_STRING_EQUAL(c.platform, cases[i].platform);
		CU_ASSERT_STRING_EQUAL(c.version, cases[i].version);
	}
}

static void test_environment(void)
{
	static const char environment[] = "PATH=/bin\0GIT_COMMIT=abc=1\0SECRET=hush\0XGIT_COMMIT=no\0EMPTY=";
	struct request_config c;
	char err[256];

	request_config_init(&c);
	CU_ASSERT(!request_config_tag(&c, "commit=env:GIT_COMMIT", err, sizeof(err)));
	CU_ASSERT(!request_config_tag(&c, "empty=env:EMPTY", err, sizeof(err)));
	CU_ASSERT(!request_config_tag(&c, "gone=env:GONE", err, sizeof(err)));
	CU_ASSERT(!request_config_tag(&c, "service=SECRET", err, sizeof(err)));
	list.count = 0;
	environment_tags(&c, environment, sizeof(environment), &list);
	CU_ASSERT(list.count == 2 && has("commit", "abc=1") && has("empty", ""));
	list.count = 0;
	environment_tags(&c, environment, sizeof(environment) - 1, &list); /* cut in the last */
	CU_ASSERT(list.count == 1);
	request_config_clear(&c);
}

static void cgroup(const char *text)
{
	list.count = 0;
	cgroup_tags(text, &list);
}

static void test_cgroups(void)
{
	cgroup("0::/system.slice/shop.service\n");
	CU_ASSERT(list.count == 1 && has("cgroup", "/system.slice/shop.service"));
	cgroup("0::/\n");
	CU_ASSERT(list.count == 0);
	cgroup("12:cpu:/a\n5:memory:/docker/"
	       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n");
	CU_ASSERT(has("container", "0123456789ab"));
	cgroup("0::/kubepods.slice/kubepods-burstable.slice/"
	       "kubepods-burstable-pod01234567_89ab_cdef_0123_456789abcdef.slice/cri-containerd-"
	       "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210.scope\n");
	CU_ASSERT(has("pod", "01234567-89ab-cdef-0123-456789abcdef") && has("container", "fedcba987654"));
	cgroup("0::/a/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0\n");
	CU_ASSERT(list.count == 1); /* a digit too many */
	cgroup("0::/\n1:name=systemd:/docker/"
	       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n5:memory:/m\n");
	CU_ASSERT(!strncmp(tag_list_get(&list, "cgroup"), "/docker/0123", 12));
	CU_ASSERT(has("container", "0123456789ab"));
	cgroup("3:cpu:/c\n5:memory,pids:/m:memory:/x\n4:name=other:/o");
	CU_ASSERT(list.count == 1 && has("cgroup", "/m:memory:/x"));
	cgroup(":\n0:\n0::\n\n::/\n");
	CU_ASSERT(list.count == 0);
	cgroup("0::/podcast/pod/podx\n");
	CU_ASSERT(list.count == 1 && !tag_list_get(&list, "pod"));
	cgroup("");
	CU_ASSERT(list.count == 0);
}

static void test_servers(void)
{
	static const struct {
		const char *line, *server;
		size_t size;
	} cases[] = {
#define LINE(text, server) { text, server, sizeof(text) }
		LINE("/usr/bin/python3\0/usr/bin/gunicorn\0-w\0002\0shop.wsgi", "gunicorn"),
		LINE("gunicorn: worker [shop]", "gunicorn"),
		LINE("python3\0-m\0uvicorn\0app:app", "uvicorn"),
		LINE("python3\0-mwaitress\0app:app", "waitress"),
		LINE("/usr/bin/uwsgi-core\0--http\0:8000", "uwsgi"),
		LINE("(wsgi:shop)\0-k\0start", NULL),
		LINE("/usr/sbin/apache2\0-k\0start", "apache2"),
		LINE("python3\0gunicornish.py", NULL),
		LINE("python3\0script.py", NULL),
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *name = server_name(cases[i].line, cases[i].size);

		CU_ASSERT((name && cases[i].server && !strcmp(name, cases[i].server)) ||
			  name == cases[i].server);
	}
	CU_ASSERT_PTR_NULL(server_name("gunicorn", 8)); /* cut */
	CU_ASSERT_PTR_NULL(server_name("", 0));
}

static void test_process(void)
{
	struct request_config c;

	request_config_init(&c);
	CU_ASSERT(process_tags(&c, getpid(), "3.12.1", &list) && has("python", "3.12.1"));
	CU_ASSERT(!process_tags(&c, 999999999, "", &list) && !list.count);
	request_config_clear(&c);
}

int suite_request_tags(void)
{
	CU_TestInfo tests[] = {
		{ "lists", test_lists },
		{ "sets", test_sets },
		{ "fields", test_fields },
		{ "marks", test_marks },
		{ "clients", test_clients },
		{ "environment", test_environment },
		{ "cgroups", test_cgroups },
		{ "servers", test_servers },
		{ "a process", test_process },
		CU_TEST_INFO_NULL,
	};

	return suite_register("request tags", tests);
}

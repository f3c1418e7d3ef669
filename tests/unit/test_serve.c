/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The collector's parts that need neither network nor store. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/suites.h"
#include "userspace/clock.h"
#include "userspace/collector/access.h"
#include "userspace/collector/asking.h"
#include "userspace/collector/door_text.h"
#include "userspace/collector/exchange.h"
#include "userspace/collector/sender_rate.h"
#include "userspace/collector/serve_config.h"
#include "userspace/fleet/daemon_log.h"

#define MINUTE_NS 60000000000ull

/* ---- who may do what ---- */

static const char grants[] =
	"tokens:\n"
	"- name: shop\n"
	"  token: 0123456789abcdef\n"
	"  services: [shop, shop-*]\n"
	"  may: [push, query]\n"
	"- name: hash\n"
	"  sha256: 88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589\n" /* abcd */
	"  services: '*'\n"
	"  may: query\n"
	"- name: hosts\n"
	"  certificate: '*.shop.example'\n"
	"  services: shop\n"
	"  may: push\n";

static void test_access(void)
{
	const struct grant *g;
	struct access *a;
	char err[256];

	CU_ASSERT_FATAL(sodium_init() >= 0);
	CU_ASSERT_EQUAL_FATAL(access_parse("f", grants, strlen(grants), &a, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL_FATAL(a->count, 3);
	g = access_by_header(a, "Bearer 0123456789abcdef");
	CU_ASSERT_PTR_EQUAL_FATAL(g, &a->grants[0]);
	CU_ASSERT_EQUAL(g->may, MAY_PUSH | MAY_QUERY);
	CU_ASSERT(grant_covers(g, "shop"));
	CU_ASSERT(grant_covers(g, "shop-eu"));
	CU_ASSERT_FALSE(grant_covers(g, "shopping"));
	CU_ASSERT_FALSE(grant_covers(g, "a shop"));
	CU_ASSERT_FALSE(grant_covers(g, ""));
	CU_ASSERT_PTR_EQUAL(access_by_header(a, "bearer  0123456789abcdef"), g);
	CU_ASSERT_PTR_EQUAL(access_by_header(a, "Bearer abcd"), &a->grants[1]);
	CU_ASSERT_PTR_NULL(access_by_header(a, "Bearer 0123456789abcde"));
	CU_ASSERT_PTR_NULL(access_by_header(a, "Bearer 0123456789abcdef0"));
	CU_ASSERT_PTR_NULL(access_by_header(a, "Bearer "));
	CU_ASSERT_PTR_NULL(access_by_header(a, "Basic 0123456789abcdef"));
	CU_ASSERT_PTR_NULL(access_by_header(a, ""));
	CU_ASSERT_PTR_EQUAL(access_by_name(a, "web-1.shop.example"), &a->grants[2]);
	CU_ASSERT_PTR_NULL(access_by_name(a, "web-1.shop.example.evil"));
	CU_ASSERT_PTR_NULL(access_by_name(a, "shop.example"));
	access_put(a);
}

/* A grant of a certificate has no hash: its zeros are nobody's token. */
static void test_zero_hash(void)
{
	static const char text[] = "tokens:\n- {name: a, certificate: x, services: b, may: push}\n";
	struct access *a;
	char err[256];

	CU_ASSERT_EQUAL_FATAL(access_parse("f", text, strlen(text), &a, err, sizeof(err)), 0);
	CU_ASSERT_PTR_NULL(access_by_header(a, "Bearer x"));
	CU_ASSERT_PTR_NULL(access_by_name(a, ""));
	access_put(a);
}

static void refused(const char *text, const char *word)
{
	struct access *a;
	char err[256] = "";

	CU_ASSERT_NOT_EQUAL(access_parse("f", text, strlen(text), &a, err, sizeof(err)), 0);
	if (!strstr(err, word))
		fprintf(stderr, "\n%s: not %s\n", err, word);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, word));
}

static void test_access_errors(void)
{
	refused("", "no token");
	refused("x: 1\n", "f:1: 'x'");
	refused("tokens:\n- name: a b\n", "f:2: a name");
	refused("tokens:\n- name: a\n  token: short\n", "f:3: a token");
	refused("tokens:\n- name: a\n  sha256: 00\n", "f:3: sha256");
	refused("tokens:\n- name: a\n  colour: red\n", "f:3: 'colour'");
	refused("tokens:\n- name: a\n  may: everything\n", "f:3: 'everything'");
	refused("tokens:\n- name: a\n  services: ['x[z-a]']\n", "f:3: 'x[z-a]': a range in []");
	refused("tokens:\n- {name: a, token: 0123456789abcdef, services: x}\n", "'may'");
	refused("tokens:\n- {name: a, token: 0123456789abcdef, may: push}\n", "'services'");
	refused("tokens:\n- {name: a, services: x, may: push}\n", "one of token");
	refused("tokens:\n- [\n", "f:");
}

/* What may be asked is made narrower, or refused. */
static void test_scope(void)
{
	static char *one[] = { "shop-*" }, *two[] = { "shop", "bank" }, *all[] = { "x", "*" };
	struct grant g = { .services = all, .service_count = 2 };
	struct query q = { 0 };
	char err[256];

	CU_ASSERT_EQUAL(asking_scope(&g, &q, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(q.where_count, 0);
	g = (struct grant){ .services = one, .service_count = 1 };
	CU_ASSERT_EQUAL(asking_scope(&g, &q, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL_FATAL(q.where_count, 1);
	CU_ASSERT_STRING_EQUAL(q.where[0].key, "service");
	CU_ASSERT_STRING_EQUAL(q.where[0].glob, "shop-*");
	g = (struct grant){ .services = two, .service_count = 2 };
	CU_ASSERT_EQUAL(asking_scope(&g, &q, err, sizeof(err)), -EACCES);
	strcpy(q.where[0].glob, "bank");
	CU_ASSERT_EQUAL(asking_scope(&g, &q, err, sizeof(err)), 0);
	q.where[0].not = true;
	CU_ASSERT_EQUAL(asking_scope(&g, &q, err, sizeof(err)), -EACCES);
	q.where[0].not = false;
	strcpy(q.where[0].glob, "ban?");
	CU_ASSERT_EQUAL(asking_scope(&g, &q, err, sizeof(err)), -EACCES);
	strcpy(q.where[0].glob, "bank");
	strcpy(q.where[0].key, "endpoint");
	CU_ASSERT_EQUAL(asking_scope(&g, &q, err, sizeof(err)), -EACCES);
	/* Full of conditions: there is no room for another. */
	g = (struct grant){ .services = one, .service_count = 1 };
	q.where_count = QUERY_CONDITIONS_MAX;
	CU_ASSERT_EQUAL(asking_scope(&g, &q, err, sizeof(err)), -EACCES);
}

/* ---- heads ---- */

static void test_heads(void)
{
	uint8_t id[BATCH_ID_SIZE];
	int64_t t;

	CU_ASSERT_EQUAL(door_batch_id("00112233445566778899aAbBcCdDeEfF", id), 0);
	CU_ASSERT_EQUAL(id[1], 0x11);
	CU_ASSERT_EQUAL(id[15], 0xff);
	CU_ASSERT_EQUAL(door_batch_id("00112233445566778899aAbBcCdDeEf", id), -EINVAL);
	CU_ASSERT_EQUAL(door_batch_id("00112233445566778899aAbBcCdDeEfF0", id), -EINVAL);
	CU_ASSERT_EQUAL(door_batch_id("0011223344556677 899aAbBcCdDeEfF", id), -EINVAL);
	CU_ASSERT_EQUAL(door_unix_time("1700000000", &t), 0);
	CU_ASSERT_EQUAL(t, 1700000000);
	CU_ASSERT_EQUAL(door_unix_time("99999999999", &t), 0);
	CU_ASSERT_EQUAL(door_unix_time("999999999999", &t), -EINVAL);
	CU_ASSERT_EQUAL(door_unix_time("0", &t), -EINVAL);
	CU_ASSERT_EQUAL(door_unix_time("-5", &t), -EINVAL);
	CU_ASSERT_EQUAL(door_unix_time(" 5", &t), -EINVAL);
	CU_ASSERT_EQUAL(door_unix_time("", &t), -EINVAL);
	CU_ASSERT(door_host_is_local("127.0.0.1:7680"));
	CU_ASSERT(door_host_is_local("localhost"));
	CU_ASSERT(door_host_is_local("[::1]:7680"));
	CU_ASSERT_FALSE(door_host_is_local("localhost.evil.example"));
	CU_ASSERT_FALSE(door_host_is_local("127.0.0.1.evil.example:1"));
	CU_ASSERT_FALSE(door_host_is_local("[::1"));
	CU_ASSERT_FALSE(door_host_is_local(""));
}

static void test_clocks(void)
{
	int64_t now = 1700000000;

	CU_ASSERT_EQUAL(door_clock_shift(0, now), 0);
	CU_ASSERT_EQUAL(door_clock_shift(now, now), 0);
	CU_ASSERT_EQUAL(door_clock_shift(now - 30, now), 0);
	CU_ASSERT_EQUAL(door_clock_shift(now - 31, now), 60);
	CU_ASSERT_EQUAL(door_clock_shift(now + 31, now), -60);
	CU_ASSERT_EQUAL(door_clock_shift(now - 89, now), 60);
	CU_ASSERT_EQUAL(door_clock_shift(now - 3601, now), 3600);
	CU_ASSERT_EQUAL(door_clock_shift(now + 7200, now), -7200);
}

/* ---- rates ---- */

static void test_rates(void)
{
	struct sender_rates *r = sender_rates_new(6, 1000);
	uint64_t now = 5 * MINUTE_NS;
	unsigned wait = 0, taken = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	while (taken < 1000 && !(wait = sender_rates_take(r, "g", "a", 1, now)))
		taken++;
	CU_ASSERT_EQUAL(taken, 60); /* ten minutes of it */
	CU_ASSERT(wait >= 10 && wait <= 11);
	CU_ASSERT_EQUAL(sender_rates_take(r, "g", "b", 1, now), 0);
	CU_ASSERT_EQUAL(sender_rates_take(r, "h", "a", 1, now), 0);
	now += wait * 1000000000ull;
	CU_ASSERT_EQUAL(sender_rates_take(r, "g", "a", 1, now), 0);
	CU_ASSERT_NOT_EQUAL(sender_rates_take(r, "g", "a", 1, now), 0);
	/* One that is larger than all that it may: once. */
	CU_ASSERT_EQUAL(sender_rates_take(r, "g", "c", 50000, now), 0);
	wait = sender_rates_take(r, "g", "c", 1, now);
	CU_ASSERT(wait > 2300 && wait < 2500); /* 40,000 of 1,000 a minute */
	CU_ASSERT_EQUAL(sender_rates_count(r), 4);
	sender_rates_free(r);
}

/* Many senders: those that were silent longest are forgotten. */
static void test_many_senders(void)
{
	struct sender_rates *r = sender_rates_new(1, 1000);
	char name[32];

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	for (unsigned i = 0; i < SENDERS_MAX + 1000; i++) {
		snprintf(name, sizeof(name), "host-%u", i);
		sender_rates_take(r, "g", name, 1, 1);
	}
	CU_ASSERT_EQUAL(sender_rates_count(r), SENDERS_MAX);
	sender_rates_free(r);
}

/* ---- configuration ---- */

static void test_config(void)
{
	static const char text[] = "listen: '[::]:7681'\nstore: /x\ninsecure: yes\n"
				   "limits:\n  body: 2M\n  request: 5m\ngroup: {ms: 20}\nexpiry: 2d\n";
	struct sockaddr_storage address;
	struct serve_config c;
	char err[256];
	bool local;

	serve_config_init(&c);
	CU_ASSERT_EQUAL_FATAL(serve_config_text(&c, "f", text, strlen(text), err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(c.body, 2 << 20);
	CU_ASSERT_EQUAL(c.request_s, 300);
	CU_ASSERT_EQUAL(c.group_ms, 20);
	CU_ASSERT_EQUAL(c.expiry_s, 2 * 86400);
	CU_ASSERT_EQUAL(serve_config_check(&c, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(serve_config_address(&c, &address, &local, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(address.ss_family, AF_INET6);
	CU_ASSERT_FALSE(local);
	c.insecure = false;
	CU_ASSERT_EQUAL(serve_config_check(&c, err, sizeof(err)), -EINVAL);
	serve_config_free(&c);
}

static void test_addresses(void)
{
	static const struct {
		const char *text;
		int ret;
		bool local;
	} cases[] = {
		{ "127.0.0.1:1", 0, true },   { "127.1.2.3:1", 0, true },  { "localhost:1", 0, true },
		{ "[::1]:1", 0, true },	      { "0.0.0.0:1", 0, false },   { ":1", 0, false },
		{ "[::]:1", 0, false },	      { "10.0.0.1:1", 0, false },  { "127.0.0.1", -EINVAL, false },
		{ "1:65536", -EINVAL, false }, { "x:1", -EINVAL, false },   { "::1:1", -EINVAL, false },
		{ "[::1:1", -EINVAL, false },  { "127.0.0.1:", -EINVAL, false },
		{ "127.0.0.1:1x", -EINVAL, false }, { "[:1", -EINVAL, false }, { "]:1", -EINVAL, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct serve_config c = { .listen = (char *)cases[i].text };
		struct sockaddr_storage address;
		bool local = false;
		char err[256];
		int ret = serve_config_address(&c, &address, &local, err, sizeof(err));

		if (ret != cases[i].ret || (!ret && local != cases[i].local))
			fprintf(stderr, "\n%s: %d\n", cases[i].text, ret);
		CU_ASSERT_EQUAL(ret, cases[i].ret);
		if (!ret)
			CU_ASSERT_EQUAL(local, cases[i].local);
	}
}

/* ---- logs, queues ---- */

static void test_log_values(void)
{
	char buf[LOG_VALUE_SIZE], text[1000];

	CU_ASSERT_STRING_EQUAL(daemon_log_value(buf, "web-1"), "web-1");
	CU_ASSERT_STRING_EQUAL(daemon_log_value(buf, ""), "\"\"");
	CU_ASSERT_STRING_EQUAL(daemon_log_value(buf, "a\nlevel=error"), "\"a\\x0alevel=error\"");
	CU_ASSERT_STRING_EQUAL(daemon_log_value(buf, "a\"b\\"), "\"a\\\"b\\\\\"");
	for (int c = 1; c < 128; c += 14) {
		memset(text, c, sizeof(text) - 1);
		text[sizeof(text) - 1] = 0;
		CU_ASSERT(strlen(daemon_log_value(buf, text)) < sizeof(buf));
	}
}

static void *put_later(void *arg)
{
	static struct exchange e;

	usleep(20000);
	exchange_queue_put(arg, &e);
	return NULL;
}

#define MS 1000000ull

static struct exchange *take(struct exchange_queue *q, uint64_t wait_ns, uint64_t bytes, size_t most)
{
	const struct exchange_grouping g = { .wait_ns = wait_ns, .bytes = bytes, .most = most };

	return exchange_queue_take_group(q, &g);
}

static void test_queue(void)
{
	struct exchange e[4] = { { .reserved = 10 }, { .reserved = 20 }, { .reserved = 30 } };
	struct exchange *chain;
	struct exchange_queue q;
	pthread_t thread;

	exchange_queue_init(&q);
	for (int i = 0; i < 4; i++)
		exchange_queue_put(&q, &e[i]);
	/* By bytes, then by number. */
	chain = take(&q, 1000 * MS, 30, 100);
	CU_ASSERT(chain == &e[0] && chain->next == &e[1] && !chain->next->next);
	chain = take(&q, 1000 * MS, 1000, 1);
	CU_ASSERT(chain == &e[2] && !chain->next);
	/* By time, which another comes within. */
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, put_later, &q), 0);
	chain = take(&q, 300 * MS, 1000, 100);
	CU_ASSERT(chain == &e[3] && chain->next && !chain->next->next);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(q.bytes, 0);
	exchange_queue_close(&q);
	CU_ASSERT_PTR_NULL(take(&q, 1, 1, 1));
	CU_ASSERT_PTR_NULL(exchange_queue_take(&q));
	exchange_queue_free(&q);
}

static struct exchange steady[120];

static void *put_steadily(void *arg)
{
	for (int i = 0; i < 120; i++) {
		exchange_queue_put(arg, &steady[i]);
		usleep(10000);
	}
	return NULL;
}

static size_t length(const struct exchange *chain)
{
	size_t n = 0;

	for (; chain; chain = chain->next)
		n++;
	return n;
}

/* Who comes alone, or with others that wait for the same answer, does not wait for longer. */
static void test_queue_busy(void)
{
	const struct exchange_grouping g = { .wait_ns = 400 * MS, .busy_ns = 60000 * MS, .bytes = 1000,
					     .most = 1000, .busy_count = 100 };
	struct exchange few[10] = { 0 };
	struct exchange_queue q;
	uint64_t began = clock_ns();
	pthread_t thread;

	exchange_queue_init(&q);
	exchange_queue_put(&q, &few[0]);
	CU_ASSERT_EQUAL(length(exchange_queue_take_group(&q, &g)), 1);
	for (int i = 0; i < 10; i++)
		exchange_queue_put(&q, &few[i]);
	CU_ASSERT_EQUAL(length(exchange_queue_take_group(&q, &g)), 10);
	CU_ASSERT(clock_ns() - began < 10000 * MS);
	/* A hundred come in a second or more, which is longer than 400 ms. */
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, put_steadily, &q), 0);
	CU_ASSERT(length(exchange_queue_take_group(&q, &g)) >= 100);
	pthread_join(thread, NULL);
	exchange_queue_free(&q);
}

int suite_serve(void)
{
	static CU_TestInfo tests[] = {
		{ "grants", test_access },
		{ "no hash of zeros", test_zero_hash },
		{ "grants that are wrong", test_access_errors },
		{ "scopes of queries", test_scope },
		{ "heads", test_heads },
		{ "clocks", test_clocks },
		{ "rates", test_rates },
		{ "many senders", test_many_senders },
		{ "configuration", test_config },
		{ "addresses", test_addresses },
		{ "values in logs", test_log_values },
		{ "queues", test_queue },
		{ "queues that are busy", test_queue_busy },
		CU_TEST_INFO_NULL,
	};

	return suite_register("serve", tests);
}

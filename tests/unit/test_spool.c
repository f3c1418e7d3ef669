/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suites.h"
#include "userspace/agent/spool.h"

#define SIZE 1000

static char directory[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static struct spool_options options(void)
{
	return (struct spool_options){.directory = directory, .collector = "http://one", .limit = 1 << 20,
				      .memory_limit = 100000, .max_names = 1000};
}

static struct spool *opened(const struct spool_options *o)
{
	struct spool *s = NULL;
	char why[512] = "";

	if (spool_open(o, &s, why, sizeof(why)))
		printf("%s\n", why);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static void fresh(void)
{
	strcpy(directory, "/tmp/pycost-spool-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
}

static void gone(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The n-th: its bytes and its names tell which it is. */
static int put(struct spool *s, unsigned n)
{
	uint8_t id[BATCH_ID_SIZE] = {n & 255, n >> 8};
	uint64_t names[2] = {1000 + n, 2000 + n};
	char bytes[SIZE];

	memset(bytes, 'a' + n % 26, sizeof(bytes));
	return spool_put(s, id, 60 * n, bytes, sizeof(bytes), names, 2);
}

/* Puts the oldest behind all others, and says which it was; below 0: there is no other. */
static int behind(struct spool *s)
{
	struct spool_batch b;
	int n;

	if (spool_oldest(s, &b))
		return -1;
	n = b.id[0] | b.id[1] << 8;
	free(b.bytes);
	return spool_behind(s, &b) ? n : -n;
}

/* Whose turn it is; -1: nobody's. */
static int take(struct spool *s, enum spool_fate fate)
{
	struct spool_batch b;
	int n;

	if (spool_oldest(s, &b))
		return -1;
	n = b.id[0] | b.id[1] << 8;
	CU_ASSERT(b.size == SIZE && *(char *)b.bytes == 'a' + n % 26 && b.begin_s == 60u * n);
	spool_done(s, &b, fate, "because");
	free(b.bytes);
	return n;
}

static struct spool_status status(struct spool *s)
{
	struct spool_status st;

	spool_status(s, &st);
	return st;
}

static void test_behind(void)
{
	struct spool_options o;
	struct spool *s;

	fresh();
	o = options();
	s = opened(&o);
	for (unsigned n = 1; n <= 3; n++)
		CU_ASSERT_EQUAL(put(s, n), 0);
	CU_ASSERT_EQUAL(behind(s), 1);
	CU_ASSERT_EQUAL(put(s, 4), 0);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 2);
	CU_ASSERT(status(s).batches == 3 && status(s).bytes == 3 * SIZE);
	spool_close(s);
	s = opened(&o);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 3);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 1);
	CU_ASSERT_EQUAL(behind(s), -4);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 4);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), -1);
	spool_close(s);
	gone();
}

static void test_in_order(void)
{
	struct spool_options o = options();
	struct spool *s;

	fresh();
	o = options();
	s = opened(&o);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), -1);
	for (unsigned n = 1; n <= 5; n++)
		CU_ASSERT_EQUAL(put(s, n), 0);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 1);
	spool_close(s);
	s = opened(&o);
	CU_ASSERT(status(s).batches == 4 && status(s).bytes == 4 * SIZE);
	CU_ASSERT_EQUAL(status(s).oldest_begin_s, 120);
	CU_ASSERT_EQUAL(take(s, SPOOL_POISON), 2);
	CU_ASSERT_EQUAL(take(s, SPOOL_EXPIRED), 3);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 4);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 5);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), -1);
	spool_close(s);
	s = opened(&o);
	CU_ASSERT(status(s).put == 5 && status(s).sent == 3 && status(s).poison == 1 &&
		  status(s).expired == 1 && !status(s).batches);
	spool_close(s);
	gone();
}

static void test_names(void)
{
	struct spool_options o;
	struct spool *s;

	fresh();
	o = options();
	s = opened(&o);
	put(s, 7);
	CU_ASSERT(!spool_knows(s, 1007));
	take(s, SPOOL_SENT);
	CU_ASSERT(spool_knows(s, 1007) && spool_knows(s, 2007) && !spool_knows(s, 1008));
	put(s, 8);
	take(s, SPOOL_POISON);
	CU_ASSERT(!spool_knows(s, 1008));
	spool_close(s);
	s = opened(&o);
	CU_ASSERT(spool_knows(s, 1007) && status(s).names == 2);
	CU_ASSERT(!spool_collector(s, "http://other") && !spool_knows(s, 1007));
	CU_ASSERT(!spool_collector(s, "http://one") && spool_knows(s, 1007));
	spool_close(s);
	gone();
}

static void test_names_bounded(void)
{
	struct spool_options o;
	struct spool *s;

	fresh();
	o = options();
	o.max_names = 10;
	s = opened(&o);
	for (unsigned n = 1; n <= 20; n++) {
		put(s, n);
		take(s, SPOOL_SENT);
		CU_ASSERT(status(s).names <= 10 && spool_knows(s, 1000 + n));
	}
	spool_close(s);
	gone();
}

static void test_limit(void)
{
	struct spool_options o;
	struct spool_batch b;
	struct spool *s;

	fresh();
	o = options();
	o.limit = 10 * SIZE;
	s = opened(&o);
	for (unsigned n = 1; n <= 10; n++)
		put(s, n);
	/* That which is being sent stays, whoever has to go. */
	CU_ASSERT_FATAL(!spool_oldest(s, &b));
	for (unsigned n = 11; n <= 13; n++)
		CU_ASSERT_EQUAL(put(s, n), 0);
	CU_ASSERT(status(s).dropped == 3 && status(s).dropped_bytes == 3 * SIZE);
	CU_ASSERT_EQUAL(status(s).batches, 10);
	spool_done(s, &b, SPOOL_SENT, NULL);
	CU_ASSERT_EQUAL(b.id[0], 1);
	free(b.bytes);
	spool_close(s);
	s = opened(&o);
	for (int n = 5; n <= 13; n++)
		CU_ASSERT_EQUAL(take(s, SPOOL_SENT), n);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), -1);
	CU_ASSERT(status(s).put == 13 && status(s).sent == 10 && status(s).dropped == 3);
	spool_close(s);
	gone();
}

/* Files of this process cannot grow: to SQLite a disk that fails. */
static void disk_stop(bool stop)
{
	struct rlimit limit = {stop ? 4096 : RLIM_INFINITY, RLIM_INFINITY};

	signal(SIGXFSZ, stop ? SIG_IGN : SIG_DFL);
	CU_ASSERT_FATAL(!setrlimit(RLIMIT_FSIZE, &limit));
}

static void test_disk_fails(void)
{
	struct spool_options o;
	struct spool *s;

	fresh();
	o = options();
	o.memory_limit = 65536;
	s = opened(&o);
	put(s, 1);
	disk_stop(true);
	CU_ASSERT_EQUAL(put(s, 2), 1);
	CU_ASSERT_EQUAL(put(s, 3), 1);
	CU_ASSERT(status(s).memory_batches == 2 && *status(s).disk_error && status(s).disk_errors);
	/* Sent and not to be noted: not sent again while we live. */
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 1);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 2);
	for (unsigned n = 4; n <= 70; n++)
		CU_ASSERT_EQUAL(put(s, n), 1);
	CU_ASSERT(status(s).dropped == 3 && status(s).memory_bytes <= 65536);
	disk_stop(false);
	CU_ASSERT_EQUAL(put(s, 71), 0);
	CU_ASSERT(!status(s).memory_batches && !*status(s).disk_error);
	CU_ASSERT_EQUAL(status(s).batches, 66);
	spool_close(s);
	s = opened(&o);
	for (int n = 6; n <= 71; n++)
		CU_ASSERT_EQUAL(take(s, SPOOL_SENT), n);
	CU_ASSERT(status(s).put == 71 && status(s).sent == 68 && status(s).dropped == 3);
	spool_close(s);
	gone();
}

static void scribble(long at, size_t size)
{
	char path[128], noise[512];
	int fd;

	memset(noise, 0x5a, sizeof(noise));
	snprintf(path, sizeof(path), "%s/batches.sqlite", directory);
	fd = open(path, O_RDWR);
	CU_ASSERT_FATAL(fd >= 0);
	for (; size; size -= sizeof(noise), at += sizeof(noise))
		CU_ASSERT_EQUAL(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	close(fd);
}

static void test_head_damaged(void)
{
	struct spool_options o;
	struct spool *s;

	fresh();
	o = options();
	s = opened(&o);
	put(s, 1);
	spool_close(s);
	scribble(0, 512);
	s = opened(&o);
	CU_ASSERT(status(s).set_aside == 1 && !status(s).batches);
	CU_ASSERT_EQUAL(put(s, 2), 0);
	CU_ASSERT_EQUAL(take(s, SPOOL_SENT), 2);
	spool_close(s);
	gone();
}

/* Pages in the midst of many: what is on the others is taken over, and the rest counted. */
static void test_pages_damaged(void)
{
	struct spool_options o;
	struct spool *s;
	unsigned found = 0;
	int last = 0, n;

	fresh();
	o = options();
	o.memory_limit = 65536;
	s = opened(&o);
	for (unsigned i = 1; i <= 200; i++)
		put(s, i);
	spool_close(s);
	scribble(100000, 8192);
	s = opened(&o);
	CU_ASSERT(status(s).set_aside == 1 && !status(s).memory_batches);
	CU_ASSERT(status(s).batches > 100 && status(s).batches + status(s).damaged == 200);
	while ((n = take(s, SPOOL_SENT)) > 0) {
		CU_ASSERT(n != last);
		last = n;
		found++;
	}
	CU_ASSERT_EQUAL(found, status(s).sent);
	spool_close(s);
	s = opened(&o);
	CU_ASSERT(status(s).set_aside == 1 && status(s).sent == found);
	spool_close(s);
	gone();
}

static void test_one_agent(void)
{
	struct spool_options o;
	struct spool *s, *second;
	char why[512] = "";

	fresh();
	o = options();
	s = opened(&o);
	CU_ASSERT_EQUAL(spool_open(&o, &second, why, sizeof(why)), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "another agent"));
	spool_close(s);
	s = opened(&o);
	spool_close(s);
	gone();
}

/* Killed at any moment: what was said to be on disk is there, and in order. */
static void test_killed(void)
{
	struct spool_options o;
	unsigned said = 0, next = 1;
	struct spool *s;

	fresh();
	o = options();
	for (int round = 0; round < 12; round++) {
		int tells[2];
		pid_t child;

		CU_ASSERT_FATAL(!pipe(tells));
		child = fork();
		if (!child) {
			s = opened(&o);
			for (unsigned n = said + 1;; n++)
				if (put(s, n) || write(tells[1], &n, sizeof(n)) < 0)
					_exit(1);
		}
		close(tells[1]);
		CU_ASSERT_EQUAL_FATAL(read(tells[0], &said, sizeof(said)), sizeof(said));
		usleep(500 * (round * 7 % 12));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (read(tells[0], &said, sizeof(said)) == sizeof(said))
			;
		close(tells[0]);
		/* One more may be there than was said. */
		s = opened(&o);
		for (int n = take(s, SPOOL_SENT); n > 0; n = take(s, SPOOL_SENT))
			CU_ASSERT_EQUAL(n, (int)next++);
		CU_ASSERT(next == said + 1 || next == said + 2);
		CU_ASSERT(status(s).put == next - 1 && status(s).sent == next - 1);
		said = next - 1;
		spool_close(s);
	}
	gone();
}

int suite_spool(void)
{
	CU_TestInfo tests[] = {
		{ "in order, over restarts", test_in_order },
		{ "one goes behind the others", test_behind },
		{ "names the collector has", test_names },
		{ "as many names as may be", test_names_bounded },
		{ "the oldest go", test_limit },
		{ "a disk that takes nothing", test_disk_fails },
		{ "a file that is none", test_head_damaged },
		{ "damaged pages", test_pages_damaged },
		{ "one agent at a time", test_one_agent },
		{ "killed", test_killed },
		CU_TEST_INFO_NULL,
	};

	return suite_register("spool", tests);
}

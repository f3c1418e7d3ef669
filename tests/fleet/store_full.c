// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store-full: writes to a store on a disk of its own (a tmpfs in a mount namespace, for which
 * it must be root) until that is full, both as statfs tells and in the midst of a write; makes
 * room, and goes on: each batch has counted once.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "tests/unit/fleet_sample.h"
#include "tests/unit/tree.h"
#include "userspace/store/duckdb_api.h"
#include "userspace/store/store.h"

#define GROUP 1000

static char err[512];
static double stored;
static unsigned int written_minutes;
static bool right = true;

static void say(const char *what, bool passed, const char *more)
{
	printf("%s %s%s%s\n", passed ? "PASS" : "FAIL", what, *more ? ": " : "", more);
	right &= passed;
}

static uint64_t left(void)
{
	struct statvfs fs;

	return statvfs(tree_at("disk"), &fs) ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* Takes all room but so much; somebody else may be taking some too. */
static void fill(uint64_t but)
{
	int fd = open(tree_at("disk/ballast"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	uint64_t size = (uint64_t)lseek(fd, 0, SEEK_END);

	for (int tries = 0; tries < 20 && left() > but + 4096; tries++) {
		uint64_t more = left() - but;

		if (!fallocate(fd, 0, (off_t)size, (off_t)more))
			size += more;
	}
	close(fd);
}

/* A group of one minute, of many hosts. */
static int write_minute(struct store *s, uint64_t minute, uint64_t *ret_self)
{
	static struct fleet_sample f[GROUP];
	static const struct batch *b[GROUP];
	static enum store_written w[GROUP];

	*ret_self = 0;
	for (unsigned int i = 0; i < GROUP; i++) {
		fleet_sample_make(&f[i], i, minute);
		b[i] = &f[i].batch;
		*ret_self += fleet_sample_self(i, minute);
	}
	return store_write(s, b, GROUP, w, err, sizeof(err));
}

static int write_next(struct store *s)
{
	uint64_t self;
	int failed = write_minute(s, written_minutes, &self);

	if (!failed) {
		stored += (double)self;
		written_minutes++;
	}
	return failed;
}

static int take(void *arg, const struct store_value *v, size_t count)
{
	*(double *)arg = v->type == STORE_U64 ? (double)v->u64 : v->f64;
	return 0;
}

static void check(struct store *s, const char *what)
{
	double value = -1;
	char text[64];
	int failed = store_select(s, "SELECT sum(self) FROM costs_minute", take, &value, err, sizeof(err));

	snprintf(text, sizeof(text), "%.17g", value);
	say(what, !failed && value == stored, failed ? err : text);
}

/* Whatever is left, a write is whole, or refused as one that may work another time. */
static void write_into(struct store *s, uint64_t room)
{
	char what[96];
	int failed = 0;

	fill(room);
	for (int i = 0; i < 30 && !failed; i++)
		failed = write_next(s);
	snprintf(what, sizeof(what), "%llu MB left: another time", (unsigned long long)room >> 20);
	say(what, failed == -EAGAIN, failed ? err : "written all the same");
	unlink(tree_at("disk/ballast"));
	failed = write_next(s);
	say("with room it goes on", !failed, failed ? err : "");
	check(s, "all that was written, once");
}

/* At once, unlike fill(): the disk is as large as what is on it, and so much. */
static void resize(uint64_t room)
{
	struct statvfs fs;
	char size[64];

	for (int tries = 0; tries < 100; tries++) {
		statvfs(tree_at("disk"), &fs);
		snprintf(size, sizeof(size), "size=%llu", (unsigned long long)(fs.f_blocks - fs.f_bfree) *
							       fs.f_frsize + room);
		if (!mount(NULL, tree_at("disk"), NULL, MS_REMOUNT, size))
			return;
	}
}

static void *fill_soon(void *arg)
{
	usleep(*(unsigned int *)arg);
	resize(0);
	return NULL;
}

/* The last room goes while it is written to, a little later each time. */
static void write_while_it_fills(struct store *s)
{
	int refused = 0, within = 0, other = 0;

	for (unsigned int i = 0; i < 24; i++) {
		unsigned int wait_us = i * 1500;
		pthread_t filler;
		int failed;

		pthread_create(&filler, NULL, fill_soon, &wait_us);
		failed = write_next(s);
		pthread_join(filler, NULL);
		if (failed && strncmp(err, "DuckDB: ", 8) == 0 && !within++)
			printf("# %s\n", err);
		refused += failed != 0;
		other += failed && failed != -EAGAIN;
		if (!failed && write_next(s) != -EAGAIN)
			other++;
		resize(100ull << 20);
		other += write_next(s) != 0;
	}
	say("a disk that fills up in the midst: another time", refused && within && !other, other ? err : "");
	check(s, "all that was written, once");
}

int main(void)
{
	const struct duck_api *api;
	struct store *s;

	if (duck_api_load(&api, err, sizeof(err))) {
		printf("SKIP store-full: %s\n", err);
		return 0;
	}
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || tree_make() ||
	    tree_directory("disk") ||
	    mount("pycost-test", tree_at("disk"), "tmpfs", 0, "size=300m")) {
		printf("SKIP store-full: no disk of its own: %s\n", strerror(errno));
		return 0;
	}
	if (store_open(tree_at("disk/store"), NULL, &s, err, sizeof(err))) {
		printf("FAIL open: %s\n", err);
		return 1;
	}
	write_into(s, 8ull << 20);
	for (uint64_t room = 65; room < 68; room++)
		write_into(s, room << 20);
	write_while_it_fills(s);
	store_close(s);
	fill(0);
	say("a full disk when it is opened", !store_open(tree_at("disk/store"), NULL, &s, err,
							 sizeof(err)), "");
	check(s, "is read");
	say("and written to another time", write_next(s) == -EAGAIN, err);
	unlink(tree_at("disk/ballast"));
	say("which comes", !write_next(s), "");
	check(s, "all that was written");
	store_close(s);
	umount2(tree_at("disk"), MNT_DETACH);
	tree_remove();
	return right ? 0 : 1;
}

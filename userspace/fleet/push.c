/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/push.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "userspace/profile.h"
#include "userspace/recording.h"

#define CHUNK (1 << 16)
#define WAIT_MAX_S 60
#define NS 1000000000ull
#define MINUTE_NS (60 * NS)
/* A recorder writes each second: one that has not for so long will not write any more. */
#define GROWS_NS (2 * MINUTE_NS)

struct push {
	const struct push_options *o;
	struct post *to;
	struct push_result *result;
	char path[64]; /* of the descriptor */
	int fd;
	uint8_t recording[crypto_generichash_BYTES_MIN];
	uint64_t minutes; /* in all */
	struct tally known; /* ids of names that the collector has got from here */
	char *err;
	size_t errlen;
	bool failed; /* err says why */
};

__attribute__((format(printf, 3, 4))) static int fail(struct push *p, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->err, p->errlen, format, args);
	va_end(args);
	p->failed = true;
	return code;
}

/* ---- the file, which is read more than once ---- */

static int copy_input(int to)
{
	char chunk[CHUNK];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0)
		for (ssize_t done = 0, m; done < n; done += m) {
			m = write(to, chunk + done, n - done);
			if (m < 0)
				return -errno;
		}
	return n < 0 ? -errno : 0;
}

static int file_open(struct push *p, const char *path)
{
	int err = 0;

	if (strcmp(path, "-")) {
		p->fd = open(path, O_RDONLY | O_CLOEXEC);
	} else {
		p->fd = memfd_create("pycost", MFD_CLOEXEC);
		if (p->fd >= 0)
			err = copy_input(p->fd);
	}
	if (p->fd < 0)
		err = -errno;
	snprintf(p->path, sizeof(p->path), "/proc/self/fd/%d", p->fd);
	return err ? fail(p, err, "%s", strerror(-err)) : 0;
}

/* ---- batches ---- */

static void hash_number(crypto_generichash_state *h, uint64_t number)
{
	number = htole64(number);
	crypto_generichash_update(h, (const uint8_t *)&number, sizeof(number));
}

/*
 * Which recording it is: what its recorder said first, as when it began, to the nanosecond.
 * Not its content: one that grows stays the same.
 */
static void recording_hash(struct push *p, const struct sink_meta *m)
{
	const char *const texts[] = { m->host, m->kernel, m->version };
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, sizeof(p->recording));
	hash_number(&h, m->start_realtime_ns);
	hash_number(&h, m->metric);
	hash_number(&h, m->user_only | m->metric_fallback << 1 | m->per_thread << 2 |
				m->kernel_mode << 3 | m->requests << 4 | m->no_functions << 5);
	hash_number(&h, m->period);
	hash_number(&h, m->budget);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		crypto_generichash_update(&h, (const uint8_t *)texts[i], strlen(texts[i]) + 1);
	crypto_generichash_final(&h, p->recording, sizeof(p->recording));
}

static int batch_id(void *arg, uint64_t begin_s, uint8_t ret[BATCH_ID_SIZE])
{
	struct push *p = arg;
	crypto_generichash_state h;

	_Static_assert(BATCH_ID_SIZE == crypto_generichash_BYTES_MIN, "as long as a hash");
	crypto_generichash_init(&h, NULL, 0, BATCH_ID_SIZE);
	crypto_generichash_update(&h, p->recording, sizeof(p->recording));
	hash_number(&h, begin_s);
	crypto_generichash_final(&h, ret, BATCH_ID_SIZE);
	return 0;
}

static bool is_known(void *arg, uint64_t id)
{
	return tally_find(&((struct push *)arg)->known, &id) != NULL;
}

static int names_learn(struct push *p, const struct batch *b)
{
	uint64_t *item;
	int err = 0;

	for (uint32_t i = 0; i < b->function_count && !err; i++)
		err = tally_at(&p->known, &b->functions[i].id, &item);
	for (uint32_t i = 0; i < b->path_count && !err; i++)
		err = tally_at(&p->known, &b->paths[i].id, &item);
	return err;
}

/* As often as it may help; the wait doubles, unless the collector says how long. */
static void post_patiently(struct push *p, const struct batch *b, const void *bytes, size_t size,
			   struct post_answer *answer)
{
	unsigned wait = 1;

	for (unsigned attempt = 1;; attempt++) {
		post_batch(p->to, b->id, bytes, size, answer);
		if (answer->outcome != POST_LATER || attempt >= p->o->attempts ||
		    answer->retry_s > WAIT_MAX_S)
			return;
		sleep(answer->retry_s ? answer->retry_s : wait);
		wait = 2 * wait < WAIT_MAX_S ? 2 * wait : WAIT_MAX_S;
	}
}

static int batch_push(void *arg, const struct batch *b)
{
	struct push *p = arg;
	struct push_result *r = p->result;
	struct post_answer answer;
	void *bytes;
	size_t size;
	int err = batch_pack(b, &bytes, &size);

	if (err)
		return err;
	post_patiently(p, b, bytes, size, &answer);
	free(bytes);
	if (answer.outcome != POST_STORED && answer.outcome != POST_DUPLICATE)
		return fail(p, answer.outcome == POST_LATER ? -EAGAIN : -EPERM,
			    "the collector did not take it: %s", answer.text);
	r->batches++;
	r->bytes += size;
	r->duplicates += answer.outcome == POST_DUPLICATE;
	if (p->o->progress)
		p->o->progress(p->o->arg, r->batches, p->minutes);
	/* What was stored before may have been a part of this; so may what it named. */
	return answer.outcome == POST_STORED ? names_learn(p, b) : 0;
}

/* ---- the recording ---- */

/* What has to be known before its first minute; the profile is all of it. */
static int look_through(struct push *p, struct profile *profile)
{
	struct recording_status status;
	int err = recording_read(p->path, &profile->sink, &status, p->err, p->errlen);

	if (err) {
		p->failed = true;
		return err;
	}
	if (!profile->has_meta)
		return fail(p, -EINVAL, "there is nothing in it");
	p->result->incomplete = status.incomplete;
	p->result->corrupt = status.corrupt;
	if ((status.incomplete || status.corrupt) && !p->o->partial)
		return fail(p, -EBUSY,
			    "%s: push it when it is whole, or what there is of it with --partial",
			    status.corrupt ? "it is damaged" : "its recorder has not finished");
	recording_hash(p, &profile->meta);
	p->minutes = (profile->meta.start_realtime_ns % MINUTE_NS + profile->duration_ns) /
			     MINUTE_NS + 1;
	return 0;
}

/* A minute has one batch only: that of the last one has to wait while it may grow. */
static bool may_grow(const struct recording_status *s, const struct profile *profile)
{
	uint64_t told_ns = profile->meta.start_realtime_ns + profile->duration_ns;

	return (s->incomplete || s->corrupt) && time(NULL) * NS < told_ns + GROWS_NS;
}

static int replay(struct push *p, const struct profile *profile)
{
	struct fold_options o = {
		.sender = *profile->meta.host ? profile->meta.host : "unknown",
		.tags = p->o->tags,
		.tag_count = p->o->tag_count,
		.keep = p->o->keep,
		.keep_count = p->o->keep_count,
		.users = p->o->users,
		.user_count = p->o->user_count,
		.is_known = is_known,
		.id = batch_id,
		.emit = batch_push,
		.arg = p,
		.calibrations = profile->calibrations + 1,
		.calibration_count = profile->calibration_count - 1,
	};
	struct recording_status status;
	char text[256] = ""; /* the reader's; of what was not taken it knows a number only */
	struct fold *fold;
	int err = fold_create(&o, &fold);

	if (err)
		return err;
	err = recording_read(p->path, fold_sink(fold), &status, text, sizeof(text));
	p->result->left = !err && may_grow(&status, profile);
	if (!err && !p->result->left)
		err = fold_finish(fold);
	fold_free(fold);
	return err && !p->failed && *text ? fail(p, err, "%s", text) : err;
}

int push_file(const char *path, struct post *to, const struct push_options *o,
	      struct push_result *ret, char *err, size_t errlen)
{
	struct push p = { .o = o, .to = to, .result = ret, .fd = -1, .err = err, .errlen = errlen,
			  .known = { .item_size = 8, .key_size = 8 } };
	struct profile *profile = NULL;
	int result;

	*ret = (struct push_result){ 0 };
	result = file_open(&p, path);
	if (!result && sodium_init() < 0)
		result = fail(&p, -EIO, "libsodium does not start");
	if (!result)
		result = profile_create(&profile);
	if (!result)
		result = look_through(&p, profile);
	if (!result)
		result = replay(&p, profile);
	if (result == -ENODATA)
		fail(&p, result, "no service can be told: name it with --service");
	else if (result && !p.failed)
		fail(&p, result, "%s", strerror(-result));
	profile_free(profile);
	tally_clear(&p.known);
	if (p.fd >= 0)
		close(p.fd);
	return result;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/builds.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/counter.h"
#include "userspace/kernel.h"
#include "userspace/sampling.h"
#include "userspace/sink.h"

static struct known_build *builds_find(const struct builds *b, const struct interpreter *in)
{
	for (size_t i = 0; i < b->n; i++)
		if (build_is(b->v[i]->build, in))
			return b->v[i];
	return NULL;
}

static int cost_tell(const struct builds *b, const struct known_build *k)
{
	struct sink_calibration fact = {
		.id = k->id,
		.python = k->version,
		.build_id = build_interpreter(k->build)->build_id,
		.entry = k->cost.entry,
		.exit = k->cost.exit,
		.entry_error = k->cost.entry_error,
		.exit_error = k->cost.exit_error,
		.total_error = k->cost.total_error,
		.plain = k->cost.plain,
		.search_error = k->cost.search_error,
		.kernel_entry = k->cost.kernel.entry,
		.kernel_exit = k->cost.kernel.exit,
		.kernel_entry_error = k->cost.kernel.entry_error,
		.kernel_exit_error = k->cost.kernel.exit_error,
		.kernel_total_error = k->cost.kernel.total_error,
	};

	return b->sink->calibration(b->sink, &fact);
}

/* The n-th measurement joins the mean of those before; how far it is off is an error. */
static void kernel_mean(struct kernel_cost *once, const struct kernel_cost *mean, unsigned n)
{
	double apart = fabs(once->entry + once->exit - mean->entry - mean->exit) / 2;

	if (n > 1)
		once->total_error = fmax(once->total_error, apart);
	once->entry = mean->entry + (once->entry - mean->entry) / n;
	once->exit = mean->exit + (once->exit - mean->exit) / n;
}

int builds_calibrate(struct builds *b, struct known_build *k, pid_t pid, char *text, size_t len)
{
	struct build_cost once;
	unsigned n = k->calibrations + 1;
	int err = calibrate_run(b->kernel, k->build, counter_metric(b->counter), pid, &once, text,
				len);

	if (err)
		return err;
	if (k->calibrations) {
		double apart = fabs(once.entry + once.exit - k->cost.entry - k->cost.exit) / 2;

		once.total_error = fmax(once.total_error, apart);
		once.plain = fmin(once.plain, k->cost.plain);
		/* By these the searches have been reckoned. */
		once.lines = k->cost.lines;
		once.searched = k->cost.searched;
		once.empty_return = k->cost.empty_return;
		once.empty_entry = k->cost.empty_entry;
	}
	once.entry = k->cost.entry + (once.entry - k->cost.entry) / n;
	once.exit = k->cost.exit + (once.exit - k->cost.exit) / n;
	kernel_mean(&once.kernel, &k->cost.kernel, n);
	k->cost = once;
	k->calibrations = n;
	return cost_tell(b, k);
}

static int builds_add(struct builds *b, struct known_build *k)
{
	struct known_build **grown = realloc(b->v, (b->n + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	b->v = grown;
	b->v[b->n++] = k;
	k->id = b->n;
	return 0;
}

/* Adds that sampling would do, where nothing is known to be in its way. */
static void sampling_name(const struct interpreter *in, char *text, size_t len)
{
	size_t used = strlen(text);

	if (!interpreter_sample_reason(in) && used < len && !strstr(text, "--mode sample"))
		snprintf(text + used, len - used, "; --mode sample would do");
}

int builds_get(struct builds *b, struct interpreter *in, pid_t pid, struct known_build **ret,
	       char *text, size_t len)
{
	struct known_build *k = builds_find(b, in);
	const char *why = interpreter_exact_reason(in);
	int err;

	*text = 0;
	if (k) {
		*ret = k;
		return 0;
	}
	if (why) {
		snprintf(text, len, "%s", why);
		sampling_name(in, text, len);
		return -ENOTSUP;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	err = build_open(b->kernel, in, pid, &k->build, text, len);
	if (!err)
		err = builds_add(b, k);
	if (err == -ENOTSUP)
		sampling_name(in, text, len);
	if (err) {
		build_close(k->build);
		free(k);
		return err;
	}
	interpreter_version(build_interpreter(k->build), k->version, sizeof(k->version));
	if (!b->no_calibration)
		builds_calibrate(b, k, pid, text, len);
	*ret = k;
	return 0;
}

void builds_clear(struct builds *b)
{
	for (size_t i = 0; i < b->n; i++) {
		build_close(b->v[i]->build);
		free(b->v[i]);
	}
	free(b->v);
	b->v = NULL;
	b->n = 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A minute's batch on its way into the spool, with what the agent has to say of itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/agent/agent_parts.h"
#include "userspace/clock.h"
#include "userspace/fleet/daemon_log.h"

#define OWN_COUNTERS 7
#define TELL_NS (600ull * 1000000000)

/* The slice of what is nobody's: that in which the fold counts its own time. */
static bool own_slice(const struct batch *b, uint32_t *ret)
{
	for (uint32_t i = 0; i < b->counter_count; i++)
		if (!strcmp(b->counters[i].name, "measured.ns")) {
			*ret = b->counters[i].slice;
			return true;
		}
	return false;
}

static void counter_add(struct batch *b, struct batch_counter *to, uint32_t slice, const char *name,
			double value)
{
	if (value > 0)
		to[b->counter_count++] =
			(struct batch_counter){.slice = slice, .name = name, .value = value};
}

/* *b gets counters of its own, to be freed; NULL: it has none more than before. */
static struct batch_counter *counters_add(struct agent *a, struct batch *b)
{
	struct batch_counter *all;
	struct spool_status now;
	uint32_t slice;

	if (!own_slice(b, &slice))
		return NULL;
	all = reallocarray(NULL, b->counter_count + OWN_COUNTERS, sizeof(*all));
	if (!all)
		return NULL;
	memcpy(all, b->counters, b->counter_count * sizeof(*all));
	b->counters = all;
	spool_status(a->spool, &now);
	agent_unwatched_add(a, clock_ns());
	counter_add(b, all, slice, "agent.unwatched.ns", a->unwatched_ns - a->unwatched_told_ns);
	counter_add(b, all, slice, "agent.batches.dropped", now.dropped - a->told.dropped);
	counter_add(b, all, slice, "agent.batches.damaged", now.damaged - a->told.damaged);
	counter_add(b, all, slice, "agent.batches.expired", now.expired - a->told.expired);
	counter_add(b, all, slice, "agent.batches.poison", now.poison - a->told.poison);
	counter_add(b, all, slice, "agent.budget.level.seconds",
		    a->budget.level ? (double)a->budget.level * b->seconds : 0);
	a->told = now;
	a->unwatched_told_ns = a->unwatched_ns;
	return all;
}

/* The ids of what is defined in it. */
static uint64_t *names_of(const struct batch *b, size_t *ret_count)
{
	size_t n = 0;
	uint64_t *names = reallocarray(NULL, (size_t)b->function_count + b->path_count + 1,
				       sizeof(*names));

	for (uint32_t i = 0; names && i < b->function_count; i++)
		names[n++] = b->functions[i].id;
	for (uint32_t i = 0; names && i < b->path_count; i++)
		names[n++] = b->paths[i].id;
	*ret_count = n;
	return names;
}

static void disk_tell(struct agent *a)
{
	struct spool_status st;
	char value[LOG_VALUE_SIZE];
	uint64_t now = clock_ns();

	if (a->memory_told_ns && now - a->memory_told_ns < TELL_NS)
		return;
	a->memory_told_ns = now;
	spool_status(a->spool, &st);
	daemon_log(LOG_ERR, "spool_disk_failed",
		  "why=%s batches_in_memory=%llu mend=\"make room where the spool is\"",
		  daemon_log_value(value, st.disk_error), (unsigned long long)st.memory_batches);
}

/* Whatever becomes of it, the measurement goes on: what is lost is counted. */
int agent_batch_emit(void *arg, const struct batch *made)
{
	struct agent *a = arg;
	struct batch b = *made;
	struct batch_counter *counters = counters_add(a, &b);
	size_t size = 0, count = 0;
	uint64_t *names = names_of(&b, &count);
	void *bytes = NULL;
	int err = names ? batch_pack(&b, &bytes, &size) : -ENOMEM;

	if (!err)
		err = spool_put(a->spool, b.id, b.begin_s, bytes, size, names, count);
	if (err > 0) {
		disk_tell(a);
	} else if (err) {
		daemon_log(LOG_ERR, "batch_lost", "minute=%llu bytes=%zu why=\"%s\"",
			  (unsigned long long)b.begin_s, size, strerror(-err));
	} else {
		a->memory_told_ns = 0;
	}
	a->numbers.batches++;
	a->numbers.names += count;
	free(bytes);
	free(names);
	free(counters);
	return 0;
}

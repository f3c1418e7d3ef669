/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/sample_natives.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/native.h"
#include "symbolizer/native_role.h"
#include "userspace/tally.h"

#define NATIVES_MAX 65536

/* Strings of struct native_name: equal ones are the same pointer. */
struct told {
	const char *name, *object; /* key */
	uint64_t parent;	   /* key */
	uint32_t id;
};

struct sample_natives {
	struct sink *sink;
	struct natives *natives;
	struct tally told;
	uint64_t lost;
};

int sample_natives_new(struct sink *sink, struct sample_natives **ret)
{
	struct natives_options options = {0};
	struct sample_natives *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	err = natives_new(&options, &n->natives);
	if (err) {
		free(n);
		return err;
	}
	n->sink = sink;
	n->told = (struct tally){.item_size = sizeof(struct told),
				 .key_size = offsetof(struct told, id), .max = NATIVES_MAX};
	*ret = n;
	return 0;
}

void sample_natives_free(struct sample_natives *n)
{
	if (!n)
		return;
	natives_free(n->natives);
	tally_clear(&n->told);
	free(n);
}

static int native_tell(struct sample_natives *n, const struct native_name *name, uint32_t parent,
		       uint32_t *ret)
{
	struct told key = {.name = name->name, .object = name->object, .parent = parent}, *told;
	struct sink_native fact = {.parent = parent, .symbol = name->name, .object = name->object};
	int err = tally_at(&n->told, &key, &told);

	if (err == -ENOSPC) {
		n->lost++;
		*ret = 0;
		return 0;
	}
	if (err)
		return err;
	*ret = told->id;
	if (told->id)
		return 0;
	fact.id = *ret = told->id = n->told.count;
	return n->sink->native(n->sink, &fact);
}

static enum sample_state state_of(const struct native_name *name, const char *interpreter)
{
	if (strcmp(name->object, interpreter))
		return SAMPLE_RUNS;
	switch (native_role(name->symbol)) {
	case ROLE_GC:
		return SAMPLE_GC;
	case ROLE_GIL:
		return SAMPLE_GIL;
	default:
		return SAMPLE_RUNS;
	}
}

int sample_natives_find(struct sample_natives *n, pid_t pid, const char *interpreter,
			const uint64_t *chain, size_t count, struct native_found *ret)
{
	struct native_name name;

	*ret = (struct native_found){.state = SAMPLE_RUNS};
	/* What has ended, or is mapped no more, has no names: that is no error. */
	if (!count || natives_resolve(n->natives, pid, chain[0], &name) ||
	    (!*name.object && !*name.symbol))
		return 0;
	ret->state = state_of(&name, interpreter);
	return native_tell(n, &name, 0, &ret->id);
}

void sample_natives_forget(struct sample_natives *n, pid_t pid)
{
	natives_forget(n->natives, pid);
}

uint64_t sample_natives_lost(const struct sample_natives *n)
{
	return n->lost;
}

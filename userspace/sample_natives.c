/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/sample_natives.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/native.h"
#include "symbolizer/native_role.h"
#include "userspace/native_chain.h"
#include "userspace/tally.h"

#define NATIVES_MAX 65536
#define CHAIN_MAX 64

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
	struct native_chain chain;
	uint64_t lost;
};

int sample_natives_new(struct sink *sink, bool debuginfod, struct sample_natives **ret)
{
	struct natives_options options = {.debuginfod = debuginfod};
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
	native_chain_init(&n->chain);
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
	native_chain_clear(&n->chain);
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

static enum native_role role_of(const struct native_name *name, const char *interpreter)
{
	return strcmp(name->object, interpreter) ? ROLE_NONE : native_role(name->symbol);
}

/*
 * The names of as much of a chain as is certain, at least one; out to the interpreter's
 * own loop, below which is what the Python frames tell.
 */
static size_t chain_name(struct sample_natives *n, pid_t pid, const char *interpreter,
			 const uint64_t *chain, size_t count, struct native_name *names)
{
	size_t known = 1;

	while (known < count && *names[known - 1].symbol &&
	       role_of(&names[known - 1], interpreter) != ROLE_EVAL &&
	       native_chain_holds(&n->chain, pid, chain[known - 1], names[known - 1].offset,
				  known == 1, chain[known])) {
		/* The call itself: what follows it may belong to another function. */
		if (natives_resolve(n->natives, pid, chain[known] - 1, &names[known]))
			break;
		names[known].offset++;
		known++;
	}
	return known;
}

int sample_natives_find(struct sample_natives *n, pid_t pid, const char *interpreter,
			const uint64_t *chain, size_t count, struct native_found *ret)
{
	struct native_name names[CHAIN_MAX];
	size_t known;
	int err = 0;

	*ret = (struct native_found){.state = SAMPLE_RUNS};
	/* What has ended, or is mapped no more, has no names: that is no error. */
	if (!count || natives_resolve(n->natives, pid, chain[0], &names[0]) ||
	    (!*names[0].object && !*names[0].symbol))
		return 0;
	known = chain_name(n, pid, interpreter, chain, count < CHAIN_MAX ? count : CHAIN_MAX, names);
	for (size_t i = known; !err && i--;) {
		enum native_role role = role_of(&names[i], interpreter);

		if (role == ROLE_GC)
			ret->state = SAMPLE_GC;
		else if (role == ROLE_GIL)
			ret->state = SAMPLE_GIL;
		err = native_tell(n, &names[i], ret->id, &ret->id);
	}
	return err;
}

void sample_natives_forget(struct sample_natives *n, pid_t pid)
{
	natives_forget(n->natives, pid);
	native_chain_forget(&n->chain);
}

bool sample_natives_poll(struct sample_natives *n)
{
	natives_poll(n->natives);
	return natives_pending(n->natives);
}

uint64_t sample_natives_lost(const struct sample_natives *n)
{
	return n->lost;
}

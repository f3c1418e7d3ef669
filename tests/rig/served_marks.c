/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rig/served_marks.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/codes.h"
#include "userspace/marks.h"

#define FUNCTIONS 65536

static struct marks *marks;
static struct codes *codes;
static char *functions[FUNCTIONS];

static int on_function(struct sink *s, const struct sink_function *f)
{
	char name[1024];

	snprintf(name, sizeof(name), "%s:%s", f->module, f->qualname);
	if (f->id < FUNCTIONS)
		functions[f->id] = strdup(name);
	return 0;
}

static const char *name_of(uint32_t function)
{
	return function < FUNCTIONS && functions[function] ? functions[function] : "";
}

static int on_import(struct sink *s, const struct sink_import *i)
{
	printf("{\"kind\":\"import\",\"endpoint\":%u,\"function\":\"%s\",\"module\":\"%s\","
	       "\"count\":%llu,\"ns\":%llu,\"cost\":%llu,\"self_ns\":%llu,\"self_cost\":%llu}\n",
	       i->endpoint, name_of(i->function), i->module, (unsigned long long)i->count,
	       (unsigned long long)i->ns, (unsigned long long)i->cost,
	       (unsigned long long)i->self_ns, (unsigned long long)i->self_cost);
	return 0;
}

static int on_collection(struct sink *s, const struct sink_collection *c)
{
	printf("{\"kind\":\"collection\",\"endpoint\":%u,\"function\":\"%s\","
	       "\"generation\":%u,\"count\":%llu,\"ns\":%llu,\"cost\":%llu,\"collected\":%llu}\n",
	       c->endpoint, name_of(c->function), c->generation, (unsigned long long)c->count,
	       (unsigned long long)c->ns, (unsigned long long)c->cost,
	       (unsigned long long)c->collected);
	return 0;
}

static struct sink sink = {
	.function = on_function,
	.import = on_import,
	.collection = on_collection,
};

/* Any number will do that is the same for the same class, and not 0. */
static uint32_t endpoint_of(void *arg, uint64_t class_id)
{
	return (uint32_t)class_id | 1;
}

int served_marks_open(const struct serving *s, bool audit, char **pids)
{
	struct marks_options o = {.serving = s, .sink = &sink, .audit = audit,
				  .endpoint = endpoint_of};
	char text[512] = "";
	int err = codes_new(&sink, &codes);

	o.codes = codes;
	if (!err)
		err = marks_open(&o, &marks, text, sizeof(text));
	if (err) {
		fprintf(stderr, "%s\n", text);
		return err;
	}
	for (; *pids && !err; pids++)
		err = marks_follow(marks, atoi(*pids));
	if (err)
		fprintf(stderr, "%s\n", strerror(-err));
	return err;
}

void served_marks_pass(bool last)
{
	const char *notice;

	if (!marks)
		return;
	marks_look(marks);
	marks_pass(marks, last);
	notice = marks_notice(marks);
	if (notice)
		printf("{\"kind\":\"notice\",\"text\":\"%s\"}\n", notice);
}

void served_marks_close(void)
{
	uint64_t losses[LOSS_MAX] = {0};

	if (!marks)
		return;
	marks_losses(marks, losses);
	printf("{\"kind\":\"lost\"");
	for (int i = 1; i < LOSS_MAX; i++)
		if (losses[i])
			printf(",\"%s\":%llu", loss_name(i), (unsigned long long)losses[i]);
	printf("}\n");
	marks_close(marks);
	codes_free(codes);
}

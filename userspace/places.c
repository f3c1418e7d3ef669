/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/saturate.h"
#include "userspace/tally.h"

/* What a sample is told apart by, of each kind. */
struct sorter {
	const struct report *r;
	enum place_kind kind;
	bool by_row;
	uint32_t *natives; /* by id: the first of the same name */
	uint16_t *minors;  /* by process */
	bool *outermost;   /* by node: its function is not active above */
	struct tally tally;
};

/* Strings are kept once each only by chance, so they are compared as text. */
static int names_compare(const struct sink_native *a, const struct sink_native *b)
{
	int order = strcmp(a->symbol, b->symbol);

	return order ? order : strcmp(a->object, b->object);
}

static int natives_compare(const void *a, const void *b, void *arg)
{
	const struct sink_native *natives = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	int order = names_compare(&natives[i], &natives[j]);

	return order ? order : i < j ? -1 : i > j;
}

static int natives_unite(struct sorter *s)
{
	const struct profile *p = s->r->profile;
	uint32_t *order = calloc(p->native_count, sizeof(*order));

	s->natives = calloc(p->native_count, sizeof(*s->natives));
	if (!order || !s->natives) {
		free(order);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->native_count; i++)
		order[i] = i;
	qsort_r(order, p->native_count, sizeof(*order), natives_compare, p->natives);
	for (size_t i = 0; i < p->native_count; i++) {
		bool same = i && !names_compare(&p->natives[order[i]], &p->natives[order[i - 1]]);

		s->natives[order[i]] = same ? s->natives[order[i - 1]] : order[i];
	}
	free(order);
	return 0;
}

static int minors_find(struct sorter *s)
{
	const struct profile *p = s->r->profile;

	s->minors = calloc(p->process_count + 1, sizeof(*s->minors));
	for (size_t i = 0; s->minors && i < p->process_count; i++) {
		unsigned int minor;

		if (sscanf(p->processes[i].python, "3.%2u", &minor) == 1 && minor < PLACE_MINORS)
			s->minors[i] = minor;
	}
	return s->minors ? 0 : -ENOMEM;
}

static int outermost_find(struct sorter *s)
{
	const struct report *r = s->r;
	struct call_walk walk = { &r->tree, r->profile->nodes };
	uint32_t *active = calloc(r->functions.row_count, sizeof(*active));

	s->outermost = calloc(r->profile->node_count, sizeof(*s->outermost));
	if (!active || !s->outermost) {
		free(active);
		return -ENOMEM;
	}
	while (call_walk_next(&walk)) {
		uint32_t row = r->functions.row_of[r->profile->nodes[walk.node].function];

		if (walk.leaving)
			active[row]--;
		else
			s->outermost[walk.node] = !active[row]++;
	}
	free(active);
	return 0;
}

static int place_at(struct sorter *s, uint32_t node, uint32_t place, struct place **ret)
{
	const struct report *r = s->r;
	struct place key = { .place = place };

	if (s->by_row)
		key.row = r->functions.row_of[r->profile->nodes[node].function];
	return tally_at(&s->tally, &key, ret);
}

static uint32_t place_of(const struct sorter *s, const struct sink_sample *sample)
{
	const struct profile_node *node = &s->r->profile->nodes[sample->node];

	switch (s->kind) {
	case PLACE_LINE: return sample->line;
	case PLACE_NATIVE: return s->natives[sample->native];
	case PLACE_OPCODE: return place_opcode(s->minors[node->process], sample->opcode);
	case PLACE_STATE: return sample->state;
	}
	return 0;
}

static int samples_sort(struct sorter *s)
{
	const struct profile *p = s->r->profile;

	for (size_t i = 0; i < p->sample_count; i++) {
		const struct sink_sample *sample = &p->samples[i];
		struct place *place;
		int err = place_at(s, sample->node, place_of(s, sample), &place);

		if (err)
			return err;
		place->samples = saturating_add(place->samples, sample->count);
		if (sample->in_kernel)
			place->in_kernel = saturating_add(place->in_kernel, sample->count);
		if (s->outermost && s->outermost[sample->node])
			place->cumulative = saturating_add(place->cumulative, sample->count);
	}
	return 0;
}

static int passages_sort(struct sorter *s)
{
	const struct profile *p = s->r->profile;

	for (size_t i = 0; i < p->passage_count; i++) {
		const struct sink_passage *passage = &p->passages[i];
		struct place *place;
		int err;

		if (!s->outermost[passage->node])
			continue;
		err = place_at(s, passage->node, passage->line, &place);
		if (err)
			return err;
		place->cumulative = saturating_add(place->cumulative, passage->count);
	}
	return 0;
}

static int place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	if (x->samples != y->samples)
		return x->samples > y->samples ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

int places_compute(const struct report *r, enum place_kind kind, bool by_row, struct places *ret)
{
	struct sorter s = {
		.r = r,
		.kind = kind,
		.by_row = by_row,
		.tally = { .item_size = sizeof(struct place),
			   .key_size = offsetof(struct place, samples) },
	};
	int err = 0;

	if (kind == PLACE_NATIVE)
		err = natives_unite(&s);
	else if (kind == PLACE_OPCODE)
		err = minors_find(&s);
	else if (kind == PLACE_LINE)
		err = outermost_find(&s);
	if (!err)
		err = samples_sort(&s);
	if (!err && kind == PLACE_LINE)
		err = passages_sort(&s);
	free(s.natives);
	free(s.minors);
	free(s.outermost);
	if (err) {
		tally_clear(&s.tally);
		return err;
	}
	*ret = (struct places){ s.tally.items, s.tally.count };
	s.tally.items = NULL;
	tally_clear(&s.tally);
	for (size_t i = 0; kind == PLACE_LINE && i < ret->count; i++)
		if (ret->v[i].cumulative < ret->v[i].samples)
			ret->v[i].cumulative = ret->v[i].samples;
	if (ret->count)
		qsort(ret->v, ret->count, sizeof(*ret->v), place_compare);
	return 0;
}

const struct place *places_of(const struct places *all, uint32_t row, size_t *ret_count)
{
	size_t low = 0, high = all->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all->v[middle].row < row)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < all->count && all->v[end].row == row; end++)
		;
	*ret_count = end - low;
	return end > low ? &all->v[low] : NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "otlp.pb-c.h"
#include "userspace/collector/otlp.h"
#include "userspace/collector/otlp_items.h"
#include "userspace/query/minute.h"
#include "userspace/query/query_tree.h"

#define SECOND_NS 1000000000ull
#define ID_SIZE 16
#define SERVICE 0 /* of a group's values */
#define VERSION 1

struct text {
	UT_hash_handle hh;
	int32_t index;
	char *text; /* the tree's, or a literal */
};

/* The messages point to each other; all that they are made of is in the arena. */
struct making {
	struct otlp_items items;
	const struct query_tree *tree;
	uint64_t begin_ns, duration_ns;
	struct text *texts;
	int32_t *stacks; /* by the tree's node; 0: it has no cost of its own */
	int32_t modes[2];
	Otlp__Profiles all;
	Otlp__Dictionary dictionary;
};

/* ---- the dictionary ---- */

static int32_t string(struct making *m, const char *text)
{
	size_t size = strlen(text);
	struct text *t;

	HASH_FIND(hh, m->texts, text, size, t);
	if (t)
		return t->index;
	t = otlp_items(&m->items, 1, sizeof(*t));
	if (!t)
		return 0;
	t->text = (char *)text;
	t->index = HASH_COUNT(m->texts);
	HASH_ADD_KEYPTR(hh, m->texts, t->text, size, t);
	if (!t->hh.tbl)
		m->items.failed = true;
	return t->index;
}

static void strings_end(struct making *m)
{
	Otlp__Dictionary *d = &m->dictionary;

	d->strings = otlp_items(&m->items, HASH_COUNT(m->texts), sizeof(*d->strings));
	for (struct text *t = m->texts; t && !m->items.failed; t = t->hh.next)
		d->strings[d->n_strings++] = t->text;
}

/* A function and its location have the same index: there are no addresses. */
static void functions_make(struct making *m)
{
	size_t count = m->tree->function_count + 1;
	Otlp__Dictionary *d = &m->dictionary;

	d->functions = otlp_items(&m->items, count, sizeof(*d->functions));
	d->locations = otlp_items(&m->items, count, sizeof(*d->locations));
	for (size_t i = 0; i < count && !m->items.failed; i++) {
		const struct query_tree_function *from = i ? &m->tree->functions[i - 1] : NULL;
		Otlp__Function *f = OTLP_NEW(&m->items, Otlp__Function, OTLP__FUNCTION__INIT);
		Otlp__Location *l = OTLP_NEW(&m->items, Otlp__Location, OTLP__LOCATION__INIT);
		Otlp__Line *line = OTLP_NEW(&m->items, Otlp__Line, OTLP__LINE__INIT);
		Otlp__Line **lines = otlp_items(&m->items, 1, sizeof(*lines));

		if (!lines)
			return;
		if (from) {
			f->name = f->system_name = string(m, from->name);
			f->file = string(m, from->file);
			f->line = from->line;
			line->function = i;
			*lines = line;
			l->lines = lines;
			l->n_lines = 1;
		}
		d->functions[d->n_functions++] = f;
		d->locations[d->n_locations++] = l;
	}
}

static void attributes_make(struct making *m)
{
	static const char *const modes[] = { "exact", "sampled" };
	Otlp__Dictionary *d = &m->dictionary;

	d->attributes = otlp_items(&m->items, 3, sizeof(*d->attributes));
	for (int i = 0; i < 3 && !m->items.failed; i++) {
		Otlp__NamedValue *n = OTLP_NEW(&m->items, Otlp__NamedValue, OTLP__NAMED_VALUE__INIT);
		Otlp__Value *v = OTLP_NEW(&m->items, Otlp__Value, OTLP__VALUE__INIT);

		if (!v)
			return;
		if (i) {
			n->key = string(m, "pycost.mode");
			v->value_case = OTLP__VALUE__VALUE_TEXT;
			v->text = (char *)modes[i - 1];
			n->value = v;
			m->modes[i - 1] = i;
		}
		d->attributes[d->n_attributes++] = n;
	}
}

static bool has_cost(const struct query_tree_node *n)
{
	return n->self >= 0.5 || n->calls || n->samples;
}

static Otlp__Stack *stack_make(struct making *m, uint32_t node)
{
	const struct query_tree *t = m->tree;
	Otlp__Stack *s = OTLP_NEW(&m->items, Otlp__Stack, OTLP__STACK__INIT);
	size_t depth = 0;

	for (uint32_t n = node; n; n = t->nodes[n].parent)
		depth++;
	if (s)
		s->locations = otlp_items(&m->items, depth, sizeof(*s->locations));
	for (uint32_t n = node; n && !m->items.failed; n = t->nodes[n].parent)
		s->locations[s->n_locations++] = t->nodes[n].function + 1;
	return s;
}

static void stacks_make(struct making *m)
{
	const struct query_tree *t = m->tree;
	Otlp__Dictionary *d = &m->dictionary;

	m->stacks = otlp_items(&m->items, t->node_count + 1, sizeof(*m->stacks));
	d->stacks = otlp_items(&m->items, t->node_count + 1, sizeof(*d->stacks));
	if (m->items.failed)
		return;
	d->stacks[d->n_stacks++] = OTLP_NEW(&m->items, Otlp__Stack, OTLP__STACK__INIT);
	for (uint32_t i = 1; i < t->node_count && !m->items.failed; i++)
		if (has_cost(&t->nodes[i])) {
			m->stacks[i] = d->n_stacks;
			d->stacks[d->n_stacks++] = stack_make(m, i);
		}
}

static void dictionary_begin(struct making *m)
{
	static uint8_t zeroes[16];
	Otlp__Dictionary *d = &m->dictionary;
	Otlp__Link *link = OTLP_NEW(&m->items, Otlp__Link, OTLP__LINK__INIT);

	string(m, "");
	d->mappings = otlp_items(&m->items, 1, sizeof(*d->mappings));
	d->links = otlp_items(&m->items, 1, sizeof(*d->links));
	if (m->items.failed)
		return;
	/* As that format's description wishes, of its sizes. */
	link->trace_id = (ProtobufCBinaryData){ 16, zeroes };
	link->span_id = (ProtobufCBinaryData){ 8, zeroes };
	d->mappings[d->n_mappings++] = OTLP_NEW(&m->items, Otlp__Mapping, OTLP__MAPPING__INIT);
	d->links[d->n_links++] = link;
	functions_make(m);
	attributes_make(m);
	stacks_make(m);
}

/* ---- profiles: what it cost, and how often ---- */

enum kind { COST, COUNT, KINDS };

static int64_t value_of(const struct query_tree_node *n, enum kind kind, bool sampled)
{
	if (kind == COUNT)
		return sampled ? n->samples : n->calls;
	return n->self < 0x1p62 ? (int64_t)(n->self + 0.5) : (int64_t)1 << 62;
}

static Otlp__Sample *sample(struct making *m, int32_t stack, int64_t value)
{
	Otlp__Sample *s = OTLP_NEW(&m->items, Otlp__Sample, OTLP__SAMPLE__INIT);
	int64_t *values = otlp_items(&m->items, 1, sizeof(*values));

	if (!values)
		return NULL;
	*values = value;
	s->stack = stack;
	s->values = values;
	s->n_values = 1;
	return s;
}

static Otlp__ValueType *type_make(struct making *m, const struct query_pair *pair, enum kind kind)
{
	Otlp__ValueType *t = OTLP_NEW(&m->items, Otlp__ValueType, OTLP__VALUE_TYPE__INIT);
	bool is_time = !strcmp(pair->metric, metric_name(METRIC_TASK_CLOCK));

	if (!t)
		return NULL;
	if (kind == COUNT)
		t->type = string(m, strcmp(pair->mode, "sampled") ? "calls" : "samples");
	else
		t->type = string(m, pair->metric);
	t->unit = string(m, kind == COST && is_time ? "nanoseconds" : "count");
	return t;
}

static void id_make(struct making *m, Otlp__Profile *p, const struct query_tree_group *g, enum kind kind)
{
	const char *texts[] = { g->values[SERVICE], g->values[VERSION], g->pair.metric, g->pair.mode };
	XXH3_state_t *state = XXH3_createState();
	uint8_t *id = otlp_items(&m->items, 1, ID_SIZE);
	XXH128_canonical_t hash;
	uint64_t what[] = { m->begin_ns, kind };

	if (!id || !state) {
		m->items.failed = true;
		XXH3_freeState(state);
		return;
	}
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, what, sizeof(what));
	for (int i = 0; i < 4; i++)
		XXH3_128bits_update(state, texts[i], strlen(texts[i]) + 1);
	XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(state));
	XXH3_freeState(state);
	memcpy(id, hash.digest, ID_SIZE);
	p->id = (ProtobufCBinaryData){ ID_SIZE, id };
}

static Otlp__Profile *profile_make(struct making *m, uint32_t group, size_t nodes, enum kind kind)
{
	const struct query_tree *t = m->tree;
	const struct query_tree_group *g = &t->groups[group];
	bool sampled = !strcmp(g->pair.mode, "sampled");
	Otlp__Profile *p = OTLP_NEW(&m->items, Otlp__Profile, OTLP__PROFILE__INIT);

	if (!p)
		return NULL;
	id_make(m, p, g, kind);
	p->sample_type = type_make(m, &g->pair, kind);
	p->period_type = p->sample_type;
	p->period = 1; /* values are what they stand for; 0 is refused by some */
	p->time_ns = m->begin_ns;
	p->duration_ns = m->duration_ns;
	p->attributes = &m->modes[sampled];
	p->n_attributes = 1;
	p->samples = otlp_items(&m->items, nodes, sizeof(*p->samples));
	for (uint32_t i = 1; i < t->node_count && !m->items.failed; i++) {
		int64_t value = t->nodes[i].group == group ? value_of(&t->nodes[i], kind, sampled) : 0;

		if (value && m->stacks[i])
			p->samples[p->n_samples++] = sample(m, m->stacks[i], value);
	}
	return p;
}

/* What was cut has no values: it is of no service. */
static void resource_make(struct making *m, uint32_t group, size_t nodes)
{
	const struct query_tree_group *g = &m->tree->groups[group];
	Otlp__ResourceProfiles *r = OTLP_NEW(&m->items, Otlp__ResourceProfiles, OTLP__RESOURCE_PROFILES__INIT);
	Otlp__ScopeProfiles *s = OTLP_NEW(&m->items, Otlp__ScopeProfiles, OTLP__SCOPE_PROFILES__INIT);
	Otlp__Scope *scope = OTLP_NEW(&m->items, Otlp__Scope, OTLP__SCOPE__INIT);
	Otlp__Resource *resource = OTLP_NEW(&m->items, Otlp__Resource, OTLP__RESOURCE__INIT);
	Otlp__Attribute **attributes = otlp_items(&m->items, 2, sizeof(*attributes));
	Otlp__ScopeProfiles **scopes = otlp_items(&m->items, 1, sizeof(*scopes));
	Otlp__Profile **profiles = otlp_items(&m->items, KINDS, sizeof(*profiles));

	if (m->items.failed)
		return;
	attributes[0] = otlp_attribute(&m->items, "service.name",
				  *g->values[SERVICE] ? g->values[SERVICE] : MINUTE_OTHER);
	attributes[1] = otlp_attribute(&m->items, "service.version", g->values[VERSION]);
	resource->attributes = attributes;
	resource->n_attributes = *g->values[VERSION] ? 2 : 1;
	scope->name = "pycost";
	scope->version = PYCOST_VERSION;
	for (int kind = 0; kind < KINDS && !m->items.failed; kind++) {
		profiles[s->n_profiles] = profile_make(m, group, nodes, kind);
		if (!m->items.failed && profiles[s->n_profiles]->n_samples)
			s->n_profiles++;
	}
	s->scope = scope;
	s->profiles = profiles;
	*scopes = s;
	r->resource = resource;
	r->scopes = scopes;
	r->n_scopes = 1;
	if (s->n_profiles)
		m->all.resources[m->all.n_resources++] = r;
}

static void all_make(struct making *m)
{
	const struct query_tree *t = m->tree;
	size_t *nodes = otlp_items(&m->items, t->group_count, sizeof(*nodes));

	m->all.dictionary = &m->dictionary;
	m->all.resources = otlp_items(&m->items, t->group_count, sizeof(*m->all.resources));
	dictionary_begin(m);
	for (uint32_t i = 1; i < t->node_count && !m->items.failed; i++)
		nodes[t->nodes[i].group]++;
	for (uint32_t i = 0; i < t->group_count && !m->items.failed; i++)
		resource_make(m, i, nodes[i]);
	strings_end(m);
}

int otlp_profiles_pack(const struct query_tree *t, uint64_t begin_s, uint64_t seconds,
		       uint8_t **ret, size_t *ret_size)
{
	struct making m = {
		.tree = t,
		.begin_ns = begin_s * SECOND_NS,
		.duration_ns = seconds * SECOND_NS,
		.all = OTLP__PROFILES__INIT,
		.dictionary = OTLP__DICTIONARY__INIT,
	};
	int err = 0;

	if (t->key_count != VERSION + 1)
		return -EINVAL;
	if (t->node_count >= INT32_MAX || t->function_count >= INT32_MAX / 2)
		return -E2BIG;
	all_make(&m);
	if (m.items.failed)
		err = -ENOMEM;
	else if (!m.all.n_resources)
		err = -ENODATA;
	if (!err) {
		*ret_size = otlp__profiles__get_packed_size(&m.all);
		*ret = malloc(*ret_size);
		err = *ret ? 0 : -ENOMEM;
	}
	if (!err)
		otlp__profiles__pack(&m.all, *ret);
	HASH_CLEAR(hh, m.texts);
	arena_free(&m.items.memory);
	return err;
}

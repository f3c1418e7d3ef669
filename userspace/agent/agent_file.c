/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's configuration as a YAML file: deploy/agent.yaml explains each key. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/agent/agent_config.h"
#include "userspace/config_parts.h"
#include "userspace/fleet/batch.h"
#include "userspace/fleet/quantity.h"
#include "userspace/fleet/yaml_file.h"
#include "userspace/glob.h"

#define NUMBER_MAX 100000000

/* A key of a mapping and where its value goes; NULL: others that errors name with them. */
enum kind { TEXT, BYTES, SECONDS, SHARE, NUMBER, METRIC };
struct entry {
	const char *key;
	enum kind kind;
	void *to;
	size_t size; /* of a text; of a number its least value */
};

static int number(const char *text, size_t least, unsigned *ret)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || *text == '-' || value < least || value > NUMBER_MAX)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int seconds(const char *text, unsigned *ret)
{
	uint64_t value;
	int err = quantity_seconds(text, &value);

	if (!err)
		*ret = value;
	return err;
}

static int entry_set(struct yaml_file *y, const struct entry *e, yaml_node_t *value)
{
	const char *text = yaml_file_text(y, value, e->key);

	if (!text)
		return -EINVAL;
	switch (e->kind) {
	case TEXT:
		if (strlen(text) >= e->size)
			return yaml_file_fail(y, value, "'%s' is longer than %zu characters", e->key,
					       e->size - 1);
		strcpy(e->to, text);
		return 0;
	case BYTES:
		return quantity_bytes(text, e->to)
			       ? yaml_file_fail(y, value, "'%.64s' is no size: 512MiB, for example", text)
			       : 0;
	case SECONDS:
		return seconds(text, e->to)
			       ? yaml_file_fail(y, value, "'%.64s' is no time: 30s or 5m, for example", text)
			       : 0;
	case SHARE:
		return quantity_share(text, e->to)
			       ? yaml_file_fail(y, value, "'%.64s' is no share: 1%%, for example", text)
			       : 0;
	case NUMBER:
		return number(text, e->size, e->to)
			       ? yaml_file_fail(y, value, "'%.64s' is no number from %zu to %d", text,
						 e->size, NUMBER_MAX)
			       : 0;
	case METRIC:
		*(enum metric *)e->to = metric_by_name(text);
		return *(enum metric *)e->to
			       ? 0
			       : yaml_file_fail(y, value,
						 "'%.64s' is none of instructions, cycles, task-clock", text);
	}
	return -EINVAL;
}

/* arg: entries, up to one without a key. */
static int take_entry(struct yaml_file *y, const char *key, const yaml_node_t *at,
		      yaml_node_t *value, void *arg)
{
	char known[256] = "";
	size_t n = 0;

	for (const struct entry *e = arg; e->key; e++) {
		if (e->to && !strcmp(e->key, key))
			return entry_set(y, e, value);
		n += snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", e->key);
		if (n >= sizeof(known))
			n = sizeof(known) - 1;
	}
	return yaml_file_fail(y, at, "'%.64s' is none of %s", key, known);
}

/* ---- values of tags ---- */

static int take_source(struct yaml_file *y, const char *key, const yaml_node_t *at,
		       yaml_node_t *value, void *arg)
{
	static const struct {
		const char *key;
		enum value_source source;
	} sources[] = {{"env", VALUE_ENVIRONMENT}, {"label", VALUE_LABEL}, {"from", VALUE_FACT}};
	struct rule_value *v = arg;
	const char *text = yaml_file_text(y, value, key);

	if (!text)
		return -EINVAL;
	if (v->source)
		return yaml_file_fail(y, at, "a value is from one place only");
	for (int i = 0; i < 3; i++)
		if (!strcmp(sources[i].key, key))
			v->source = sources[i].source;
	if (!v->source)
		return yaml_file_fail(y, at, "'%.64s' is none of env, label, from", key);
	if (v->source == VALUE_FACT && !process_facts_name_is_known(text))
		return yaml_file_fail(y, value,
				       "'%.64s' is none of unit, cgroup, container, pod, user, server, "
				       "program", text);
	if (!*text || strlen(text) >= sizeof(v->text))
		return yaml_file_fail(y, value, "'%s' must have 1 to %zu characters", key,
				       sizeof(v->text) - 1);
	strcpy(v->text, text);
	return 0;
}

static int value_read(struct yaml_file *y, yaml_node_t *node, const char *what,
		      struct rule_value *ret)
{
	const char *text;

	*ret = (struct rule_value){0};
	if (node->type == YAML_MAPPING_NODE)
		return yaml_file_pairs(y, node, what, take_source, ret);
	text = yaml_file_text(y, node, what);
	if (!text)
		return -EINVAL;
	if (!*text || strlen(text) >= sizeof(ret->text))
		return yaml_file_fail(y, node, "'%.64s' must have 1 to %zu characters", what,
				       sizeof(ret->text) - 1);
	ret->source = VALUE_TEXT;
	strcpy(ret->text, text);
	return 0;
}

static int key_check(struct yaml_file *y, const char *key, const yaml_node_t *at)
{
	static const char *const own[] = {TAG_KEY_METRIC, TAG_KEY_ENDPOINT, TAG_KEY_STATUS, TAG_KEY_MODE,
					  TAG_KEY_SERVICE, TAG_KEY_HOST};
	const char *objection = config_key_objection(key);

	if (objection)
		return yaml_file_fail(y, at, "'%.64s' is no key of a tag: %s", key, objection);
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (!strcmp(own[i], key))
			return yaml_file_fail(y, at, "the tag '%s' is pycost's own", key);
	return 0;
}

static int take_rule_tag(struct yaml_file *y, const char *key, const yaml_node_t *at,
			 yaml_node_t *value, void *arg)
{
	struct rule *r = arg;
	int err = key_check(y, key, at);

	if (!err && r->tag_count == RULE_TAGS_MAX)
		err = yaml_file_fail(y, at, "a rule has at most %d tags", RULE_TAGS_MAX);
	if (err)
		return err;
	strcpy(r->tags[r->tag_count].key, key);
	return value_read(y, value, key, &r->tags[r->tag_count++].value);
}

/* ---- tags of everything ---- */

static int file_line(struct yaml_file *y, const yaml_node_t *at, const char *path, char *ret,
		     size_t size)
{
	FILE *f = fopen(path, "re");
	bool has = f && fgets(ret, size, f);

	if (f)
		fclose(f);
	if (!has)
		return yaml_file_fail(y, at, "cannot read a line of %.400s", path);
	ret[strcspn(ret, "\r\n")] = 0;
	return 0;
}

static int take_place(struct yaml_file *y, const char *key, const yaml_node_t *at,
		      yaml_node_t *value, void *arg)
{
	struct rule_value *v = arg;
	const char *text = yaml_file_text(y, value, key), *found;

	if (!text)
		return -EINVAL;
	v->source = VALUE_TEXT;
	if (!strcmp(key, "file"))
		return file_line(y, value, text, v->text, sizeof(v->text));
	if (strcmp(key, "env"))
		return yaml_file_fail(y, at, "'%.64s' is none of file, env", key);
	found = getenv(text);
	if (!found)
		return yaml_file_fail(y, value, "$%.64s is not set for the agent", text);
	snprintf(v->text, sizeof(v->text), "%s", found);
	return 0;
}

static int take_common(struct yaml_file *y, const char *key, const yaml_node_t *at,
		       yaml_node_t *value, void *arg)
{
	struct agent_config *c = arg;
	struct rule_tag *tag = &c->common[c->common_count];
	int err = key_check(y, key, at);

	if (!err && c->common_count == AGENT_COMMON_MAX)
		err = yaml_file_fail(y, at, "there are at most %d tags", AGENT_COMMON_MAX);
	if (err)
		return err;
	c->common_count++;
	strcpy(tag->key, key);
	if (value->type == YAML_MAPPING_NODE)
		return yaml_file_pairs(y, value, key, take_place, &tag->value);
	return value_read(y, value, key, &tag->value);
}

/* ---- rules ---- */

static int glob_read(struct yaml_file *y, yaml_node_t *value, const char *key, char *to)
{
	const char *text = yaml_file_text(y, value, key), *objection;

	if (!text)
		return -EINVAL;
	if (!*text || strlen(text) >= RULE_TEXT_MAX)
		return yaml_file_fail(y, value, "'%.64s' must have 1 to %d characters", key,
				       RULE_TEXT_MAX - 1);
	objection = glob_objection(text);
	if (objection)
		return yaml_file_fail(y, value, "'%s': %s", text, objection);
	strcpy(to, text);
	return 0;
}

static int take_label(struct yaml_file *y, const char *key, const yaml_node_t *at,
		      yaml_node_t *value, void *arg)
{
	struct rule *r = arg;

	if (r->label_count == RULE_LABELS_MAX || strlen(key) >= RULE_TEXT_MAX)
		return yaml_file_fail(y, at, "a rule has at most %d labels", RULE_LABELS_MAX);
	strcpy(r->labels[r->label_count].key, key);
	return glob_read(y, value, key, r->labels[r->label_count++].glob);
}

static int take_variable(struct yaml_file *y, const char *key, const yaml_node_t *at,
			 yaml_node_t *value, void *arg)
{
	struct rule *r = arg;

	if (*r->variable || !*key || strlen(key) >= RULE_TEXT_MAX)
		return yaml_file_fail(y, at, "a rule looks at one variable");
	strcpy(r->variable, key);
	return glob_read(y, value, key, r->variable_glob);
}

static int take_condition(struct yaml_file *y, const char *key, const yaml_node_t *at,
			  yaml_node_t *value, void *arg)
{
	struct rule *r = arg;
	const char *text;
	char why[256];

	if (!strcmp(key, "match")) {
		text = yaml_file_text(y, value, key);
		if (!text)
			return -EINVAL;
		return rule_match_set(r, text, why, sizeof(why))
			       ? yaml_file_fail(y, value, "'%.64s' is no regular expression: %s", text, why)
			       : 0;
	}
	if (!strcmp(key, "unit") || !strcmp(key, "cgroup") || !strcmp(key, "user"))
		return glob_read(y, value, key, *key == 'c' ? r->cgroup : key[1] == 's' ? r->user : r->unit);
	if (!strcmp(key, "labels"))
		return yaml_file_pairs(y, value, key, take_label, r);
	if (!strcmp(key, "environment"))
		return yaml_file_pairs(y, value, key, take_variable, r);
	if (!strcmp(key, "service"))
		return value_read(y, value, key, &r->service);
	if (!strcmp(key, "version"))
		return value_read(y, value, key, &r->version);
	if (!strcmp(key, "tags"))
		return yaml_file_pairs(y, value, key, take_rule_tag, r);
	if (strcmp(key, "ignore"))
		return yaml_file_fail(y, at, "'%.64s' is none of match, unit, cgroup, user, labels, "
				       "environment, ignore, service, version, tags", key);
	text = yaml_file_text(y, value, key);
	if (!text)
		return -EINVAL;
	r->ignore = !strcmp(text, "true") || !strcmp(text, "yes");
	return r->ignore || !strcmp(text, "false") || !strcmp(text, "no")
		       ? 0
		       : yaml_file_fail(y, value, "'ignore' must be true or false");
}

static int take_rule(struct yaml_file *y, yaml_node_t *item, void *arg)
{
	struct rule *r = agent_config_rule(arg);
	int err;

	if (!r)
		return yaml_file_fail(y, item, "there are more than %d rules", RULES_MAX);
	err = yaml_file_pairs(y, item, "a rule", take_condition, r);
	if (!err && !rule_asks(r))
		err = yaml_file_fail(y, item, "a rule must ask for something: match, unit, cgroup, user, "
					       "labels or environment");
	return err;
}

static int requests_read(struct yaml_file *y, struct agent_config *c, yaml_node_t *value)
{
	const char *path = yaml_file_text(y, value, "requests");
	char why[768];

	if (!path)
		return -EINVAL;
	return request_config_file(&c->requests, path, why, sizeof(why))
		       ? yaml_file_fail(y, value, "%.440s", why)
		       : 0;
}

static int take_kept(struct yaml_file *y, yaml_node_t *item, void *arg)
{
	struct agent_config *c = arg;
	const char *key = yaml_file_text(y, item, "a tag");
	const char *objection = key ? config_key_objection(key) : NULL;

	if (!key)
		return -EINVAL;
	if (objection)
		return yaml_file_fail(y, item, "'%.64s' is no key of a tag: %s", key, objection);
	if (c->tag_count == AGENT_COMMON_MAX)
		return yaml_file_fail(y, item, "at most %d tags are kept", AGENT_COMMON_MAX);
	strcpy(c->tags[c->tag_count++], key);
	return 0;
}

/* ---- the whole ---- */

static int take_section(struct yaml_file *y, const char *key, const yaml_node_t *at,
			yaml_node_t *value, void *arg)
{
	struct agent_config *c = arg;
	struct entry top[] = {{"collector", TEXT, c->collector, sizeof(c->collector)},
			      {"token-file", TEXT, c->token_file, sizeof(c->token_file)},
			      {"timeout", SECONDS, &c->timeout_s},
			      {"host", TEXT, c->host, sizeof(c->host)},
			      {"listen", TEXT, c->listen, sizeof(c->listen)},
			      {"containers", TEXT, c->containers, sizeof(c->containers)},
			      {"tls, spool, tags, rules, keep, requests, sampling, exact, budget, "
			       "limits"},
			      {NULL}};
	struct entry tls[] = {{"ca", TEXT, c->ca, sizeof(c->ca)},
			      {"certificate", TEXT, c->certificate, sizeof(c->certificate)},
			      {"key", TEXT, c->key, sizeof(c->key)}, {NULL}};
	struct entry spool[] = {{"directory", TEXT, c->spool, sizeof(c->spool)},
				{"limit", BYTES, &c->spool_limit}, {"memory", BYTES, &c->spool_memory},
				{NULL}};
	struct entry sampling[] = {{"rate", NUMBER, &c->rate, 0}, {"metric", METRIC, &c->metric},
				   {"paths", NUMBER, &c->max_paths, 1000},
				   {"renew", SECONDS, &c->renew_s}, {NULL}};
	struct entry exact[] = {{"share", SHARE, &c->exact_share},
				{"window", SECONDS, &c->exact_window_s},
				{"one-in", NUMBER, &c->exact_one_in, 2},
				{"endpoint", TEXT, c->exact_endpoint, sizeof(c->exact_endpoint)}, {NULL}};
	struct entry budget[] = {{"host", SHARE, &c->budget_host}, {"targets", SHARE, &c->budget_targets},
				 {"requests", SHARE, &c->budget_requests}, {NULL}};
	struct entry limits[] = {{"targets", NUMBER, &c->max_targets, 1},
				 {"values", NUMBER, &c->max_values, 1},
				 {"slices", NUMBER, &c->max_slices, 1},
				 {"path-share", SHARE, &c->min_path_share}, {NULL}};
	const struct {
		const char *key;
		struct entry *entries;
	} sections[] = {{"tls", tls}, {"spool", spool}, {"sampling", sampling}, {"exact", exact},
			{"budget", budget}, {"limits", limits}};

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++)
		if (!strcmp(sections[i].key, key))
			return yaml_file_pairs(y, value, key, take_entry, sections[i].entries);
	if (!strcmp(key, "tags"))
		return yaml_file_pairs(y, value, key, take_common, c);
	if (!strcmp(key, "rules"))
		return yaml_file_items(y, value, take_rule, c);
	if (!strcmp(key, "keep"))
		return yaml_file_items(y, value, take_kept, c);
	if (!strcmp(key, "requests"))
		return requests_read(y, c, value);
	return take_entry(y, key, at, value, top);
}

int agent_config_text(struct agent_config *c, const char *name, const char *text, size_t size,
		      char *err, size_t errlen)
{
	struct yaml_file y;
	yaml_node_t *root;
	int ret = yaml_file_parse(&y, name, text, size, err, errlen);

	if (ret)
		return ret;
	root = yaml_file_root(&y);
	ret = root ? yaml_file_pairs(&y, root, "the file", take_section, c) : 0;
	yaml_file_free(&y);
	return ret;
}

int agent_config_file(struct agent_config *c, const char *path, char *err, size_t errlen)
{
	char *text;
	size_t size;
	int ret = yaml_file_read(path, &text, &size, err, errlen);

	if (ret)
		return ret;
	ret = agent_config_text(c, path, text, size, err, errlen);
	free(text);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration of requests as a YAML file. The file's bytes are foreign: libyaml reads
 * them, and nothing here goes deeper than the four levels that there are.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "userspace/config_parts.h"

#define FILE_SIZE_MAX (1u << 20)

struct reading {
	struct request_config *config;
	yaml_document_t document;
	const char *name; /* of the file */
	char *err;
	size_t errlen;
};

/* Puts file and line in front of what there is to say. */
__attribute__((format(printf, 3, 4)))
static int fail_at(struct reading *r, size_t line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return config_fail(-EINVAL, r->err, r->errlen, "%s:%zu: %s", r->name, line, text);
}

#define FAIL(r, node, ...) fail_at(r, (node)->start_mark.line + 1, __VA_ARGS__)

static yaml_node_t *node_at(struct reading *r, int index)
{
	return yaml_document_get_node(&r->document, index);
}

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* A line of text; NULL: it is something else, and *ret_err says so. */
static const char *scalar(struct reading *r, yaml_node_t *node, const char *what, int *ret_err)
{
	if (node->type != YAML_SCALAR_NODE)
		*ret_err = FAIL(r, node, "%s must be text", what);
	else if (strlen(text_of(node)) != node->data.scalar.length ||
		 strpbrk(text_of(node), "\n\r"))
		*ret_err = FAIL(r, node, "%s must be one line of text", what);
	else
		return text_of(node);
	return NULL;
}

/* Each item of a sequence, or the node itself where it is none. */
static int each(struct reading *r, yaml_node_t *node,
		int (*take)(struct reading *r, yaml_node_t *node, void *arg), void *arg)
{
	int err = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return take(r, node, arg);
	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top && !err; item++)
		err = take(r, node_at(r, *item), arg);
	return err;
}

/* A mapping's keys and values. */
static int each_pair(struct reading *r, yaml_node_t *node, const char *what,
		     int (*take)(struct reading *r, const char *key, yaml_node_t *at,
				 yaml_node_t *value, void *arg),
		     void *arg)
{
	int err = 0;

	if (node->type == YAML_SCALAR_NODE && !*text_of(node))
		return 0; /* nothing after the colon */
	if (node->type != YAML_MAPPING_NODE)
		return FAIL(r, node, "%s must be a list of 'name: value'", what);
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top && !err; pair++) {
		yaml_node_t *key = node_at(r, pair->key);
		const char *name = scalar(r, key, "what is before ':'", &err);

		if (name)
			err = take(r, name, key, node_at(r, pair->value), arg);
	}
	return err;
}

/* What an addition says, with the line in front. */
static int told(struct reading *r, yaml_node_t *at, int err, const char *text)
{
	if (!err)
		return 0;
	FAIL(r, at, "%s", text);
	return err;
}

/* One of a few texts, once. */
struct part {
	const char *name;
	const char *value;
	yaml_node_t *at;
};

static int take_part(struct reading *r, const char *key, yaml_node_t *at, yaml_node_t *value,
		     void *arg)
{
	int err = 0;

	for (struct part *part = arg; part->name; part++)
		if (!strcmp(part->name, key)) {
			if (part->value)
				return FAIL(r, at, "'%s' is given twice", key);
			part->value = scalar(r, value, key, &err);
			part->at = value;
			return err;
		}
	return FAIL(r, at, "'%.64s' is not known here", key);
}

/* ---- routes ---- */

static int take_route(struct reading *r, yaml_node_t *node, void *arg)
{
	struct part parts[] = { { "pattern" }, { "method" }, { "name" }, { NULL } };
	char text[512];
	int err;

	if (node->type == YAML_SCALAR_NODE) {
		const char *route = scalar(r, node, "a route", &err);

		if (!route)
			return err;
		err = request_config_route(r->config, route, text, sizeof(text));
		return told(r, node, err, text);
	}
	err = each_pair(r, node, "a route", take_part, parts);
	if (err)
		return err;
	if (!parts[0].value)
		return FAIL(r, node, "a route must have a 'pattern'");
	err = request_config_add_route(r->config, parts[1].value, parts[0].value, parts[2].value, text,
				       sizeof(text));
	return told(r, node, err, text);
}

/* ---- fields ---- */

static int take_flag(struct reading *r, const struct part *part, unsigned flag, unsigned *how)
{
	static const char *const yes[] = { "true", "yes", "on" }, *const no[] = { "false", "no", "off" };

	if (!part->value)
		return 0;
	for (int i = 0; i < 3; i++) {
		if (!strcmp(part->value, yes[i]))
			*how |= flag;
		if (!strcmp(part->value, yes[i]) || !strcmp(part->value, no[i]))
			return 0;
	}
	return FAIL(r, part->at, "'%s' must be true or false", part->name);
}

/* header, cookie and argument come first. */
static int add_field(struct reading *r, yaml_node_t *node, const struct part *parts, unsigned how)
{
	const struct part *field = NULL;
	char text[512];
	int err;

	for (int i = 0; i < 3; i++)
		if (parts[i].value) {
			if (field)
				return FAIL(r, parts[i].at, "a field is one of header, cookie, argument");
			field = &parts[i];
		}
	if (!field)
		return FAIL(r, node, "a field must have one of header, cookie, argument");
	err = config_add_field(r->config, config_field_kind(field->name), field->value, parts[3].value,
			       how, text, sizeof(text));
	return told(r, field->at, err, text);
}

static int take_field(struct reading *r, yaml_node_t *node, void *arg)
{
	struct part parts[] = { { "header" }, { "cookie" }, { "argument" }, { "as" },
				{ "split" },  { "user" },   { "client" },   { NULL } };
	unsigned how = 0;
	char text[512];
	int err;

	if (node->type == YAML_SCALAR_NODE) {
		const char *field = scalar(r, node, "a field", &err);

		if (!field)
			return err;
		err = request_config_field(r->config, field, text, sizeof(text));
		return told(r, node, err, text);
	}
	err = each_pair(r, node, "a field", take_part, parts);
	if (!err)
		err = take_flag(r, &parts[4], FIELD_SPLIT, &how);
	if (!err)
		err = take_flag(r, &parts[5], FIELD_USER, &how);
	if (!err)
		err = take_flag(r, &parts[6], FIELD_AGENT, &how);
	return err ? err : add_field(r, node, parts, how);
}

/* ---- back ends, tags, limits ---- */

static int take_address(struct reading *r, yaml_node_t *node, void *arg)
{
	char text[512];
	int err = 0;
	const char *address = scalar(r, node, "an address", &err);

	if (!address)
		return err;
	err = config_add_address(r->config, arg, address, text, sizeof(text));
	return told(r, node, err, text);
}

static int take_backend(struct reading *r, const char *key, yaml_node_t *at, yaml_node_t *value,
			void *arg)
{
	return each(r, value, take_address, (void *)key);
}

static int take_tag(struct reading *r, const char *key, yaml_node_t *at, yaml_node_t *value,
		    void *arg)
{
	struct part parts[] = { { "env" }, { "file" }, { NULL } };
	enum tag_source source = TAG_TEXT;
	const char *tag = NULL;
	char text[512];
	int err = 0;

	if (value->type == YAML_SCALAR_NODE) {
		tag = scalar(r, value, "a tag", &err);
	} else {
		err = each_pair(r, value, "a tag", take_part, parts);
		if (!err && !parts[0].value == !parts[1].value)
			return FAIL(r, at, "the tag '%.64s' must have one of env, file", key);
		source = parts[0].value ? TAG_ENVIRONMENT : TAG_FILE;
		tag = parts[0].value ? parts[0].value : parts[1].value;
	}
	if (err)
		return err;
	err = request_config_add_tag(r->config, key, source, tag, text, sizeof(text));
	return told(r, at, err, text);
}

static int take_limit(struct reading *r, const char *key, yaml_node_t *at, yaml_node_t *value,
		      void *arg)
{
	char text[512];
	int err = 0;
	const char *limit = scalar(r, value, "a limit", &err);

	if (!limit)
		return err;
	err = request_config_limit(r->config, key, limit, text, sizeof(text));
	return told(r, at, err, text);
}

static int take_key(struct reading *r, yaml_node_t *value)
{
	char text[512];
	int err = 0;
	const char *path = scalar(r, value, "user-key", &err);

	if (!path)
		return err;
	err = request_config_user_key(r->config, path, text, sizeof(text));
	return told(r, value, err, text);
}

static int take_marks(struct reading *r, yaml_node_t *value)
{
	struct part part = { "marks", NULL, value };
	unsigned how = 0;
	int err = 0;

	part.value = scalar(r, value, part.name, &err);
	if (!err)
		err = take_flag(r, &part, 1, &how);
	r->config->marks = how;
	return err;
}

/* ---- the whole ---- */

static int take_section(struct reading *r, const char *key, yaml_node_t *at, yaml_node_t *value,
			void *arg)
{
	bool empty = value->type == YAML_SCALAR_NODE && !*text_of(value);

	if (!strcmp(key, "routes"))
		return empty ? 0 : each(r, value, take_route, NULL);
	if (!strcmp(key, "fields"))
		return empty ? 0 : each(r, value, take_field, NULL);
	if (!strcmp(key, "backends"))
		return each_pair(r, value, key, take_backend, NULL);
	if (!strcmp(key, "tags"))
		return each_pair(r, value, key, take_tag, NULL);
	if (!strcmp(key, "limits"))
		return each_pair(r, value, key, take_limit, NULL);
	if (!strcmp(key, "user-key"))
		return take_key(r, value);
	if (!strcmp(key, "marks"))
		return take_marks(r, value);
	return FAIL(r, at,
		    "'%.64s' is none of routes, fields, backends, tags, limits, user-key, marks", key);
}

static int document_read(struct reading *r)
{
	yaml_node_t *root = yaml_document_get_root_node(&r->document);

	return root ? each_pair(r, root, "the file", take_section, NULL) : 0;
}

/* The configuration as a whole, or as it was. */
static int apply(struct reading *r)
{
	struct request_config *c = r->config, copy = *c;
	int err;

	copy.routes = NULL;
	if (c->route_count) {
		copy.routes = reallocarray(NULL, c->route_count, sizeof(*copy.routes));
		if (!copy.routes)
			return config_fail(-ENOMEM, r->err, r->errlen, "no memory");
		memcpy(copy.routes, c->routes, c->route_count * sizeof(*copy.routes));
	}
	r->config = &copy;
	err = document_read(r);
	r->config = c;
	if (err) {
		request_config_clear(&copy);
		return err;
	}
	free(c->routes);
	*c = copy;
	explicit_bzero(copy.key, sizeof(copy.key));
	return 0;
}

int request_config_text(struct request_config *c, const char *name, const char *text, size_t size,
			char *err, size_t errlen)
{
	struct reading r = { .config = c, .name = name, .err = err, .errlen = errlen };
	yaml_parser_t parser;
	int ret;

	if (!yaml_parser_initialize(&parser))
		return config_fail(-ENOMEM, err, errlen, "no memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (yaml_parser_load(&parser, &r.document)) {
		ret = apply(&r);
		yaml_document_delete(&r.document);
	} else {
		ret = fail_at(&r, parser.problem_mark.line + 1, "%s%s%s", parser.context ? parser.context : "",
			      parser.context ? ": " : "",
			      parser.problem ? parser.problem : "no YAML");
	}
	yaml_parser_delete(&parser);
	return ret;
}

int request_config_file(struct request_config *c, const char *path, char *err, size_t errlen)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t size;
	int ret;

	if (!f)
		return config_fail(-errno, err, errlen, "cannot read %s: %s", path, strerror(errno));
	text = malloc(FILE_SIZE_MAX);
	size = text ? fread(text, 1, FILE_SIZE_MAX, f) : 0;
	if (!text)
		ret = config_fail(-ENOMEM, err, errlen, "no memory");
	else if (ferror(f))
		ret = config_fail(-EIO, err, errlen, "cannot read %s: %s", path, strerror(errno));
	else if (size == FILE_SIZE_MAX)
		ret = config_fail(-EFBIG, err, errlen, "%s is larger than 1 MiB", path);
	else
		ret = request_config_text(c, path, text, size, err, errlen);
	free(text);
	fclose(f);
	return ret;
}

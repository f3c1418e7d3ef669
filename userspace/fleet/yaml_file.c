/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/yaml_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (1u << 20)

static int say(char *err, size_t errlen, int error, const char *path, const char *what)
{
	snprintf(err, errlen, "cannot read %s: %s", path, what);
	return error;
}

int yaml_file_read(const char *path, char **ret_text, size_t *ret_size, char *err, size_t errlen)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t size;
	int ret = 0;

	if (!f)
		return say(err, errlen, -errno, path, strerror(errno));
	setvbuf(f, NULL, _IONBF, 0); /* no copy of it is left behind */
	text = malloc(FILE_SIZE_MAX);
	size = text ? fread(text, 1, FILE_SIZE_MAX, f) : 0;
	if (!text)
		ret = say(err, errlen, -ENOMEM, path, "no memory");
	else if (ferror(f))
		ret = say(err, errlen, -EIO, path, strerror(errno ? errno : EIO));
	else if (size == FILE_SIZE_MAX)
		ret = say(err, errlen, -EFBIG, path, "it is larger than 1 MiB");
	fclose(f);
	if (ret) {
		free(text);
		return ret;
	}
	*ret_text = text;
	*ret_size = size;
	return 0;
}

static int fail_at(struct yaml_file *y, size_t line, const char *text)
{
	snprintf(y->err, y->errlen, "%s:%zu: %s", y->name, line, text);
	return -EINVAL;
}

int yaml_file_fail(struct yaml_file *y, const yaml_node_t *at, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fail_at(y, at->start_mark.line + 1, text);
}

int yaml_file_parse(struct yaml_file *y, const char *name, const char *text, size_t size,
		     char *err, size_t errlen)
{
	yaml_parser_t parser;
	char why[256];
	int ret = 0;

	*y = (struct yaml_file){ .name = name, .err = err, .errlen = errlen };
	if (!yaml_parser_initialize(&parser)) {
		snprintf(err, errlen, "no memory");
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (!yaml_parser_load(&parser, &y->document)) {
		snprintf(why, sizeof(why), "%s%s%s", parser.context ? parser.context : "",
			 parser.context ? ": " : "", parser.problem ? parser.problem : "no YAML");
		ret = fail_at(y, parser.problem_mark.line + 1, why);
	}
	yaml_parser_delete(&parser);
	return ret;
}

void yaml_file_free(struct yaml_file *y)
{
	for (yaml_node_t *n = y->document.nodes.start; n < y->document.nodes.top; n++)
		if (n->type == YAML_SCALAR_NODE)
			explicit_bzero(n->data.scalar.value, n->data.scalar.length);
	yaml_document_delete(&y->document);
}

yaml_node_t *yaml_file_root(struct yaml_file *y)
{
	return yaml_document_get_root_node(&y->document);
}

yaml_node_t *yaml_file_node(struct yaml_file *y, int index)
{
	return yaml_document_get_node(&y->document, index);
}

const char *yaml_file_text(struct yaml_file *y, const yaml_node_t *node, const char *what)
{
	const char *text;

	if (node->type != YAML_SCALAR_NODE) {
		yaml_file_fail(y, node, "%.64s must be text", what);
		return NULL;
	}
	text = (const char *)node->data.scalar.value;
	if (strlen(text) == node->data.scalar.length && !strpbrk(text, "\n\r"))
		return text;
	yaml_file_fail(y, node, "%.64s must be one line of text", what);
	return NULL;
}

static int is_empty(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && !node->data.scalar.length;
}

int yaml_file_pairs(struct yaml_file *y, yaml_node_t *node, const char *what,
		     yaml_file_pair_fn take, void *arg)
{
	int err = 0;

	if (is_empty(node))
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return yaml_file_fail(y, node, "%.64s must be lines of 'name: value'", what);
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top && !err; pair++) {
		yaml_node_t *at = yaml_file_node(y, pair->key);
		const char *key = yaml_file_text(y, at, "what is before ':'");

		err = key ? take(y, key, at, yaml_file_node(y, pair->value), arg) : -EINVAL;
	}
	return err;
}

int yaml_file_items(struct yaml_file *y, yaml_node_t *node, yaml_file_item_fn take, void *arg)
{
	int err = 0;

	if (is_empty(node))
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		return take(y, node, arg);
	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top && !err; item++)
		err = take(y, yaml_file_node(y, *item), arg);
	return err;
}

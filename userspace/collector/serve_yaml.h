/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * YAML of the collector's files: foreign bytes, read by libyaml into a tree, of which
 * everything is asked for with the line it is in.
 */
#ifndef PYCOST_SERVE_YAML_H
#define PYCOST_SERVE_YAML_H

#include <stddef.h>
#include <yaml.h>

struct serve_yaml {
	yaml_document_t document;
	const char *name; /* of the file, for errors */
	char *err;
	size_t errlen;
};

/* err gets a sentence with file and line. -EINVAL, -ENOMEM. */
int serve_yaml_parse(struct serve_yaml *y, const char *name, const char *text, size_t size,
		     char *err, size_t errlen);
/* Overwrites every text in it first. */
void serve_yaml_free(struct serve_yaml *y);

/* The whole of a file, at most 1 MiB; explicit_bzero() and free(*ret_text). -errno and err. */
int serve_yaml_file(const char *path, char **ret_text, size_t *ret_size, char *err, size_t errlen);

/* Leaves "FILE:LINE: ..." in err; -EINVAL. */
__attribute__((format(printf, 3, 4)))
int serve_yaml_fail(struct serve_yaml *y, const yaml_node_t *at, const char *fmt, ...);

/* NULL: an empty file. */
yaml_node_t *serve_yaml_root(struct serve_yaml *y);
yaml_node_t *serve_yaml_node(struct serve_yaml *y, int index);
/* One line of text, which belongs to the tree; NULL: it is not, and err says so. */
const char *serve_yaml_text(struct serve_yaml *y, const yaml_node_t *node, const char *what);

/* Not 0 ends it and is returned. An empty scalar has neither items nor pairs. */
typedef int (*serve_yaml_pair_fn)(struct serve_yaml *y, const char *key, const yaml_node_t *at,
				  yaml_node_t *value, void *arg);
typedef int (*serve_yaml_item_fn)(struct serve_yaml *y, yaml_node_t *item, void *arg);
int serve_yaml_pairs(struct serve_yaml *y, yaml_node_t *node, const char *what,
		     serve_yaml_pair_fn take, void *arg);
/* One that is no sequence is its only item. */
int serve_yaml_items(struct serve_yaml *y, yaml_node_t *node, serve_yaml_item_fn take, void *arg);

#endif

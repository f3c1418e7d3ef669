/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * YAML of agents and collectors: foreign bytes, read by libyaml into a tree, of which
 * everything is asked for with the line it is in.
 */
#ifndef PYCOST_YAML_FILE_H
#define PYCOST_YAML_FILE_H

#include <stddef.h>
#include <yaml.h>

struct yaml_file {
	yaml_document_t document;
	const char *name; /* of the file, for errors */
	char *err;
	size_t errlen;
};

/* err gets a sentence with file and line. -EINVAL, -ENOMEM. */
int yaml_file_parse(struct yaml_file *y, const char *name, const char *text, size_t size,
		     char *err, size_t errlen);
/* Overwrites every text in it first. */
void yaml_file_free(struct yaml_file *y);

/* The whole of a file, at most 1 MiB; explicit_bzero() and free(*ret_text). -errno and err. */
int yaml_file_read(const char *path, char **ret_text, size_t *ret_size, char *err, size_t errlen);

/* Leaves "FILE:LINE: ..." in err; -EINVAL. */
__attribute__((format(printf, 3, 4)))
int yaml_file_fail(struct yaml_file *y, const yaml_node_t *at, const char *fmt, ...);

/* NULL: an empty file. */
yaml_node_t *yaml_file_root(struct yaml_file *y);
yaml_node_t *yaml_file_node(struct yaml_file *y, int index);
/* One line of text, which belongs to the tree; NULL: it is not, and err says so. */
const char *yaml_file_text(struct yaml_file *y, const yaml_node_t *node, const char *what);

/* Not 0 ends it and is returned. An empty scalar has neither items nor pairs. */
typedef int (*yaml_file_pair_fn)(struct yaml_file *y, const char *key, const yaml_node_t *at,
				  yaml_node_t *value, void *arg);
typedef int (*yaml_file_item_fn)(struct yaml_file *y, yaml_node_t *item, void *arg);
int yaml_file_pairs(struct yaml_file *y, yaml_node_t *node, const char *what,
		     yaml_file_pair_fn take, void *arg);
/* One that is no sequence is its only item. */
int yaml_file_items(struct yaml_file *y, yaml_node_t *node, yaml_file_item_fn take, void *arg);

#endif

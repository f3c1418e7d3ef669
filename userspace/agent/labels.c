/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/labels.h"

#include <errno.h>
#include <glob.h>
#include <jansson.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/agent/bolt.h"

#define FILE_MAX (4u << 20)
#define BOLT_MAX (64u << 20)

void labels_clear(struct labels *l)
{
	free(l->v);
	*l = (struct labels){0};
}

const char *labels_get(const struct labels *l, const char *key)
{
	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->v[i].key, key))
			return l->v[i].value;
	return NULL;
}

/* What is too long for a tag, or one too many, is left out; the first of a key holds. */
static void label_add(struct labels *l, const char *key, const char *value)
{
	if (!key || !value || !*key || strlen(key) >= LABEL_SIZE || strlen(value) >= LABEL_SIZE ||
	    l->count == LABELS_MAX || labels_get(l, key))
		return;
	if (!l->v)
		l->v = calloc(LABELS_MAX, sizeof(*l->v));
	if (!l->v)
		return;
	strcpy(l->v[l->count].key, key);
	strcpy(l->v[l->count++].value, value);
}

/* Those that are wanted by known names come first: they are not the ones that are cut. */
static void labels_take(struct labels *l, json_t *object)
{
	static const struct {
		const char *from, *to;
	} known[] = {
		{"io.kubernetes.cri.container-name", "container.name"},
		{"io.kubernetes.container.name", "container.name"},
		{"nerdctl/name", "container.name"},
		{"io.kubernetes.cri.image-name", "container.image"},
		{"io.kubernetes.cri-o.ImageName", "container.image"},
		{"io.kubernetes.cri.sandbox-name", "pod.name"},
		{"io.kubernetes.pod.name", "pod.name"},
		{"io.kubernetes.cri.sandbox-namespace", "pod.namespace"},
		{"io.kubernetes.pod.namespace", "pod.namespace"},
	};
	const char *key;
	json_t *value;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		label_add(l, known[i].to, json_string_value(json_object_get(object, known[i].from)));
	json_object_foreach(object, key, value)
		label_add(l, key, json_string_value(value));
}

static json_t *json_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return NULL;
	return json_load_file(path, 0, NULL);
}

static void docker_read(const char *root, const char *id, struct labels *ret)
{
	char path[PATH_MAX];
	const char *name;
	json_t *file, *config;

	snprintf(path, sizeof(path), "%s/var/lib/docker/containers/%s/config.v2.json", root, id);
	file = json_file(path);
	if (!file)
		return;
	config = json_object_get(file, "Config");
	name = json_string_value(json_object_get(file, "Name"));
	label_add(ret, "container.name", name && *name == '/' ? name + 1 : name);
	label_add(ret, "container.image", json_string_value(json_object_get(config, "Image")));
	labels_take(ret, json_object_get(config, "Labels"));
	json_decref(file);
}

static void podman_row(struct labels *ret, const char *text, size_t size)
{
	json_t *row = json_loadb(text, size, 0, NULL);

	label_add(ret, "container.name", json_string_value(json_object_get(row, "name")));
	label_add(ret, "container.image", json_string_value(json_object_get(row, "rootfsImageName")));
	labels_take(ret, json_object_get(row, "labels"));
	json_decref(row);
}

static void podman_read(const char *root, const char *id, struct labels *ret)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;

	snprintf(path, sizeof(path), "%s/var/lib/containers/storage/db.sql", root);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, "SELECT JSON FROM ContainerConfig WHERE ID=?", -1, &st, NULL) ==
		    SQLITE_OK &&
	    sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0))
		podman_row(ret, (const char *)sqlite3_column_text(st, 0), sqlite3_column_bytes(st, 0));
	sqlite3_finalize(st);
	sqlite3_close(db);
}

/* A copy: what another writes to meanwhile is torn at worst, not taken away. */
static void *bolt_file(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	void *data = NULL;

	if (f && !fstat(fileno(f), &st) && S_ISREG(st.st_mode) && st.st_size <= BOLT_MAX)
		data = malloc(st.st_size + 1);
	if (data)
		*ret_size = fread(data, 1, st.st_size, f);
	if (f)
		fclose(f);
	return data;
}

static void old_podman_read(const char *root, const char *id, struct labels *ret)
{
	const char *names[] = {"ctr", id, "config"};
	char path[PATH_MAX];
	const void *text;
	size_t size, length;
	void *data;

	snprintf(path, sizeof(path), "%s/var/lib/containers/storage/libpod/bolt_state.db", root);
	data = bolt_file(path, &size);
	if (data && !bolt_get(data, size, names, 2, &text, &length))
		podman_row(ret, text, length);
	free(data);
}

/* The first that the pattern finds. */
static void bundle_read(const char *pattern, struct labels *ret)
{
	json_t *file = NULL;
	glob_t found;

	if (!glob(pattern, GLOB_NOSORT, NULL, &found))
		file = json_file(found.gl_pathv[0]);
	globfree(&found);
	labels_take(ret, json_object_get(file, "annotations"));
	json_decref(file);
}

int labels_read(const char *root, const char *id, struct labels *ret)
{
	char pattern[PATH_MAX];

	*ret = (struct labels){0};
	docker_read(root, id, ret);
	if (!ret->count)
		podman_read(root, id, ret);
	if (!ret->count)
		old_podman_read(root, id, ret);
	if (!ret->count) {
		snprintf(pattern, sizeof(pattern),
			 "%s/run/containerd/io.containerd.runtime.v2.task/*/%s/config.json", root, id);
		bundle_read(pattern, ret);
	}
	if (!ret->count) {
		snprintf(pattern, sizeof(pattern),
			 "%s/run/containers/storage/overlay-containers/%s/userdata/config.json", root, id);
		bundle_read(pattern, ret);
	}
	return ret->count ? 0 : -ENOENT;
}

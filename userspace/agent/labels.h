/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Labels of a container, read where its engine keeps them; no engine is asked.
 *
 *	Docker		var/lib/docker/containers/ID/config.v2.json: Config.Labels
 *	Podman		var/lib/containers/storage/db.sql: ContainerConfig.JSON, labels
 *			before Podman 5 var/lib/containers/storage/libpod/bolt_state.db:
 *			ctr, ID, config, which is the same JSON with the name in it
 *	CRI-O		run/containers/storage/overlay-containers/ID/userdata/config.json
 *	containerd	run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json
 *
 * The last two are OCI bundles, whose annotations are taken for labels. Besides these,
 * "container.name", "container.image", "pod.name" and "pod.namespace" are set where they
 * are told, whatever the engine calls them.
 */
#ifndef PYCOST_LABELS_H
#define PYCOST_LABELS_H

#include <stddef.h>

#define LABELS_MAX 64
#define LABEL_SIZE 256

struct label {
	char key[LABEL_SIZE], value[LABEL_SIZE];
};

struct labels {
	size_t count;
	struct label *v;
};

/* root: "" or a directory in whose place of "/" it is looked. id: 64 digits. -ENOENT. */
int labels_read(const char *root, const char *id, struct labels *ret);
const char *labels_get(const struct labels *l, const char *key); /* NULL: it has none */
void labels_clear(struct labels *l);

#endif

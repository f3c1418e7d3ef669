/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/object_share.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

int object_share_maps(const struct bpf_object *from, struct bpf_object *to)
{
	struct bpf_map *map, *theirs;
	int err;

	bpf_object__for_each_map(map, to) {
		theirs = bpf_object__find_map_by_name(from, bpf_map__name(map));
		if (!theirs || bpf_map__is_internal(map))
			continue;
		err = bpf_map__reuse_fd(map, bpf_map__fd(theirs));
		if (err)
			return err;
	}
	return 0;
}

/* The constants of an object: their values, and where BTF says that each is. */
struct constants {
	char *values;
	size_t size;
	const struct btf *btf;
	const struct btf_type *section;
};

static int constants_of(const struct bpf_object *object, struct constants *ret)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	int32_t id;

	ret->btf = bpf_object__btf(object);
	id = ret->btf ? btf__find_by_name_kind(ret->btf, ".rodata", BTF_KIND_DATASEC) : -ENOENT;
	if (!map || id < 0)
		return -ENOENT;
	ret->section = btf__type_by_id(ret->btf, id);
	/* libbpf 1.1 takes no map that is const. */
	ret->values = (char *)bpf_map__initial_value(map, &ret->size);
	return ret->values ? 0 : -ENOENT;
}

static const struct btf_var_secinfo *constant_find(const struct constants *c, const char *name)
{
	const struct btf_var_secinfo *v = btf_var_secinfos(c->section);

	for (unsigned i = 0; i < btf_vlen(c->section); i++, v++) {
		const struct btf_type *t = btf__type_by_id(c->btf, v->type);

		if (!strcmp(btf__name_by_offset(c->btf, t->name_off), name))
			return v;
	}
	return NULL;
}

int object_share_constants(const struct bpf_object *from, struct bpf_object *to)
{
	struct constants theirs, ours;
	const struct btf_var_secinfo *v, *found;
	int err = constants_of(to, &ours);

	if (!err)
		err = constants_of(from, &theirs);
	if (err)
		return err;
	v = btf_var_secinfos(ours.section);
	for (unsigned i = 0; i < btf_vlen(ours.section); i++, v++) {
		const struct btf_type *t = btf__type_by_id(ours.btf, v->type);

		found = constant_find(&theirs, btf__name_by_offset(ours.btf, t->name_off));
		if (!found || found->size != v->size || v->offset + v->size > ours.size ||
		    found->offset + found->size > theirs.size)
			continue;
		memcpy(ours.values + v->offset, theirs.values + found->offset, v->size);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/cpu_kinds.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list of every other CPU of CPU_LIST_CPUS. */
#define LINE_SIZE (CPU_LIST_CPUS * 3)

/* One number of the list; false when there is none. */
static bool number_take(const char **at, unsigned *ret)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)**at))
		return false;
	n = strtoul(*at, &end, 10);
	if (n >= CPU_LIST_CPUS)
		return false;
	*ret = n;
	*at = end;
	return true;
}

int cpu_list_parse(const char *text, struct cpu_list *ret)
{
	unsigned first, last;

	*ret = (struct cpu_list){0};
	while (*text && *text != '\n') {
		if (!number_take(&text, &first))
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (!number_take(&text, &last) || last < first)
				return -EINVAL;
		}
		for (unsigned cpu = first; cpu <= last; cpu++)
			ret->bits[cpu / 64] |= 1ull << cpu % 64;
		if (*text == ',' && isdigit((unsigned char)text[1]))
			text++;
		else if (*text && *text != '\n')
			return -EINVAL;
	}
	return 0;
}

/* An empty file has an empty line. */
static int line_read(const char *path, char *ret, int size)
{
	FILE *f = fopen(path, "re");
	int err = 0;

	if (!f)
		return -errno;
	if (!fgets(ret, size, f)) {
		*ret = 0;
		err = ferror(f) ? -EIO : 0;
	}
	fclose(f);
	return err;
}

int cpu_list_read(const char *path, struct cpu_list *ret)
{
	char *line = malloc(LINE_SIZE);
	int err = line ? line_read(path, line, LINE_SIZE) : -ENOMEM;

	if (!err)
		err = cpu_list_parse(line, ret);
	free(line);
	return err;
}

bool cpu_list_has(const struct cpu_list *l, unsigned cpu)
{
	return cpu < CPU_LIST_CPUS && l->bits[cpu / 64] >> cpu % 64 & 1;
}

static int type_read(const char *path, uint32_t *ret)
{
	char line[32], *end;
	unsigned long type;
	int err = line_read(path, line, sizeof(line));

	if (err)
		return err;
	type = strtoul(line, &end, 10);
	if (end == line || (*end && *end != '\n') || type > UINT32_MAX)
		return -EINVAL;
	*ret = type;
	return 0;
}

static int kind_read(const char *dir, const char *name, struct cpu_kind *ret)
{
	char path[4096];
	int err;

	if (strlen(name) >= sizeof(ret->name))
		return -ENAMETOOLONG;
	strcpy(ret->name, name);
	snprintf(path, sizeof(path), "%s/%s/cpus", dir, name);
	err = cpu_list_read(path, &ret->cpus);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/%s/type", dir, name);
	return type_read(path, &ret->type);
}

static unsigned first_cpu(const struct cpu_kind *k)
{
	unsigned cpu = 0;

	while (cpu < CPU_LIST_CPUS && !cpu_list_has(&k->cpus, cpu))
		cpu++;
	return cpu;
}

static int by_first_cpu(const void *a, const void *b)
{
	unsigned x = first_cpu(a), y = first_cpu(b);

	return (x > y) - (x < y);
}

int cpu_kinds_read(const char *dir, struct cpu_kinds *ret)
{
	struct cpu_kind kind;
	struct dirent *e;
	DIR *d = opendir(dir);
	int err = 0;

	*ret = (struct cpu_kinds){0};
	if (!d)
		return -errno;
	while (!err && (e = readdir(d))) {
		if (*e->d_name == '.' || kind_read(dir, e->d_name, &kind))
			continue;
		if (ret->n == CPU_KINDS_MAX)
			err = -E2BIG;
		else
			ret->v[ret->n++] = kind;
	}
	closedir(d);
	qsort(ret->v, ret->n, sizeof(*ret->v), by_first_cpu);
	return err;
}

bool cpu_kinds_mixed(const struct cpu_kinds *k)
{
	return k->n > 1;
}

const struct cpu_kind *cpu_kinds_of(const struct cpu_kinds *k, unsigned cpu)
{
	for (unsigned i = 0; i < k->n; i++)
		if (cpu_list_has(&k->v[i].cpus, cpu))
			return &k->v[i];
	return NULL;
}

uint64_t cpu_kind_config(const struct cpu_kind *kind, uint32_t event)
{
	return kind ? (uint64_t)kind->type << PERF_PMU_TYPE_SHIFT | event : event;
}

void cpu_kinds_names(const struct cpu_kinds *k, char *ret, size_t size)
{
	size_t used = 0;

	if (size)
		*ret = 0;
	for (unsigned i = 0; i < k->n && used < size; i++)
		used += snprintf(ret + used, size - used, "%s%s", i ? ", " : "", k->v[i].name);
}

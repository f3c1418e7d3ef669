/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an interpreter without live function probes is probed instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/interpreter.h"
#include "userspace/doctor.h"

/* "2 opcode handlers", "1 function", "2 opcode handlers and 1 function" */
static void tell_kinds(const struct probe_sites *sites, char *ret, size_t size)
{
	unsigned handlers = 0, functions = 0;

	for (size_t i = 0; i < sites->n; i++) {
		handlers += sites->v[i].kind == SITE_HANDLER;
		functions += sites->v[i].kind == SITE_FUNCTION;
	}
	*ret = 0;
	if (handlers)
		snprintf(ret, size, "%u opcode handler%s", handlers, handlers == 1 ? "" : "s");
	if (functions)
		snprintf(ret + strlen(ret), size - strlen(ret), "%s%u function%s",
			 handlers ? " and " : "", functions, functions == 1 ? "" : "s");
}

static void tell_site(FILE *out, const struct probe_site *site)
{
	fprintf(out, "%s at 0x%llx %s, %s", site->name, (unsigned long long)site->offset,
		site->insn, site->emulated ? "emulated" : "single-stepped");
}

static void check_sites(struct checkup *c, const char *what, const struct probe_sites *sites)
{
	char kinds[96], *list = NULL;
	size_t size;
	FILE *out = open_memstream(&list, &size);

	if (!out) {
		c->failed = true;
		return;
	}
	for (size_t i = 0; i < sites->n; i++) {
		fputs(i ? "; " : "", out);
		tell_site(out, &sites->v[i]);
	}
	if (fclose(out)) {
		c->failed = true;
		free(list);
		return;
	}
	tell_kinds(sites, kinds, sizeof(kinds));
	checkup_add(c, CHECK_OK, what, NULL, "at %s (%s)", kinds, list);
	free(list);
}

void doctor_sites(struct checkup *c, const struct interpreter *in)
{
	check_sites(c, "function entries", &in->entries);
	check_sites(c, "function returns", &in->returns);
}

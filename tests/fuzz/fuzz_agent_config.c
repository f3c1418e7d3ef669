/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An agent's configuration as a file; its rules on what /proc and command lines may hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/agent/agent_config.h"

static void fuzz_rules(const struct agent_config *c, const char *text)
{
	static struct tag_list tags;
	struct process_facts f = {.root = "/nonexistent", .has_environment = true,
				  .has_labels = true};

	strncpy(f.command, text, sizeof(f.command) - 1);
	strncpy(f.user, text, sizeof(f.user) - 1);
	process_facts_cgroup(&f, text);
	if (rules_apply(c->rules, c->rule_count, &f, &tags) &&
	    (!tag_list_get(&tags, "service") || !*tag_list_get(&tags, "service")))
		abort();
}

/* An expression of nested repetitions may take the C library for ever. */
static bool is_tame(const char *text)
{
	return strlen(text) < 2000 && !strpbrk(text, "{\\") && !strstr(text, "file") &&
	       !strstr(text, "requests");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), err[512] = "";
	struct agent_config c;

	if (!text || agent_config_init(&c))
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	/* Files of any name are not read. */
	if (!memmem(text, size, "file", 4) && !memmem(text, size, "requests", 8)) {
		int ret = agent_config_text(&c, "f", text, size, err, sizeof(err));

		if (ret && (!*err || strchr(err, '\n')))
			abort();
		if (!ret && is_tame(text))
			fuzz_rules(&c, text);
		if (!ret && agent_config_finish(&c, err, sizeof(err)) && !*err)
			abort();
	}
	agent_config_clear(&c);
	free(text);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an agent does, as its YAML file says, or its options.
 *
 *	agent_config_init(), then a file or additions; agent_config_finish(); then read only,
 *	until agent_config_clear().
 */
#ifndef PYCOST_AGENT_CONFIG_H
#define PYCOST_AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/agent/rule.h"
#include "userspace/request_config.h"
#include "userspace/sink.h"

#define AGENT_TEXT_MAX 1024
#define AGENT_COMMON_MAX 24 /* tags of everything */

struct agent_config {
	/* Where to. */
	char collector[AGENT_TEXT_MAX]; /* "http://HOST:PORT" */
	char token_file[AGENT_TEXT_MAX], ca[AGENT_TEXT_MAX], certificate[AGENT_TEXT_MAX],
		key[AGENT_TEXT_MAX];
	unsigned timeout_s; /* of one batch's way */

	char spool[AGENT_TEXT_MAX]; /* directory */
	uint64_t spool_limit, spool_memory; /* bytes */

	/* Who we are: "" of a host is its own name. */
	char host[RULE_TEXT_MAX];
	struct rule_tag common[AGENT_COMMON_MAX]; /* values are VALUE_TEXT by now */
	unsigned common_count;

	char listen[64]; /* address:port of metrics and health; "": none */

	struct rule *rules;
	size_t rule_count;
	char containers[AGENT_TEXT_MAX]; /* in whose place of "/" labels are looked for; "" */
	unsigned max_targets;

	/* What is measured. */
	enum metric metric; /* 0: the best there is */
	unsigned rate;	    /* samples a second on a busy CPU; 0: none */
	unsigned max_paths; /* 0: the default */
	struct request_config requests;
	double exact_share; /* of hosts and time that are the turn of exact costs */
	unsigned exact_window_s, exact_one_in;
	char exact_endpoint[RULE_TEXT_MAX]; /* glob; "": all */
	unsigned renew_s; /* of a session */

	/* Shares that may be taken: 0.01 is a hundredth. */
	double budget_host;	/* of the CPUs of this host, by agent and kernel programs */
	double budget_targets;	/* of the targets' own CPU time, by what is put into their way */
	double budget_requests; /* of that, for requests */

	/* What is kept apart. */
	unsigned max_values; /* of each tag; beyond it there is "other" */
	unsigned max_slices;
	double min_path_share; /* of a slice's cost: rarer paths are folded into their callers */
	char tags[AGENT_COMMON_MAX][TAG_KEY_MAX + 1]; /* of requests, that costs are kept apart by */
	unsigned tag_count;

	bool quiet;
};

int agent_config_init(struct agent_config *c);
void agent_config_clear(struct agent_config *c);

/* One more rule, empty; NULL: there are RULES_MAX, or no memory. */
struct rule *agent_config_rule(struct agent_config *c);

/* Errors name file and line; what was read by then stays: clear it. */
int agent_config_file(struct agent_config *c, const char *path, char *err, size_t errlen);
int agent_config_text(struct agent_config *c, const char *name, const char *text, size_t size,
		      char *err, size_t errlen);

/* Defaults where nothing was said, and what does not go together. -EINVAL, words in err. */
int agent_config_finish(struct agent_config *c, char *err, size_t errlen);

#endif

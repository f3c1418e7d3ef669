/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes are measured, and as what. All conditions of a rule must hold; of the
 * rules that hold the first counts. What a value is made of that is not there leaves the
 * tag out, and the service to the next source of it.
 */
#ifndef PYCOST_RULE_H
#define PYCOST_RULE_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "userspace/agent/process_facts.h"
#include "userspace/tag_sets.h"

#define RULE_TEXT_MAX 256
#define RULE_LABELS_MAX 8
#define RULE_TAGS_MAX 16
#define RULES_MAX 64
#define RULE_GROUPS 10 /* of the expression: \0 to \9 */

enum value_source {
	VALUE_NONE = 0,
	VALUE_TEXT,	   /* with \1 for what the expression's first group found */
	VALUE_ENVIRONMENT, /* a variable of the process */
	VALUE_LABEL,	   /* of its container */
	VALUE_FACT,	   /* as process_facts_named() */
};

struct rule_value {
	enum value_source source;
	char text[RULE_TEXT_MAX];
};

struct rule_tag {
	char key[TAG_KEY_MAX + 1];
	struct rule_value value;
};

struct rule_label {
	char key[RULE_TEXT_MAX], glob[RULE_TEXT_MAX];
};

struct rule {
	bool has_match;
	regex_t match; /* of the command line, its words joined by blanks */
	char unit[RULE_TEXT_MAX], cgroup[RULE_TEXT_MAX], user[RULE_TEXT_MAX]; /* globs; "": any */
	char variable[RULE_TEXT_MAX], variable_glob[RULE_TEXT_MAX]; /* of the environment */
	struct rule_label labels[RULE_LABELS_MAX];
	unsigned label_count;
	bool ignore; /* what it holds of is left alone */
	struct rule_value service, version;
	struct rule_tag tags[RULE_TAGS_MAX];
	unsigned tag_count;
};

/* POSIX extended. -EINVAL: err says what is wrong. */
int rule_match_set(struct rule *r, const char *expression, char *err, size_t errlen);
/* Whether it asks anything at all of a process. */
bool rule_asks(const struct rule *r);
void rule_clear(struct rule *r);

/*
 * NULL: none holds, or one that says to leave it alone. Otherwise the tags by which the
 * process is known: service always, version and the rule's own where they are there.
 */
const struct rule *rules_apply(const struct rule *rules, size_t count, struct process_facts *f,
			       struct tag_list *ret);

#endif

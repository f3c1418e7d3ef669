/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/rule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "userspace/fleet/batch.h"
#include "userspace/glob.h"

int rule_match_set(struct rule *r, const char *expression, char *text, size_t len)
{
	int err;

	if (r->has_match) {
		snprintf(text, len, "there is an expression already");
		return -EINVAL;
	}
	err = regcomp(&r->match, expression, REG_EXTENDED);
	if (err) {
		regerror(err, &r->match, text, len);
		return -EINVAL;
	}
	r->has_match = true;
	return 0;
}

void rule_clear(struct rule *r)
{
	if (r->has_match)
		regfree(&r->match);
	*r = (struct rule){0};
}

bool rule_asks(const struct rule *r)
{
	return r->has_match || *r->unit || *r->cgroup || *r->user || *r->variable ||
	       r->label_count;
}

static bool glob_holds(const char *glob, const char *text)
{
	return text && glob_matches(glob, text);
}

static bool rule_holds(const struct rule *r, struct process_facts *f, regmatch_t groups[RULE_GROUPS])
{
	if (r->has_match && regexec(&r->match, f->command, RULE_GROUPS, groups, 0))
		return false;
	if (*r->unit && !glob_holds(r->unit, f->unit))
		return false;
	if (*r->cgroup && !glob_holds(r->cgroup, f->group.path))
		return false;
	if (*r->user && !glob_holds(r->user, f->user))
		return false;
	if (*r->variable && !glob_holds(r->variable_glob, process_facts_environment(f, r->variable)))
		return false;
	for (unsigned i = 0; i < r->label_count; i++)
		if (!glob_holds(r->labels[i].glob, process_facts_label(f, r->labels[i].key)))
			return false;
	return true;
}

/* "\1" and the like by what the groups found; "" when one of them found nothing. */
static void expand(const char *text, const char *subject, const regmatch_t *groups,
		   char ret[RULE_TEXT_MAX])
{
	size_t n = 0;

	for (; *text && n < RULE_TEXT_MAX - 1; text++) {
		const regmatch_t *g = groups + (text[1] - '0');

		if (*text != '\\' || text[1] < '0' || text[1] > '9') {
			ret[n++] = *text;
			continue;
		}
		text++;
		if (g->rm_so < 0 || g->rm_eo == g->rm_so) {
			n = 0;
			break;
		}
		n += snprintf(ret + n, RULE_TEXT_MAX - n, "%.*s", (int)(g->rm_eo - g->rm_so),
			      subject + g->rm_so);
		if (n > RULE_TEXT_MAX - 1)
			n = RULE_TEXT_MAX - 1;
	}
	ret[n] = 0;
}

static bool value_of(const struct rule_value *v, struct process_facts *f, const regmatch_t *groups,
		     char ret[RULE_TEXT_MAX])
{
	const char *found = NULL;

	*ret = 0;
	switch (v->source) {
	case VALUE_NONE:
		return false;
	case VALUE_TEXT:
		expand(v->text, f->command, groups, ret);
		return *ret;
	case VALUE_ENVIRONMENT:
		found = process_facts_environment(f, v->text);
		break;
	case VALUE_LABEL:
		found = process_facts_label(f, v->text);
		break;
	case VALUE_FACT:
		found = process_facts_named(f, v->text);
		break;
	}
	snprintf(ret, RULE_TEXT_MAX, "%s", found ? found : "");
	return *ret;
}

/* Its unit without ".service", its container's name, its server, its program. */
static void service_guess(struct process_facts *f, char ret[RULE_TEXT_MAX])
{
	static const char *const labels[] = {"com.docker.compose.service", "container.name"};
	const char *found = NULL;

	for (int i = 0; i < 2 && !found; i++)
		found = process_facts_label(f, labels[i]);
	if (!found && *f->unit) {
		snprintf(ret, RULE_TEXT_MAX, "%.*s", (int)strlen(f->unit) - (int)strlen(".service"),
			 f->unit);
		return;
	}
	if (!found)
		found = *f->server ? f->server : process_facts_named(f, "program");
	snprintf(ret, RULE_TEXT_MAX, "%s", found ? found : "python");
}

static void tag_set(struct tag_list *l, const char *key, const char *value)
{
	tag_list_set(l, key, strlen(key), value, strlen(value));
}

const struct rule *rules_apply(const struct rule *rules, size_t count, struct process_facts *f,
			       struct tag_list *ret)
{
	regmatch_t groups[RULE_GROUPS];
	char value[RULE_TEXT_MAX];
	const struct rule *r = NULL;

	for (int i = 0; i < RULE_GROUPS; i++)
		groups[i] = (regmatch_t){-1, -1};
	for (size_t i = 0; i < count && !r; i++)
		if (rule_holds(&rules[i], f, groups))
			r = &rules[i];
	if (!r || r->ignore)
		return NULL;
	ret->count = 0;
	for (unsigned i = 0; i < r->tag_count; i++)
		if (value_of(&r->tags[i].value, f, groups, value))
			tag_set(ret, r->tags[i].key, value);
	if (value_of(&r->version, f, groups, value))
		tag_set(ret, TAG_KEY_VERSION, value);
	if (!value_of(&r->service, f, groups, value))
		service_guess(f, value);
	tag_set(ret, TAG_KEY_SERVICE, value);
	return r;
}

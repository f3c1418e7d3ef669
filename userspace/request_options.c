/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/request_options.h"

#include "userspace/request_config.h"

enum { OPT_CONFIG = 768, OPT_ROUTE, OPT_FIELD, OPT_BACKEND, OPT_TAG, OPT_USER_KEY, OPT_MARKS };

static const struct argp_option options[] = {
	{"config", OPT_CONFIG, "FILE", 0,
	 "Take all that these options say, and more, from a YAML file", 2},
	{"route", OPT_ROUTE, "[METHOD ]PATTERN[=NAME]", 0,
	 "Requests whose path matches are one endpoint: * is any part of a segment, ** any segments; "
	 "the first that matches holds", 2},
	{"field", OPT_FIELD, "header|cookie|arg:NAME[=TAG][,split][,user][,client]", 0,
	 "Keep this field of requests as a tag; split: function costs by it too; user: only a keyed "
	 "hash of it, as of all cookies; client: platform and version out of a User-Agent", 2},
	{"backend", OPT_BACKEND, "NAME=PORT|ADDRESS:PORT|/PATH[,...]", 0,
	 "What back end it is that requests connect to (memcache, postgresql, mysql, redis and http are "
	 "known by their ports)", 2},
	{"tag", OPT_TAG, "KEY=VALUE|env:VARIABLE|file:PATH", 0,
	 "A tag of all that is measured, or from each process's environment", 2},
	{"user-key", OPT_USER_KEY, "FILE", 0,
	 "The key of users' hashes; without, they can be compared within this recording only", 2},
	{"marks", OPT_MARKS, NULL, 0,
	 "Read what applications say of their requests by deploy/middleware; each audit event of a "
	 "target then costs it a microsecond", 2},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request_config *c = state->input;
	char why[768] = "";
	int err;

	switch (key) {
	case OPT_CONFIG:
		err = request_config_file(c, arg, why, sizeof(why));
		break;
	case OPT_ROUTE:
		err = request_config_route(c, arg, why, sizeof(why));
		break;
	case OPT_FIELD:
		err = request_config_field(c, arg, why, sizeof(why));
		break;
	case OPT_BACKEND:
		err = request_config_backend(c, arg, why, sizeof(why));
		break;
	case OPT_TAG:
		err = request_config_tag(c, arg, why, sizeof(why));
		break;
	case OPT_USER_KEY:
		err = request_config_user_key(c, arg, why, sizeof(why));
		break;
	case OPT_MARKS:
		c->marks = true;
		err = 0;
		break;
	case ARGP_KEY_END:
		if (request_config_finish(c, why, sizeof(why)))
			argp_error(state, "%s", why);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (err)
		argp_error(state, "%s", why);
	c->said = true;
	return 0;
}

const struct argp request_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

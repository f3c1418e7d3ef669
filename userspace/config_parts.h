/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the configuration of requests share; private to them. */
#ifndef PYCOST_CONFIG_PARTS_H
#define PYCOST_CONFIG_PARTS_H

#include "userspace/request_config.h"

/* Leaves the sentence; returns `error`. */
__attribute__((format(printf, 4, 5)))
int config_fail(int error, char *err, size_t errlen, const char *fmt, ...);

/* Why it is no key of a tag or name of a back end, in words, or NULL. */
const char *config_key_objection(const char *key);

enum { FIELD_SPLIT = 1, FIELD_USER = 2, FIELD_AGENT = 4 };
/* alias NULL: the name. */
int config_add_field(struct request_config *c, int kind, const char *name, const char *alias,
		     unsigned how, char *err, size_t errlen);
/* "header", "cookie", "arg" or "argument"; WIRE_FIELD_NONE. */
int config_field_kind(const char *name);

/* One address of a back end, which is made when there is none of that name. */
int config_add_address(struct request_config *c, const char *backend, const char *address,
		       char *err, size_t errlen);
/* Fills up with those that are usual, and makes that of all others. */
void config_default_backends(struct request_config *c);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What requests are told apart by, as users name it: "endpoint", "status", "view"…, or
 * the key of a tag.
 */
#ifndef PYCOST_REQUEST_FIELD_H
#define PYCOST_REQUEST_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "userspace/endpoint_view.h"
#include "userspace/profile.h"

enum request_field_kind {
	FIELD_ENDPOINT, /* "GET /shop/product/…": method and name */
	FIELD_ROUTE,	/* the name alone */
	FIELD_METHOD,
	FIELD_STATUS,	    /* "404" */
	FIELD_STATUS_CLASS, /* "4xx" */
	FIELD_PID,
	FIELD_HOST, /* a tag, or else the recording's own */
	FIELD_VIEW, /* the function that serves the endpoint, if its calls show one */
	FIELD_TAG,
};

struct request_field {
	enum request_field_kind kind;
	const char *name; /* the tag's key, or what the kind is called; borrowed from who named it */
};
/* What the kinds are called, FIELD_TAG left out. */
extern const char *const request_field_names[FIELD_TAG];

/* Any name that is none of those above is a tag's key; no wrong ones but "". */
int request_field_parse(const char *name, struct request_field *ret);

/* "key=glob" and "key!=glob": -EINVAL when there is no '=', or nothing before it. */
struct request_filter {
	struct request_field field;
	const char *pattern; /* a glob */
	bool negated;
	char *owned; /* the key's copy; request_filter_free() */
};
int request_filter_parse(const char *text, struct request_filter *ret);
void request_filter_free(struct request_filter *f);

/*
 * The value of a field; "" when there is none.  It may be in text, which is written then,
 * or belong to the profile or the views.  views: NULL when they are not known.
 */
#define REQUEST_FIELD_SIZE 320
const char *request_field_value(const struct profile *p, const struct endpoint_views *views,
				const struct sink_group *g, const struct request_field *f,
				char text[REQUEST_FIELD_SIZE]);
bool request_filter_passes(const struct profile *p, const struct endpoint_views *views,
			   const struct sink_group *g, const struct request_filter *f);

/* "GET /shop/product/…"; "(none)" of endpoint 0. */
void endpoint_text(const struct profile *p, uint32_t endpoint, char text[REQUEST_FIELD_SIZE]);
/* Whether it is called so, with or without its method, or matches it as a glob. */
bool endpoint_matches(const struct profile *p, uint32_t endpoint, const char *glob);
bool endpoint_is_named(const char *method, const char *name, const char *glob);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all that is asked of collectors and receivers by HTTP has in common, over libcurl. */
#ifndef PYCOST_WEB_H
#define PYCOST_WEB_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

/* Files, PEM; each may be NULL. */
struct web_identity {
	const char *ca;	/* who signs the other side's certificate */
	const char *certificate, *key; /* of this side */
};

bool web_is_url(const char *text); /* http:// or https:// */
/* The URL without slashes at its end, then the path; to be freed; NULL: no memory. */
char *web_join(const char *url, const char *path);

/* who: NULL for none. */
void web_prepare(CURL *c, unsigned timeout_s, const struct web_identity *who);

int web_header_add(struct curl_slist **headers, const char *text); /* -ENOMEM */
/* Overwrites them first, as one may have a token. */
void web_headers_free(struct curl_slist *headers);
int web_token_add(struct curl_slist **headers, const char *token); /* -ENOMEM */

/* The first line of a file, which is all that a token is. In words in err. */
int web_token_read(const char *path, char *ret, size_t size, char *err, size_t errlen);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what: grants to those who hold a token or a client certificate. From a file:
 *
 *	tokens:
 *	- name: shop            # what logs and metrics call it
 *	  token: TEXT           # or sha256: of the token, in hex; or certificate: GLOB, which
 *	                        # its DNS names (without any, its common name) are held against
 *	  services: [shop, shop-*]
 *	  may: [push, query]    # and metrics
 *
 * Of a token only the SHA-256 is kept. A set of grants is read only; several threads share
 * it, and another takes its place when the file is read again.
 */
#ifndef PYCOST_ACCESS_H
#define PYCOST_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCESS_GRANTS_MAX 4096
#define ACCESS_SERVICES_MAX 64 /* of a grant */
#define ACCESS_TEXT_MAX 256
#define ACCESS_TOKEN_MIN 16
#define ACCESS_HASH_SIZE 32

enum access_right { MAY_PUSH = 1, MAY_QUERY = 2, MAY_METRICS = 4 };

struct grant {
	char name[64];
	char *certificate; /* glob; NULL: a token */
	uint8_t hash[ACCESS_HASH_SIZE];
	unsigned may; /* enum access_right */
	char **services; /* globs */
	size_t service_count;
};

struct access {
	unsigned users; /* of the set; private */
	struct grant *grants;
	size_t count;
	bool open; /* everybody may do everything */
};

/* Nobody has to show anything. */
struct access *access_open(void);
/* -errno, and a sentence with file and line in err. */
int access_read(const char *path, struct access **ret, char *err, size_t errlen);
int access_parse(const char *name, const char *text, size_t size, struct access **ret, char *err,
		 size_t errlen);
struct access *access_get(struct access *a); /* one more user */
void access_put(struct access *a); /* the last one frees it; NULL: nothing */

/*
 * By what follows "Authorization: ", in the same time whichever it is; NULL: none. A scheme
 * other than Bearer is none.
 */
const struct grant *access_by_header(const struct access *a, const char *value);
/* By one name of a verified certificate. */
const struct grant *access_by_name(const struct access *a, const char *name);
/* That of all sets that are open. */
const struct grant *access_anybody(void);

bool grant_covers(const struct grant *g, const char *service);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user says of requests: which are alike, what of them becomes metadata, which
 * back ends there are, what all that is measured is to be known by.
 *
 *	request_config_init(), then any number of additions, by options and files;
 *	request_config_finish() once; then it is read only, until request_config_clear().
 *
 * Additions take text as the options do. Those that fail leave all as it was and a
 * sentence for the user in err: -EINVAL, -ENOSPC (too many), -ENOMEM, or errors of files.
 */
#ifndef PYCOST_REQUEST_CONFIG_H
#define PYCOST_REQUEST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire_request.h"

#define CONFIG_ROUTES_MAX 512
#define CONFIG_TAGS_MAX 24
#define CONFIG_ADDRESSES_MAX 64
#define CONFIG_TEXT_MAX 256 /* of a pattern, name, key, value or path, with its NUL */
#define CONFIG_PATH_MAX 108 /* of a Unix socket: sun_path */
#define CONFIG_ENDPOINTS_DEFAULT 500
#define CONFIG_TAG_SETS_DEFAULT 5000
#define CONFIG_LIMIT_MAX 100000
#define USER_KEY_SIZE 32

/* Requests that are one endpoint: see route_pattern.h. */
struct config_route {
	char method[WIRE_METHOD_MAX + 1]; /* "": any */
	char pattern[CONFIG_TEXT_MAX];
	char name[CONFIG_TEXT_MAX]; /* the pattern itself, when it was given none */
};

/* What becomes of a field's value. */
enum field_form {
	FIELD_PLAIN,
	FIELD_HASHED, /* all that is ever kept is a keyed hash: users, and every cookie */
	FIELD_CLIENT, /* a User-Agent: platform and version of the client */
};

struct config_field {
	uint8_t kind; /* enum wire_field_kind */
	uint8_t form; /* enum field_form */
	bool split;   /* function costs are kept apart by it too */
	char name[WIRE_FIELD_NAME_MAX + 1]; /* headers: lower case */
	char alias[WIRE_FIELD_NAME_MAX + 1]; /* the tag's key */
};

/*
 * Classes of back ends: by position, which is the wire's. The last, there always, is that
 * of all other outbound connections.
 */
struct config_backend {
	char name[WIRE_FIELD_NAME_MAX + 1];
};

struct config_address {
	uint8_t backend;   /* index */
	uint8_t family;	   /* AF_INET, AF_INET6; 0: any host, or a Unix socket */
	uint16_t port;	   /* host order; 0: a Unix socket */
	uint8_t host[16];  /* with a family: as in struct in_addr, in6_addr */
	char path[CONFIG_PATH_MAX + 1]; /* as the application gives it to connect() */
};

/* Where a tag of all that is measured, or of one process, is from. */
enum tag_source {
	TAG_TEXT,	 /* the value itself */
	TAG_ENVIRONMENT, /* a variable of each process */
	TAG_FILE,	 /* the first line of a file; read by request_config_finish() */
};

struct config_tag {
	uint8_t source; /* enum tag_source; after finish no TAG_FILE is left */
	char key[WIRE_FIELD_NAME_MAX + 1];
	char value[CONFIG_TEXT_MAX]; /* or the variable's or the file's name */
};

struct request_config {
	struct config_route *routes; /* the first that matches holds */
	size_t route_count;
	struct config_field fields[WIRE_FIELDS];
	unsigned field_count;
	struct config_backend backends[WIRE_BACKENDS];
	unsigned backend_count; /* after finish, with that of all others */
	struct config_address addresses[CONFIG_ADDRESSES_MAX];
	unsigned address_count;
	struct config_tag tags[CONFIG_TAGS_MAX];
	unsigned tag_count;
	uint32_t max_endpoints, max_tag_sets;
	bool marks; /* what applications say by sys.audit() is read */
	bool said;  /* any option was given */
	bool has_key;
	uint8_t key[USER_KEY_SIZE]; /* of hashes; random when the user gave none */
};

int request_config_init(struct request_config *c);
void request_config_clear(struct request_config *c);

/* "[METHOD ]PATTERN[=NAME]": "GET /shop/product/" and a star, for example. */
int request_config_route(struct request_config *c, const char *text, char *err, size_t errlen);
/* The same in parts; method and name may be NULL. */
int request_config_add_route(struct request_config *c, const char *method, const char *pattern,
			     const char *name, char *err, size_t errlen);
/* "header|cookie|arg:NAME[=ALIAS][,split][,user][,client]" */
int request_config_field(struct request_config *c, const char *text, char *err, size_t errlen);
/* "NAME=PORT|ADDRESS:PORT|[V6 ADDRESS]:PORT|/PATH[,...]" */
int request_config_backend(struct request_config *c, const char *text, char *err, size_t errlen);
/* "KEY=VALUE", "KEY=env:VARIABLE", "KEY=file:PATH" */
int request_config_tag(struct request_config *c, const char *text, char *err, size_t errlen);
int request_config_add_tag(struct request_config *c, const char *key, enum tag_source source,
			   const char *value, char *err, size_t errlen);
/* Any 16 bytes or more in a file; a key is made of them. */
int request_config_user_key(struct request_config *c, const char *path, char *err, size_t errlen);
/* limits: "endpoints" or "tags". */
int request_config_limit(struct request_config *c, const char *what, const char *value, char *err,
			 size_t errlen);
/* All of these from a YAML file: deploy/requests.yaml shows each. Errors name the line. */
int request_config_file(struct request_config *c, const char *path, char *err, size_t errlen);
/* The same from memory, which errors call `name`. */
int request_config_text(struct request_config *c, const char *name, const char *text, size_t size,
			char *err, size_t errlen);

/* The usual back ends where there is room, a random key when there is none, tags of files. */
int request_config_finish(struct request_config *c, char *err, size_t errlen);

/* What of it the kernel's programs need. */
void request_config_wire(const struct request_config *c, struct wire_field ret[WIRE_FIELDS]);

#endif

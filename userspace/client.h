/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a User-Agent says of a client, in a few words of which there are few: no more
 * than a platform, and a program with the first number of its version (two numbers
 * where it is no browser).
 */
#ifndef PYCOST_CLIENT_H
#define PYCOST_CLIENT_H

#include <stddef.h>

#define CLIENT_TEXT_MAX 32

struct client {
	char platform[CLIENT_TEXT_MAX + 1]; /* "android", "ios", "windows"..., "bot", "other" */
	char version[CLIENT_TEXT_MAX + 1];  /* "chrome 120", "curl 7.88"; "other" */
};

void client_parse(const char *agent, size_t length, struct client *ret);

#endif

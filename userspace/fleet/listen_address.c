/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/listen_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* host: "" or "[...]". */
static int parse_six(char *host, unsigned long port, struct sockaddr_in6 *ret, bool *ret_local)
{
	if (*host)
		host[strlen(host) - 1] = 0;
	ret->sin6_family = AF_INET6;
	ret->sin6_port = htons(port);
	*ret_local = *host && !strcmp(host + 1, "::1");
	return !*host || inet_pton(AF_INET6, host + 1, &ret->sin6_addr) == 1 ? 0 : -EINVAL;
}

static int parse_four(const char *host, unsigned long port, struct sockaddr_in *ret, bool *ret_local)
{
	ret->sin_family = AF_INET;
	ret->sin_port = htons(port);
	if (inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &ret->sin_addr) != 1)
		return -EINVAL;
	*ret_local = ntohl(ret->sin_addr.s_addr) >> 24 == 127;
	return 0;
}

int listen_address_parse(const char *text, struct sockaddr_storage *ret, bool *ret_local)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2] = "";
	char *end;
	unsigned long port;

	memset(ret, 0, sizeof(*ret));
	if (!colon || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (port > 65535 || *end || colon - text >= (ptrdiff_t)sizeof(host))
		return -EINVAL;
	memcpy(host, text, colon - text);
	if (!*host || (*host == '[' && host[strlen(host) - 1] == ']'))
		return parse_six(host, port, (struct sockaddr_in6 *)ret, ret_local);
	return parse_four(host, port, (struct sockaddr_in *)ret, ret_local);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a daemon listens: "127.0.0.1:7680", "[::1]:7680", "localhost:7680", ":7680" of all. */
#ifndef PYCOST_LISTEN_ADDRESS_H
#define PYCOST_LISTEN_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* sockaddr_in or sockaddr_in6 in ret; local: nobody else reaches it. -EINVAL: it is none. */
int listen_address_parse(const char *text, struct sockaddr_storage *ret, bool *ret_local);

#endif

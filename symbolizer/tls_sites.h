/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in a file the calls are that read what was said through TLS, and that say it:
 * the first instructions of libssl's functions, and the returns from them.
 *
 * They are at its return instructions, and not at the address that it returns to: so
 * nothing of a process is changed, however it goes on from there.
 */
#ifndef PYCOST_TLS_SITES_H
#define PYCOST_TLS_SITES_H

#include <stddef.h>
#include <stdint.h>

enum tls_kind {
	TLS_READ,
	TLS_READ_EX,
	TLS_WRITE,
	TLS_WRITE_EX,
	TLS_WRITE_EX2, /* OpenSSL 3.3 on: what SSL_write_ex() is made of */
	TLS_RETURN,
	TLS_KINDS,
};

struct tls_site {
	enum tls_kind kind;
	uint64_t offset; /* in the file */
};

#define TLS_SITES 24

struct tls_sites {
	struct tls_site v[TLS_SITES];
	size_t n;
};

/*
 * -ENOENT: the file has none of these functions, or does not name them; -ENOTSUP: they are
 * not as expected; and errors of reading.
 */
int tls_sites_find(int fd, struct tls_sites *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The collector's certificate, and those of its clients. Both are read again at any time:
 * connections that are there keep what they began with.
 *
 * There is one of it in a process, as the library's callback has no argument of ours.
 */
#ifndef PYCOST_SERVE_TLS_H
#define PYCOST_SERVE_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_NAMES_MAX 16
#define TLS_NAME_MAX 256

/* Reads all, or leaves what there was. client_ca NULL: clients are not asked. */
int serve_tls_load(const char *certificate, const char *key, const char *client_ca, char *err,
		   size_t errlen);
void serve_tls_free(void);

/* When the certificate ends, Unix time; 0: there is none. */
uint64_t serve_tls_expires(void);
/* How often it was loaded. */
unsigned serve_tls_generation(void);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK. */
int serve_tls_choose(gnutls_session_t session, const gnutls_datum_t *req_ca_dn, int nreqs,
		     const gnutls_pk_algorithm_t *pk_algos, int pk_algos_length,
		     gnutls_pcert_st **pcert, unsigned int *pcert_length, gnutls_privkey_t *key);
/* Of a connection before its handshake: the client is asked for a certificate. */
void serve_tls_ask(gnutls_session_t session);

/*
 * After the handshake: the names of the client's certificate, if it was signed by one of
 * ours, is for clients, and is valid now. Returns how many; 0: it has shown none;
 * -EACCES: not a good one.
 */
int serve_tls_names(gnutls_session_t session, char names[TLS_NAMES_MAX][TLS_NAME_MAX]);

#endif

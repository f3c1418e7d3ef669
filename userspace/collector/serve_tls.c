/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/serve_tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHAIN_MAX 16
#define CA_MAX 256

/*
 * One loading of it. Handshakes under way use its certificates without a count, so those
 * that were replaced are kept until the end: some kilobytes at each reload.
 */
struct identity {
	struct identity *older;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned chain_count;
	gnutls_privkey_t key;
	gnutls_x509_trust_list_t trust; /* NULL: clients are not asked */
	uint64_t expires;
	unsigned generation;
};

static struct identity *current;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void identity_free(struct identity *i)
{
	for (unsigned n = 0; n < i->chain_count; n++)
		gnutls_pcert_deinit(&i->chain[n]);
	if (i->key)
		gnutls_privkey_deinit(i->key);
	if (i->trust)
		gnutls_x509_trust_list_deinit(i->trust, 1);
	free(i);
}

static int fail(char *err, size_t errlen, const char *path, int rc)
{
	snprintf(err, errlen, "cannot use %s: %s", path, gnutls_strerror(rc));
	return rc == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
}

static int load_chain(struct identity *i, const char *path, const gnutls_datum_t *data, char *err,
		      size_t errlen)
{
	gnutls_x509_crt_t list[CHAIN_MAX];
	unsigned count = CHAIN_MAX;
	int rc = gnutls_x509_crt_list_import(list, &count, data, GNUTLS_X509_FMT_PEM,
					     GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);

	if (rc < 0)
		return fail(err, errlen, path, rc);
	i->expires = gnutls_x509_crt_get_expiration_time(list[0]);
	rc = 0;
	for (unsigned n = 0; n < count && !rc; n++) {
		rc = gnutls_pcert_import_x509(&i->chain[n], list[n], 0);
		i->chain_count += !rc;
	}
	for (unsigned n = 0; n < count; n++)
		gnutls_x509_crt_deinit(list[n]);
	return rc ? fail(err, errlen, path, rc) : 0;
}

/* Whether the key is the certificate's: else each handshake would fail. */
static int check_pair(struct identity *i, const char *path, char *err, size_t errlen)
{
	unsigned char a[64], b[64];
	size_t a_size = sizeof(a), b_size = sizeof(b);
	gnutls_pubkey_t public;
	int rc = gnutls_pubkey_init(&public);

	if (rc < 0)
		return fail(err, errlen, path, rc);
	rc = gnutls_pubkey_import_privkey(public, i->key, 0, 0);
	if (rc >= 0)
		rc = gnutls_pubkey_get_key_id(public, 0, a, &a_size);
	if (rc >= 0)
		rc = gnutls_pubkey_get_key_id(i->chain[0].pubkey, 0, b, &b_size);
	gnutls_pubkey_deinit(public);
	if (rc < 0)
		return fail(err, errlen, path, rc);
	if (a_size == b_size && !memcmp(a, b, a_size))
		return 0;
	snprintf(err, errlen, "the key in %s is not that of the certificate", path);
	return -EINVAL;
}

static int load_file(const char *path, gnutls_datum_t *ret, char *err, size_t errlen)
{
	int rc;

	errno = 0;
	rc = gnutls_load_file(path, ret);

	if (rc >= 0)
		return 0;
	snprintf(err, errlen, "cannot read %s: %s", path, errno ? strerror(errno) : gnutls_strerror(rc));
	return errno ? -errno : -EIO;
}

static int load_trust(struct identity *i, const char *path, char *err, size_t errlen)
{
	gnutls_datum_t data;
	int rc, error = load_file(path, &data, err, errlen);

	if (error)
		return error;
	rc = gnutls_x509_trust_list_init(&i->trust, 0);
	if (rc >= 0)
		rc = gnutls_x509_trust_list_add_trust_mem(i->trust, &data, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	gnutls_free(data.data);
	if (rc < 0)
		return fail(err, errlen, path, rc);
	if (rc)
		return 0;
	snprintf(err, errlen, "there is no certificate in %s", path);
	return -EINVAL;
}

static int identity_load(struct identity *i, const char *certificate, const char *key, char *err,
			 size_t errlen)
{
	gnutls_datum_t data;
	int rc, error = load_file(certificate, &data, err, errlen);

	if (error)
		return error;
	error = load_chain(i, certificate, &data, err, errlen);
	gnutls_free(data.data);
	if (!error)
		error = load_file(key, &data, err, errlen);
	if (error)
		return error;
	rc = gnutls_privkey_init(&i->key);
	if (rc >= 0)
		rc = gnutls_privkey_import_x509_raw(i->key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
	explicit_bzero(data.data, data.size);
	gnutls_free(data.data);
	return rc < 0 ? fail(err, errlen, key, rc) : check_pair(i, key, err, errlen);
}

int serve_tls_load(const char *certificate, const char *key, const char *client_ca, char *err,
		   size_t errlen)
{
	struct identity *i = calloc(1, sizeof(*i));
	int error;

	snprintf(err, errlen, "no memory");
	error = i ? identity_load(i, certificate, key, err, errlen) : -ENOMEM;
	if (!error && client_ca)
		error = load_trust(i, client_ca, err, errlen);
	if (error) {
		if (i)
			identity_free(i);
		return error;
	}
	pthread_rwlock_wrlock(&lock);
	i->older = current;
	i->generation = current ? current->generation + 1 : 1;
	current = i;
	pthread_rwlock_unlock(&lock);
	return 0;
}

void serve_tls_free(void)
{
	while (current) {
		struct identity *i = current;

		current = i->older;
		identity_free(i);
	}
}

static struct identity *identity_now(void)
{
	struct identity *i;

	pthread_rwlock_rdlock(&lock);
	i = current;
	pthread_rwlock_unlock(&lock);
	return i;
}

uint64_t serve_tls_expires(void)
{
	struct identity *i = identity_now();

	return i ? i->expires : 0;
}

unsigned serve_tls_generation(void)
{
	struct identity *i = identity_now();

	return i ? i->generation : 0;
}

int serve_tls_choose(gnutls_session_t session, const gnutls_datum_t *req_ca_dn, int nreqs,
		     const gnutls_pk_algorithm_t *pk_algos, int pk_algos_length,
		     gnutls_pcert_st **pcert, unsigned int *pcert_length, gnutls_privkey_t *key)
{
	struct identity *i = identity_now();

	if (!i)
		return -1;
	*pcert = i->chain;
	*pcert_length = i->chain_count;
	*key = i->key;
	return 0;
}

void serve_tls_ask(gnutls_session_t session)
{
	struct identity *i = identity_now();

	if (!i || !i->trust)
		return;
	/* Whom we trust is nobody's business before it has shown something. */
	gnutls_certificate_send_x509_rdn_sequence(session, 1);
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
}

static int import_peers(gnutls_session_t session, gnutls_x509_crt_t list[CHAIN_MAX])
{
	const gnutls_datum_t *peers;
	unsigned count = 0;

	peers = gnutls_certificate_get_peers(session, &count);
	if (!peers || !count)
		return 0;
	if (count > CHAIN_MAX)
		return -EACCES;
	for (unsigned n = 0; n < count; n++)
		if (gnutls_x509_crt_init(&list[n]) < 0 ||
		    gnutls_x509_crt_import(list[n], &peers[n], GNUTLS_X509_FMT_DER) < 0) {
			for (unsigned k = 0; k <= n; k++)
				gnutls_x509_crt_deinit(list[k]);
			return -EACCES;
		}
	return count;
}

/* Text of a name as it is; one with a NUL in it is none. */
static bool take_name(char *into, const char *name, size_t size)
{
	if (!size || size >= TLS_NAME_MAX || strnlen(name, size) != size)
		return false;
	memcpy(into, name, size);
	into[size] = 0;
	return true;
}

static int names_of(gnutls_x509_crt_t crt, char names[TLS_NAMES_MAX][TLS_NAME_MAX])
{
	char text[TLS_NAME_MAX];
	unsigned type;
	size_t size;
	int count = 0, rc;

	for (unsigned n = 0; n < TLS_NAMES_MAX; n++) {
		size = sizeof(text);
		rc = gnutls_x509_crt_get_subject_alt_name2(crt, n, text, &size, &type, NULL);
		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (rc >= 0 && type == GNUTLS_SAN_DNSNAME)
			count += take_name(names[count], text, size);
	}
	size = sizeof(text);
	if (!count && gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text,
						    &size) >= 0)
		count += take_name(names[0], text, size);
	return count;
}

int serve_tls_names(gnutls_session_t session, char names[TLS_NAMES_MAX][TLS_NAME_MAX])
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (void *)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	struct identity *i = identity_now();
	gnutls_x509_crt_t list[CHAIN_MAX];
	unsigned status = 1;
	int count, rc;

	if (!i || !i->trust)
		return 0;
	count = import_peers(session, list);
	if (count <= 0)
		return count;
	rc = gnutls_x509_trust_list_verify_crt2(i->trust, list, count, &purpose, 1, 0, &status, NULL);
	rc = rc < 0 || status ? -EACCES : names_of(list[0], names);
	for (int n = 0; n < count; n++)
		gnutls_x509_crt_deinit(list[n]);
	return rc ? rc : -EACCES;
}

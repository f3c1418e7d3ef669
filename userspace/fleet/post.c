/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/post.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/fleet/web.h"
#include "userspace/text.h"

#define PATH "/v1/batches"
#define TIMEOUT_S 60
#define ANSWER_MAX 4096

struct post {
	CURL *curl;
	struct curl_slist *headers; /* those of every batch */
	bool (*stop)(void *arg);
	void *arg;
	char error[CURL_ERROR_SIZE];
	char answer[ANSWER_MAX + 1];
	size_t answer_size;
};

static void library_begin(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* What is beyond the buffer does not matter, but has to be taken. */
static size_t answer_take(char *data, size_t size, size_t count, void *arg)
{
	struct post *p = arg;
	size_t left = ANSWER_MAX - p->answer_size, n = size * count < left ? size * count : left;

	memcpy(p->answer + p->answer_size, data, n);
	p->answer_size += n;
	return size * count;
}

static int is_stopped(void *arg, curl_off_t total_in, curl_off_t in, curl_off_t total_out,
		      curl_off_t out)
{
	struct post *p = arg;

	return p->stop && p->stop(p->arg);
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return true;
	return false;
}

static int headers_make(struct post *p, const char *token)
{
	int err = web_header_add(&p->headers, "Content-Type: application/octet-stream");

	/* Not to wait for leave to send the body. */
	if (!err)
		err = web_header_add(&p->headers, "Expect:");
	return err || !token ? err : web_token_add(&p->headers, token);
}

static int url_set(struct post *p, const char *url, char *err, size_t errlen)
{
	char *whole;
	CURLcode code;

	if (!web_is_url(url)) {
		snprintf(err, errlen, "'%s' is no URL: http://HOST:PORT or https://HOST:PORT", url);
		return -EINVAL;
	}
	whole = web_join(url, PATH);
	if (!whole)
		return -ENOMEM;
	code = curl_easy_setopt(p->curl, CURLOPT_URL, whole);
	free(whole);
	return code ? -ENOMEM : 0;
}

static void curl_prepare(struct post *p, const struct post_options *o)
{
	const struct web_identity who = {o->ca, o->certificate, o->key};
	CURL *c = p->curl;

	web_prepare(c, o->timeout_s ? o->timeout_s : TIMEOUT_S, &who);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, p->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, answer_take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, p);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, is_stopped);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, p);
	curl_easy_setopt(c, CURLOPT_POST, 1L);
}

int post_open(const struct post_options *o, struct post **ret, char *err, size_t errlen)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct post *p;
	int result = 0;

	if (o->token && (!*o->token || has_control(o->token) ||
			 strlen(o->token) >= POST_TOKEN_SIZE)) {
		snprintf(err, errlen, "the token is empty, too long or has blanks in it");
		return -EINVAL;
	}
	pthread_once(&once, library_begin);
	p = calloc(1, sizeof(*p));
	if (p)
		p->curl = curl_easy_init();
	if (!p || !p->curl)
		result = -ENOMEM;
	if (!result)
		result = headers_make(p, o->token);
	if (!result)
		result = url_set(p, o->url, err, errlen);
	if (result == -ENOMEM)
		snprintf(err, errlen, "no memory");
	if (result) {
		post_close(p);
		return result;
	}
	curl_prepare(p, o);
	p->stop = o->stop;
	p->arg = o->arg;
	*ret = p;
	return 0;
}

void post_close(struct post *p)
{
	if (!p)
		return;
	if (p->curl)
		curl_easy_cleanup(p->curl);
	web_headers_free(p->headers);
	free(p);
}

/* ---- what became of it ---- */

/* A text of the answer's JSON; NULL: there is none. The answer is freed with *ret. */
static const char *answer_text(const struct post *p, const char *key, json_t **ret)
{
	*ret = json_loadb(p->answer, p->answer_size, 0, NULL);
	return json_string_value(json_object_get(*ret, key));
}

static enum post_outcome outcome_of(long status)
{
	switch (status) {
	case 400:
	case 413:
	case 415:
	case 422: return POST_POISON;
	case 410: return POST_EXPIRED;
	case 408:
	case POST_STATUS_CLOCK:
	case 425:
	case 429: return POST_LATER;
	}
	return status >= 500 ? POST_LATER : POST_REFUSED;
}

static void classify(const struct post *p, long status, struct post_answer *ret)
{
	json_t *json;
	const char *stored, *error;

	ret->status = status;
	if (status == 200) {
		stored = answer_text(p, "stored", &json);
		ret->outcome = !stored			     ? POST_REFUSED
			       : !strcmp(stored, "new")	     ? POST_STORED
			       : !strcmp(stored, "duplicate") ? POST_DUPLICATE
							     : POST_REFUSED;
		if (ret->outcome == POST_REFUSED)
			snprintf(ret->text, sizeof(ret->text),
				 "what answers there is no pycost collector");
		json_decref(json);
		return;
	}
	ret->outcome = outcome_of(status);
	error = answer_text(p, "error", &json);
	if (error) {
		struct arena memory = { 0 };
		const char *text = batch_text(&memory, error);

		snprintf(ret->text, sizeof(ret->text), "HTTP status %ld: %s", status,
			 text ? text : "");
		arena_free(&memory);
	} else {
		snprintf(ret->text, sizeof(ret->text), "HTTP status %ld, of no pycost collector",
			 status);
	}
	json_decref(json);
}

/* Certificates that do not fit and URLs that cannot be will not mend themselves. */
static bool is_ours(CURLcode code)
{
	switch (code) {
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR: return true;
	default: return false;
	}
}

static struct curl_slist *headers_of(const struct post *p, const uint8_t id[BATCH_ID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char name[] = "X-Pycost-Batch: ", header[sizeof(name) + 2 * BATCH_ID_SIZE], sent[64];
	struct curl_slist *headers = NULL;
	char *at = stpcpy(header, name);

	for (int i = 0; i < BATCH_ID_SIZE; i++) {
		*at++ = digits[id[i] >> 4];
		*at++ = digits[id[i] & 15];
	}
	*at = 0;
	snprintf(sent, sizeof(sent), "X-Pycost-Sent: %" PRIu64, (uint64_t)time(NULL));
	if (web_header_add(&headers, header) || web_header_add(&headers, sent)) {
		curl_slist_free_all(headers);
		return NULL;
	}
	headers->next->next = p->headers; /* taken off again before they are freed */
	return headers;
}

void post_batch(struct post *p, const uint8_t id[BATCH_ID_SIZE], const void *bytes, size_t size,
		struct post_answer *ret)
{
	struct curl_slist *headers = headers_of(p, id);
	curl_off_t retry = 0;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	long status = 0;

	*ret = (struct post_answer){ .outcome = POST_LATER };
	p->answer_size = 0;
	*p->error = 0;
	if (headers) {
		curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, bytes);
		curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
		code = curl_easy_perform(p->curl);
		curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, NULL);
		headers->next->next = NULL;
		curl_slist_free_all(headers);
	}
	/* An answer before all was sent is one: too large, or not allowed. */
	curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK || (status >= 400 && code != CURLE_ABORTED_BY_CALLBACK)) {
		classify(p, status, ret);
		curl_easy_getinfo(p->curl, CURLINFO_RETRY_AFTER, &retry);
		ret->retry_s = retry > 0 && retry < INT32_MAX ? retry : 0;
		return;
	}
	ret->outcome = is_ours(code) ? POST_REFUSED : POST_LATER;
	snprintf(ret->text, sizeof(ret->text), "%s", *p->error ? p->error : curl_easy_strerror(code));
}

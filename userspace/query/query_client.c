/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/query_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/fleet/web.h"

#define ANSWER_MAX (512u << 20)
#define TOKEN_MAX 4096

struct asking {
	const struct query_client *client;
	CURL *curl;
	FILE *body;
	char *text, *url;
	size_t size, url_size, received;
	struct curl_slist *headers;
	char *err;
	size_t errlen;
};

#define FAIL(a, error, ...) (snprintf((a)->err, (a)->errlen, __VA_ARGS__), (error))

static size_t body_take(char *data, size_t one, size_t count, void *arg)
{
	struct asking *a = arg;

	a->received += count;
	if (a->received > ANSWER_MAX)
		return 0;
	return fwrite(data, 1, count, a->body);
}

/* From a file: whoever may read the process's arguments does not see it. */
static int token_add(struct asking *a)
{
	char token[TOKEN_MAX], why[512];
	int err;

	if (!a->client->token_file)
		return 0;
	err = web_token_read(a->client->token_file, token, sizeof(token), why, sizeof(why));
	if (err)
		return FAIL(a, err == -ENODATA ? -EINVAL : err, "--token-file %s", why);
	err = web_token_add(&a->headers, token);
	explicit_bzero(token, sizeof(token));
	return err;
}

/* "URL/v1/query/KIND?key=value&..." */
static int url_make(struct asking *a, const char *kind, const struct query_part *parts, size_t count)
{
	const char *url = a->client->url;
	char *base;
	FILE *out;

	if (!web_is_url(url))
		return FAIL(a, -EINVAL, "--url %s: begins with neither http:// nor https://", url);
	base = web_join(url, "/v1/query/");
	out = base ? open_memstream(&a->url, &a->url_size) : NULL;
	if (out)
		fprintf(out, "%s%s", base, kind);
	free(base);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		char *value = curl_easy_escape(a->curl, parts[i].value, 0);

		if (!value) {
			fclose(out);
			return -ENOMEM;
		}
		fprintf(out, "%c%s=%s", i ? '&' : '?', parts[i].key, value);
		curl_free(value);
	}
	return fclose(out) ? -ENOMEM : 0;
}

static void options_set(struct asking *a)
{
	const struct query_client *c = a->client;
	const struct web_identity who = {c->ca, c->certificate, c->key};

	web_prepare(a->curl, c->timeout_s, &who);
	curl_easy_setopt(a->curl, CURLOPT_URL, a->url);
	curl_easy_setopt(a->curl, CURLOPT_WRITEFUNCTION, body_take);
	curl_easy_setopt(a->curl, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(a->curl, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(a->curl, CURLOPT_HTTPHEADER, a->headers);
}

static int transport_explain(struct asking *a, CURLcode code, const char *detail)
{
	const char *url = a->client->url, *words = *detail ? detail : curl_easy_strerror(code);

	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
		return FAIL(a, -ECONNREFUSED, "nobody answers at %s (%s): does pycost serve run there?",
			    url, words);
	case CURLE_OPERATION_TIMEDOUT:
		return FAIL(a, -ETIMEDOUT,
			    "no answer from %s within %u s: ask for less time, or with --timeout for "
			    "more patience",
			    url, a->client->timeout_s);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return FAIL(a, -EACCES, "%s: its certificate is not trusted (%s): name its issuer's "
			    "with --ca", url, words);
	case CURLE_SSL_CERTPROBLEM:
		return FAIL(a, -EACCES, "--certificate, --key: %s", words);
	case CURLE_URL_MALFORMAT:
		return FAIL(a, -EINVAL, "--url %s: is no URL (%s)", url, words);
	case CURLE_WRITE_ERROR:
		if (a->received > ANSWER_MAX)
			return FAIL(a, -EBADMSG, "%s: an answer of more than %u MiB: ask for less with "
				    "--limit", url, ANSWER_MAX >> 20);
		break;
	default:
		break;
	}
	return FAIL(a, -EIO, "%s: %s", url, words);
}

/* The collector says itself what is wrong. */
static int status_explain(struct asking *a, long status, const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const char *url = a->client->url;

	if (status == 401)
		return FAIL(a, -EACCES, "%s: not authorised%s%s: give a token that may query with "
			    "--token-file", url, error ? ": " : "", error ? error : "");
	if (status == 403)
		return FAIL(a, -EACCES, "%s: not allowed%s%s", url, error ? ": " : "",
			    error ? error : "");
	if (status == 400 && error)
		return FAIL(a, -EINVAL, "%s", error);
	if (status == 404)
		return FAIL(a, -EIO, "%s: answers, but is no collector of pycost (404)", url);
	if (status == 503 || status == 429)
		return FAIL(a, -EAGAIN, "%s: is busy%s%s: try again", url, error ? ": " : "",
			    error ? error : "");
	return FAIL(a, -EIO, "%s: status %ld%s%s", url, status, error ? ": " : "", error ? error : "");
}

static int perform(struct asking *a, json_t **ret)
{
	char detail[CURL_ERROR_SIZE] = "";
	long status = 0;
	json_error_t error;
	CURLcode code;
	json_t *answer;

	curl_easy_setopt(a->curl, CURLOPT_ERRORBUFFER, detail);
	code = curl_easy_perform(a->curl);
	curl_easy_setopt(a->curl, CURLOPT_ERRORBUFFER, NULL);
	if (code)
		return transport_explain(a, code, detail);
	if (fflush(a->body))
		return -ENOMEM;
	curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
	answer = json_loadb(a->text, a->size, 0, &error);
	if (status != 200) {
		int err = status_explain(a, status, answer);

		json_decref(answer);
		return err;
	}
	if (!answer)
		return FAIL(a, -EBADMSG, "%s: answers, but not in JSON: is it pycost serve?",
			    a->client->url);
	*ret = answer;
	return 0;
}

int query_client_ask(const struct query_client *c, const char *kind, const struct query_part *parts,
		     size_t count, json_t **ret, char *err, size_t errlen)
{
	struct asking a = { .client = c, .err = err, .errlen = errlen };
	int error;

	*err = '\0';
	a.curl = curl_easy_init();
	a.body = open_memstream(&a.text, &a.size);
	error = a.curl && a.body ? url_make(&a, kind, parts, count) : -ENOMEM;
	if (!error)
		error = token_add(&a);
	if (!error) {
		options_set(&a);
		error = perform(&a, ret);
	}
	if (a.body)
		fclose(a.body);
	web_headers_free(a.headers);
	curl_easy_cleanup(a.curl);
	free(a.text);
	free(a.url);
	if (error && !*err)
		snprintf(err, errlen, "%s", strerror(-error));
	return error;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which answers are worth another try: 429, 502, 503 and 504, by OTLP's specification
 * (docs/specification.md, "Retryable Response Codes"), and those that never came.
 */
#include "userspace/collector/otlp_post.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "otlp.pb-c.h"
#include "userspace/fleet/web.h"

#define TIMEOUT_S 30
#define ANSWER_MAX 65536
#define HEADER_MAX 4096
#define HEADERS_MAX 32

struct otlp_post {
	CURL *curl;
	struct curl_slist *headers;
	char *url;
	bool (*is_stopped)(void *arg);
	void *arg;
	uint8_t answer[ANSWER_MAX]; /* what is more is not read */
	size_t size;
	char error[CURL_ERROR_SIZE];
};

static int headers_file(struct otlp_post *p, const char *path, char *err, size_t errlen)
{
	FILE *f = fopen(path, "re");
	char line[HEADER_MAX];
	int error = f ? 0 : -errno, n = 0;

	if (!f) {
		snprintf(err, errlen, "cannot read %s: %s", path, strerror(-error));
		return error;
	}
	setvbuf(f, NULL, _IONBF, 0); /* no copy of a secret stays in a buffer */
	while (!error && fgets(line, sizeof(line), f)) {
		n++;
		line[strcspn(line, "\r\n")] = '\0';
		if (!*line)
			continue;
		if (n > HEADERS_MAX || strlen(line) == HEADER_MAX - 1 || !strchr(line, ':') || *line == ':') {
			snprintf(err, errlen, "%s:%d: a header is 'NAME: VALUE', %d of them at most", path, n,
				 HEADERS_MAX);
			error = -EINVAL;
		} else
			error = web_header_add(&p->headers, line);
	}
	fclose(f);
	explicit_bzero(line, sizeof(line));
	return error;
}

static size_t answer_take(char *data, size_t size, size_t count, void *arg)
{
	struct otlp_post *p = arg;
	size_t length = size * count, room = ANSWER_MAX - p->size;

	if (length > room)
		return 0;
	memcpy(p->answer + p->size, data, length);
	p->size += length;
	return length;
}

static int progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct otlp_post *p = arg;

	return p->is_stopped(p->arg);
}

static void curl_prepare(struct otlp_post *p)
{
	CURL *c = p->curl;

	web_prepare(c, TIMEOUT_S, NULL);
	curl_easy_setopt(c, CURLOPT_URL, p->url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(c, CURLOPT_POST, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, p->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, answer_take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, p);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, p);
}

static int prepare(struct otlp_post *p, const char *endpoint, const char *path, const char *headers,
		   char *err, size_t errlen)
{
	int error;

	if (!web_is_url(endpoint)) {
		snprintf(err, errlen, "'otlp.endpoint' must be http://HOST:PORT or https://HOST:PORT, not '%.128s'",
			 endpoint);
		return -EINVAL;
	}
	snprintf(err, errlen, "no memory");
	p->curl = curl_easy_init();
	p->url = web_join(endpoint, path);
	if (!p->curl || !p->url)
		return -ENOMEM;
	error = web_header_add(&p->headers, "Content-Type: application/x-protobuf");
	/* Not to wait for leave to send the body. */
	if (!error)
		error = web_header_add(&p->headers, "Expect:");
	if (!error && headers)
		error = headers_file(p, headers, err, errlen);
	if (!error)
		curl_prepare(p);
	return error;
}

int otlp_post_new(const char *endpoint, const char *path, const char *headers,
		  bool (*is_stopped)(void *arg), void *arg, struct otlp_post **ret, char *err,
		  size_t errlen)
{
	struct otlp_post *p = calloc(1, sizeof(*p));
	int error;

	*ret = NULL;
	if (!p) {
		snprintf(err, errlen, "no memory");
		return -ENOMEM;
	}
	p->is_stopped = is_stopped;
	p->arg = arg;
	error = prepare(p, endpoint, path, headers, err, errlen);
	if (error)
		otlp_post_free(p);
	else
		*ret = p;
	return error;
}

void otlp_post_free(struct otlp_post *p)
{
	if (!p)
		return;
	if (p->curl)
		curl_easy_cleanup(p->curl);
	web_headers_free(p->headers);
	free(p->url);
	free(p);
}

uint64_t otlp_post_rejected(const uint8_t *bytes, size_t size, char *why, size_t whylen)
{
	Otlp__Answer *a = otlp__answer__unpack(NULL, size, bytes);
	uint64_t ret = 0;

	if (a && a->rejected && a->rejected->count > 0) {
		ret = a->rejected->count;
		snprintf(why, whylen, "%s", a->rejected->reason);
	}
	if (a)
		otlp__answer__free_unpacked(a, NULL);
	return ret;
}

static bool is_later(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

int otlp_post_send(struct otlp_post *p, const uint8_t *bytes, size_t size, uint64_t *ret_rejected,
		   uint64_t *ret_wait_s, char *why, size_t whylen)
{
	curl_off_t wait = 0;
	long status = 0;
	CURLcode code;

	*p->error = '\0';
	p->size = 0;
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, bytes);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
	code = curl_easy_perform(p->curl);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, NULL);
	curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(p->curl, CURLINFO_RETRY_AFTER, &wait);
	*ret_wait_s = wait > 0 ? wait : 0;
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && status)) {
		snprintf(why, whylen, "%s", *p->error ? p->error : curl_easy_strerror(code));
		return -EAGAIN;
	}
	if (status >= 200 && status < 300) {
		*ret_rejected = otlp_post_rejected(p->answer, p->size, why, whylen);
		return 0;
	}
	snprintf(why, whylen, "it answered %ld", status);
	return is_later(status) ? -EAGAIN : -EBADMSG;
}

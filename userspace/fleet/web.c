/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_S 10L

bool web_is_url(const char *text)
{
	return !strncmp(text, "http://", 7) || !strncmp(text, "https://", 8);
}

char *web_join(const char *url, const char *path)
{
	size_t length = strlen(url);
	char *whole;

	while (length && url[length - 1] == '/')
		length--;
	return asprintf(&whole, "%.*s%s", (int)length, url, path) < 0 ? NULL : whole;
}

void web_prepare(CURL *c, unsigned timeout_s, const struct web_identity *who)
{
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)timeout_s);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "pycost/" PYCOST_VERSION);
	if (who && who->ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, who->ca);
	if (who && who->certificate)
		curl_easy_setopt(c, CURLOPT_SSLCERT, who->certificate);
	if (who && who->key)
		curl_easy_setopt(c, CURLOPT_SSLKEY, who->key);
}

int web_header_add(struct curl_slist **headers, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*headers, text);

	if (!longer)
		return -ENOMEM;
	*headers = longer;
	return 0;
}

void web_headers_free(struct curl_slist *headers)
{
	for (struct curl_slist *h = headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(headers);
}

int web_token_add(struct curl_slist **headers, const char *token)
{
	char *header;
	int err;

	if (asprintf(&header, "Authorization: Bearer %s", token) < 0)
		return -ENOMEM;
	err = web_header_add(headers, header);
	explicit_bzero(header, strlen(header));
	free(header);
	return err;
}

int web_token_read(const char *path, char *ret, size_t size, char *err, size_t errlen)
{
	FILE *file = fopen(path, "re");
	int result = 0;

	if (!file || !fgets(ret, size, file))
		result = file && !ferror(file) ? -ENODATA : -errno;
	if (file)
		fclose(file);
	if (result) {
		snprintf(err, errlen, "%s: %s", path,
			 result == -ENODATA ? "it is empty" : strerror(-result));
		return result;
	}
	ret[strcspn(ret, "\r\n")] = 0;
	if (!*ret) {
		snprintf(err, errlen, "%s: its first line is empty", path);
		return -ENODATA;
	}
	return 0;
}

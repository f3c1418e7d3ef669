// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/load.h"

static void grow(struct bytes *b, size_t more)
{
	size_t size = b->size ? b->size : 4096;

	while (size < b->length + more)
		size *= 2;
	if (size == b->size)
		return;
	b->data = realloc(b->data, size);
	if (!b->data)
		abort();
	b->size = size;
}

void bytes_add(struct bytes *b, const void *data, size_t length)
{
	grow(b, length);
	if (length)
		memcpy(b->data + b->length, data, length);
	b->length += length;
}

void bytes_format(struct bytes *b, const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(NULL, 0, format, list);
	va_end(list);
	grow(b, length + 1);
	va_start(list, format);
	b->length += vsnprintf(b->data + b->length, length + 1, format, list);
	va_end(list);
}

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){0};
}

static void make_path(char *path, const char *pattern, const char *id, struct dice *d)
{
	size_t used = 0;

	for (const char *p = pattern; *p && used < LOAD_PATH_MAX - LOAD_ID_MAX;) {
		if (!strncmp(p, "{n}", 3)) {
			used += sprintf(path + used, "%u", (unsigned)(dice_roll(d) % 1000));
			p += 3;
		} else if (!strncmp(p, "{id}", 4)) {
			used += sprintf(path + used, "%s", id);
			p += 4;
		} else {
			path[used++] = *p++;
		}
	}
	path[used] = 0;
}

/* Bytes that look like heads of their own, so that who reads them as such is found out. */
static void add_content(struct bytes *out, uint64_t length, const char *id)
{
	char line[128];
	int size = snprintf(line, sizeof(line), "\r\n\r\nGET /within-%s HTTP/1.1\r\n\r\nHTTP/1.1 299 No\r\n\r\n",
			    id);

	for (; length; length -= size) {
		if (length < (uint64_t)size)
			size = length;
		bytes_add(out, line, size);
	}
}

static void add_chunks(struct bytes *out, uint64_t length, const char *id, struct dice *d)
{
	while (length) {
		uint64_t size = dice_between(d, 1, length < 20000 ? length : 20000);

		bytes_format(out, "%llx%s\r\n", (unsigned long long)size,
			     dice_roll(d) % 4 ? "" : ";extension=\"1\"");
		add_content(out, size, id);
		bytes_add(out, "\r\n", 2);
		length -= size;
	}
	bytes_format(out, "0\r\n%s\r\n", dice_roll(d) % 4 ? "" : "X-Trailer: 1\r\n");
}

static void make_http(struct message *m, struct bytes *out, const struct kind *k, const char *id,
		      uint64_t body, struct dice *d)
{
	size_t begin = out->length;

	bytes_format(out, "%s %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load/1 (test)\r\n"
		     LOAD_ID_FIELD ": %s\r\n%s", k->method, m->path, id, k->fields);
	if (k->chunked)
		bytes_format(out, "Transfer-Encoding: chunked\r\n");
	else if (k->body)
		bytes_format(out, "Content-Length: %llu\r\n", (unsigned long long)body);
	if (k->expect)
		bytes_format(out, "Expect: 100-continue\r\n");
	bytes_format(out, "%s\r\n", k->close ? "Connection: close\r\n" : "");
	m->head = out->length - begin;
	if (k->chunked)
		add_chunks(out, body, id, d);
	else
		add_content(out, body, id);
	m->length = out->length - begin;
}

static void add_string(struct bytes *out, const char *text, size_t length)
{
	unsigned char size[2] = {length & 255, length >> 8};

	bytes_add(out, size, 2);
	bytes_add(out, text, length);
}

static void add_variable(struct bytes *out, const char *name, const char *value)
{
	add_string(out, name, strlen(name));
	add_string(out, value, strlen(value));
}

/* As the Uwsgi protocol's document has it: a head of 4 bytes, then pairs of strings. */
static void make_uwsgi(struct message *m, struct bytes *out, const struct kind *k, const char *id,
		       uint64_t body)
{
	size_t begin = out->length, size;
	char path[LOAD_PATH_MAX], length[32];
	const char *query = strchr(m->path, '?');

	snprintf(path, sizeof(path), "%.*s", (int)(query ? query - m->path : (int)strlen(m->path)),
		 m->path);
	snprintf(length, sizeof(length), "%llu", (unsigned long long)body);
	bytes_add(out, "\0\0\0\0", 4);
	add_variable(out, "REQUEST_METHOD", k->method);
	add_variable(out, "REQUEST_URI", m->path);
	add_variable(out, "PATH_INFO", path);
	add_variable(out, "QUERY_STRING", query ? query + 1 : "");
	add_variable(out, "SERVER_PROTOCOL", "HTTP/1.1");
	add_variable(out, "SERVER_NAME", "localhost");
	add_variable(out, "SERVER_PORT", "80");
	add_variable(out, "HTTP_HOST", "localhost");
	add_variable(out, "HTTP_X_REQUEST_ID", id);
	if (k->body)
		add_variable(out, "CONTENT_LENGTH", length);
	size = out->length - begin - 4;
	out->data[begin + 1] = size & 255;
	out->data[begin + 2] = size >> 8;
	m->head = out->length - begin;
	add_content(out, body, id);
	m->length = out->length - begin;
}

void message_make(struct message *m, struct bytes *out, const struct kind *k, const char *id,
		  bool uwsgi, struct dice *d)
{
	uint64_t body = k->body ? dice_between(d, k->body_low, k->body_high) : 0;

	make_path(m->path, k->path, id, d);
	if (uwsgi)
		make_uwsgi(m, out, k, id, body);
	else
		make_http(m, out, k, id, body, d);
}

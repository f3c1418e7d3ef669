// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/load/load.h"

void answer_begin(struct answer *a, bool bodiless)
{
	a->state = ANSWER_HEAD;
	a->bodiless = bodiless;
	a->close = a->has_id = false;
	a->status = 0;
	a->continues = 0;
	a->left = a->bytes = a->length = 0;
	a->id[0] = 0;
}

static void read_line(struct answer *a, const char *line, bool *chunked, bool *sized)
{
	const char *value = strchr(line, ':');
	size_t name = value ? (size_t)(value - line) : 0;

	if (!value)
		return;
	for (value++; *value == ' ' || *value == '\t';)
		value++;
	if (name == 14 && !strncasecmp(line, "Content-Length", name)) {
		a->left = strtoull(value, NULL, 10);
		*sized = true;
	} else if (name == 17 && !strncasecmp(line, "Transfer-Encoding", name)) {
		*chunked = strcasestr(value, "chunked");
	} else if (name == 10 && !strncasecmp(line, "Connection", name)) {
		a->close = strcasestr(value, "close");
	} else if (name == strlen(LOAD_ID_FIELD) && !strncasecmp(line, LOAD_ID_FIELD, name)) {
		strncpy(a->id, value, sizeof(a->id) - 1);
		a->has_id = true;
	}
}

/* A head is whole: what follows it? */
static void read_head(struct answer *a)
{
	bool chunked = false, sized = false, old = !strncmp(a->head, "HTTP/1.0", 8);
	char *save, *line = strtok_r(a->head, "\r\n", &save);

	a->length = 0;
	if (!line || strncmp(line, "HTTP/1.", 7) || strlen(line) < 12) {
		a->state = ANSWER_GARBLED;
		return;
	}
	a->status = atoi(line + 9);
	a->close = old;
	while ((line = strtok_r(NULL, "\r\n", &save)))
		read_line(a, line, &chunked, &sized);
	if (a->status >= 100 && a->status < 200 && a->status != 101) {
		a->continues++;
		a->left = 0;
		a->state = ANSWER_HEAD;
	} else if (a->bodiless || a->status == 204 || a->status == 304 || a->status == 101) {
		a->state = ANSWER_DONE;
	} else if (chunked) {
		a->state = ANSWER_CHUNK_SIZE;
	} else if (sized) {
		a->state = a->left ? ANSWER_LENGTH : ANSWER_DONE;
	} else {
		a->close = true;
		a->state = ANSWER_TO_END;
	}
}

static size_t take_head(struct answer *a, const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (a->length + 1 >= sizeof(a->head)) {
			a->state = ANSWER_GARBLED;
			return i;
		}
		a->head[a->length++] = data[i];
		if (a->length >= 4 && !memcmp(a->head + a->length - 4, "\r\n\r\n", 4)) {
			a->head[a->length] = 0;
			read_head(a);
			return i + 1;
		}
	}
	return length;
}

/* A line of a chunked body, up to its end; true once it is whole. */
static bool take_line(struct answer *a, char byte)
{
	if (a->length + 1 >= sizeof(a->head)) {
		a->state = ANSWER_GARBLED;
		return false;
	}
	a->head[a->length++] = byte;
	if (byte != '\n')
		return false;
	a->head[a->length] = 0;
	return true;
}

static void end_line(struct answer *a)
{
	char *end;

	if (a->state == ANSWER_CHUNK_SIZE) {
		a->left = strtoull(a->head, &end, 16);
		if (end == a->head)
			a->state = ANSWER_GARBLED;
		else
			a->state = a->left ? ANSWER_CHUNK : ANSWER_TRAILER;
	} else if (a->state == ANSWER_CHUNK_END) {
		a->state = a->length == 2 ? ANSWER_CHUNK_SIZE : ANSWER_GARBLED;
	} else if (a->length == 2) {
		a->state = ANSWER_DONE;
	}
	a->length = 0;
}

static size_t take_counted(struct answer *a, size_t length)
{
	size_t size = length < a->left ? length : a->left;

	a->left -= size;
	a->bytes += size;
	if (!a->left)
		a->state = a->state == ANSWER_CHUNK ? ANSWER_CHUNK_END : ANSWER_DONE;
	return size;
}

size_t answer_take(struct answer *a, const char *data, size_t length)
{
	size_t taken = 0;

	while (taken < length && a->state != ANSWER_DONE && a->state != ANSWER_GARBLED) {
		switch (a->state) {
		case ANSWER_HEAD:
			taken += take_head(a, data + taken, length - taken);
			break;
		case ANSWER_LENGTH:
		case ANSWER_CHUNK:
			taken += take_counted(a, length - taken);
			break;
		case ANSWER_TO_END:
			a->bytes += length - taken;
			taken = length;
			break;
		default:
			if (take_line(a, data[taken++]))
				end_line(a);
		}
	}
	return taken;
}

void answer_end(struct answer *a)
{
	if (a->state == ANSWER_TO_END)
		a->state = ANSWER_DONE;
}

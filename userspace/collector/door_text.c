/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/door_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TIME_DIGITS_MAX 11
#define SHIFT_LEAST_S 30
#define HOST_MAX 64

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int door_batch_id(const char *text, uint8_t ret[BATCH_ID_SIZE])
{
	if (strnlen(text, 2 * BATCH_ID_SIZE + 1) != 2 * BATCH_ID_SIZE)
		return -EINVAL;
	for (int i = 0; i < BATCH_ID_SIZE; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret[i] = high << 4 | low;
	}
	return 0;
}

int door_unix_time(const char *text, int64_t *ret)
{
	size_t size = strnlen(text, TIME_DIGITS_MAX + 1);

	if (!size || size > TIME_DIGITS_MAX || strspn(text, "0123456789") != size)
		return -EINVAL;
	*ret = strtoll(text, NULL, 10);
	return *ret ? 0 : -EINVAL;
}

bool door_host_is_local(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	char name[HOST_MAX];
	size_t size;

	if (*host == '[') {
		size = strcspn(++host, "]");
		if (host[size] != ']')
			return false;
	} else {
		size = strcspn(host, ":");
	}
	if (!size || size >= sizeof(name))
		return false;
	memcpy(name, host, size);
	name[size] = 0;
	return !strcmp(name, "localhost") || inet_pton(AF_INET, name, address) == 1 ||
	       inet_pton(AF_INET6, name, address) == 1;
}

int64_t door_clock_shift(int64_t sent_s, int64_t now_s)
{
	int64_t off = now_s - sent_s;

	if (!sent_s || (off <= SHIFT_LEAST_S && off >= -SHIFT_LEAST_S))
		return 0;
	off += off > 0 ? BATCH_SECONDS / 2 : -BATCH_SECONDS / 2;
	return off / BATCH_SECONDS * BATCH_SECONDS;
}

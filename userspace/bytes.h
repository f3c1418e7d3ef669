/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Little-endian integers and LEB128 varints, into and out of bytes. */
#ifndef PYCOST_BYTES_H
#define PYCOST_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VARINT_MAX 10

static inline void put_u32(uint8_t *out, uint32_t value)
{
	value = htole32(value);
	memcpy(out, &value, sizeof(value));
}

static inline void put_u64(uint8_t *out, uint64_t value)
{
	value = htole64(value);
	memcpy(out, &value, sizeof(value));
}

static inline void put_double(uint8_t *out, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put_u64(out, bits);
}

/* Returns the bytes it took, at most VARINT_MAX. */
static inline size_t put_varint(uint8_t *out, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		out[n++] = value | 0x80;
	out[n++] = value;
	return n;
}

static inline uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static inline uint64_t get_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

/* The unread rest of foreign bytes.  Reading past the end sets bad and yields 0. */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

static inline uint64_t take_varint(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;

		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	c->bad = true;
	return 0;
}

static inline uint32_t take_u32(struct cursor *c)
{
	uint64_t value = take_varint(c);

	if (value > UINT32_MAX)
		c->bad = true;
	return value;
}

static inline double take_double(struct cursor *c)
{
	uint64_t bits;
	double value;

	if (c->end - c->at < 8) {
		c->bad = true;
		return 0;
	}
	bits = get_u64(c->at);
	c->at += 8;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Signed numbers of either sign stay short: 0, -1, 1, -2 … */
static inline uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1 ^ -(value & 1));
}

#endif

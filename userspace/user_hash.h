/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands for a user: a hash that nobody can look up without the key, so that users
 * are told apart but not known. BLAKE2b with a key, by libsodium, cut to 64 bits: of a
 * million users, two are the same with a chance of one in 37 million.
 */
#ifndef PYCOST_USER_HASH_H
#define PYCOST_USER_HASH_H

#include <stddef.h>
#include <stdint.h>

#define USER_HASH_TEXT 17 /* 16 hexadecimal digits */

/* -EIO: the library cannot start. */
int user_key_random(uint8_t *ret_key, size_t size);
int user_key_from(const void *secret, size_t secret_size, uint8_t *ret_key, size_t size);

void user_hash(const uint8_t *key, size_t key_size, const void *value, size_t value_size,
	       char ret[USER_HASH_TEXT]);

#endif

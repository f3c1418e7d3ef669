/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/user_hash.h"

#include <errno.h>
#include <sodium.h>

int user_key_random(uint8_t *ret_key, size_t size)
{
	if (sodium_init() < 0)
		return -EIO;
	randombytes_buf(ret_key, size);
	return 0;
}

int user_key_from(const void *secret, size_t secret_size, uint8_t *ret_key, size_t size)
{
	if (sodium_init() < 0)
		return -EIO;
	return crypto_generichash(ret_key, size, secret, secret_size, NULL, 0) ? -EINVAL : 0;
}

void user_hash(const uint8_t *key, size_t key_size, const void *value, size_t value_size,
	       char ret[USER_HASH_TEXT])
{
	uint8_t hash[crypto_generichash_BYTES_MIN];

	crypto_generichash(hash, sizeof(hash), value, value_size, key, key_size);
	sodium_bin2hex(ret, USER_HASH_TEXT, hash, (USER_HASH_TEXT - 1) / 2);
}

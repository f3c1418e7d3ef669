/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/served_backends.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "userspace/request_config.h"

/* As path_hash() in bpf/socket.bpf.h. */
static uint64_t path_hash(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *path; path++)
		hash = (hash ^ (uint8_t)*path) * 0x100000001b3;
	return hash;
}

/* struct backend_key of bpf/backend.bpf.h */
struct backend_key {
	uint8_t host[16];
	uint64_t path;
	uint32_t family, port;
};

int served_backends_fill(int map, const struct request_config *config)
{
	for (unsigned i = 0; i < config->address_count; i++) {
		const struct config_address *a = &config->addresses[i];
		struct backend_key key = {.family = a->family, .port = a->port};
		uint32_t class = a->backend;

		if (!a->port) {
			key.family = AF_UNIX;
			key.path = path_hash(a->path);
		} else if (a->family) {
			memcpy(key.host, a->host, a->family == AF_INET ? 4 : 16);
		}
		if (bpf_map_update_elem(map, &key, &class, BPF_ANY))
			return -errno;
	}
	return 0;
}

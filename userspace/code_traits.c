/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/code_traits.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CO_COROUTINE 0x80
#define CO_ITERABLE_COROUTINE 0x100
#define CO_ASYNC_GENERATOR 0x200

static bool is_one_of(const char *s, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(s, *names))
			return true;
	return false;
}

static bool is_loop(const char *module)
{
	static const char *const modules[] = {
		"asyncio.events", "asyncio.base_events", "asyncio.runners", "asyncio.tasks",
		"asyncio.unix_events", "asyncio.selector_events", "uvloop", "uvloop.__init__", NULL,
	};

	return is_one_of(module, modules);
}

static bool is_import(const char *file, const char *name)
{
	static const char *const names[] = {"_find_and_load", "_find_and_load_unlocked", NULL};

	return is_one_of(name, names) && (strstr(file, "importlib._bootstrap") ||
					  strstr(file, "importlib/_bootstrap"));
}

uint8_t code_traits(uint32_t flags, const char *module, const char *file, const char *name)
{
	uint8_t traits = 0;

	if (flags & (CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR))
		traits |= TRAIT_COROUTINE;
	if (is_loop(module))
		traits |= TRAIT_LOOP;
	if (is_import(file, name))
		traits |= TRAIT_IMPORT;
	if (!strcmp(name, "<interpreter trampoline>"))
		traits |= TRAIT_NO_CALL;
	return traits;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that a file may claim: Cython's, C++'s, Rust's and the interpreter's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/clean_text.h"
#include "symbolizer/cython_name.h"
#include "symbolizer/demangle.h"
#include "symbolizer/native_role.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *symbol = malloc(size + 1), out[64];
	size_t len;

	memcpy(symbol, data, size);
	symbol[size] = 0;
	len = strlen(symbol);
	for (size_t room = 0; room <= sizeof(out); room += 16)
		if (!cython_name(symbol, out, room) && strlen(out) >= room)
			abort();
	if (!demangle(symbol, out, sizeof(out)) && strlen(out) >= sizeof(out))
		abort();
	cython_makes_generator(symbol, "__pyx_gb_3mod_9generator");
	cython_makes_generator("__pyx_pw_3mod_8f", symbol);
	native_role(symbol);
	clean_text(symbol);
	if (strlen(symbol) != len)
		abort();
	free(symbol);
	return 0;
}

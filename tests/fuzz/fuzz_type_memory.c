/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types in the data of a process whose memory is hostile: the bytes are a file's data,
 * mapped where their pointers may say so, in this process.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/cpython.h"
#include "symbolizer/type_memory.h"

#define BASE ((char *)0x10000000)
#define SIZE 16384
#define NAME "t.T"
#define METHOD "m"

static struct image file;
static struct type_memory memory[2]; /* of a usual build, and of a free-threaded one */

static void begin(void)
{
	int fd = memfd_create("types", MFD_CLOEXEC);
	struct stat st;

	if (fd < 0 || ftruncate(fd, SIZE) || fstat(fd, &st) ||
	    mmap(BASE, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) != BASE)
		abort();
	/* All of it is code as well. */
	file = (struct image){.start = (uintptr_t)BASE, .end = (uintptr_t)BASE + SIZE,
			      .dev = st.st_dev, .inode = st.st_ino};
	if (type_memory_open(getpid(), false, &memory[0]) ||
	    type_memory_open(getpid(), true, &memory[1]))
		abort();
}

static int is_inside(uint64_t address, size_t size)
{
	return address >= file.start && address <= file.end - size;
}

static void check_type(const struct type_memory *m, enum type_slot slot)
{
	uint64_t found = 0, type = 0;

	if (type_memory_find(m, &file, NAME, slot, &found, &type))
		return;
	/* What it is said to have is code, or is an array with code in it. */
	if (slot == TYPE_METHODS)
		found = type_memory_word(m, found + PY_METHOD_FUNCTION);
	if (!is_inside(found, 1))
		abort();
	if (type && !is_inside(type + PY_TYPE_NAME + m->extra, 8))
		abort();
	type_memory_method(m, type_memory_methods(m, type), METHOD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t word = (uintptr_t)BASE, found = 0;

	if (!file.end)
		begin();
	if (size > SIZE)
		size = SIZE;
	memcpy(BASE, data, size);
	memset(BASE + size, 0, SIZE - size);
	for (int i = 0; i < 2; i++) {
		for (int slot = TYPE_CALL; slot <= TYPE_METHODS; slot++)
			check_type(&memory[i], slot);
		found = type_memory_find_method(&memory[i], &file, METHOD);
		if (found && !is_inside(found, 1))
			abort();
	}
	found = 0;
	while ((found = type_memory_find_word(&memory[0], &file, word, found)))
		if (!is_inside(found, 8) || found % 8 || memcmp((void *)found, &word, 8))
			abort();
	return 0;
}

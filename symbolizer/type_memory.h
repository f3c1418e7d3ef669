/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Type objects of C in a process's memory: found by their name, asked for the
 * functions of their methods.
 */
#ifndef PYCOST_TYPE_MEMORY_H
#define PYCOST_TYPE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/process_image.h"

struct type_memory {
	int mem;	/* /proc/PID/mem; -1: not open */
	pid_t pid;
	unsigned extra; /* bytes by which an object's head is longer: free-threaded builds */
};

/* -ESRCH, -EACCES or -EPERM. */
int type_memory_open(pid_t pid, bool free_threaded, struct type_memory *ret);
void type_memory_close(struct type_memory *m);

/* 0: it could not be read. */
uint64_t type_memory_word(const struct type_memory *m, uint64_t address);

/* Where a type object has its methods; 0: it has none. */
uint64_t type_memory_methods(const struct type_memory *m, uint64_t type);

/* The function of this name in an array of PyMethodDef, or 0. */
uint64_t type_memory_method(const struct type_memory *m, uint64_t methods, const char *name);

/* What a type may have. */
enum type_slot {
	TYPE_CALL, /* the function of __call__ */
	TYPE_INIT, /* of __init__ */
	TYPE_METHODS, /* an array of PyMethodDef, whose functions are meant below */
};

/*
 * What a type has that is known by this name among the data of a file that the process
 * has mapped: a static type object, whose address goes to *ret_type, or what a type on
 * the heap is made from: then that is 0.  The function is in the same file.
 * -ENOENT: there is none; -ESRCH, -ENOMEM.
 */
int type_memory_find(const struct type_memory *m, const struct image *file, const char *name,
		     enum type_slot slot, uint64_t *ret_slot, uint64_t *ret_type);

/* The function in a file that a PyMethodDef of this name there has, or 0. */
uint64_t type_memory_find_method(const struct type_memory *m, const struct image *file,
				 const char *name);

/* Address of an array whose first word is this, within the file's writable data; or 0. */
uint64_t type_memory_find_word(const struct type_memory *m, const struct image *file,
			       uint64_t word, uint64_t after);

#endif

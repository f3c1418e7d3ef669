/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code that the kernel gives to each process: the same on the whole machine. */
#ifndef PYCOST_VDSO_H
#define PYCOST_VDSO_H

struct native_object;

/*
 * Our own, which is all others' too.  -ENOENT: there is none; or as
 * native_object_read().
 */
int vdso_read(struct native_object *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PYCOST_RIGHTS_H
#define PYCOST_RIGHTS_H

#include <stddef.h>

/*
 * When err is -EPERM or -EACCES, adds to the text which capabilities, of those
 * that can matter to pycost, this process does not have.
 */
void rights_explain(int err, char *text, size_t len);

#endif

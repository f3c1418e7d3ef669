/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping an interpreter's file within reach.
 *
 * The path of one leads through the root of a process that may end, while others run the
 * same file: /proc/PID/root/usr/bin/...
 */
#ifndef PYCOST_INTERPRETER_PIN_H
#define PYCOST_INTERPRETER_PIN_H

struct interpreter;

/*
 * From here on in->path leads through a descriptor of our own, which is returned, to be
 * closed after *in has gone; it is of use in this process alone.  -errno of open(2),
 * -ENOMEM.
 */
int interpreter_pin(struct interpreter *in);

#endif

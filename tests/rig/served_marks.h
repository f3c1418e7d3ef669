/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The imports and collections of served processes, printed likewise. */
#ifndef PYCOST_TESTS_SERVED_MARKS_H
#define PYCOST_TESTS_SERVED_MARKS_H

#include <stdbool.h>

struct serving;

/* Without it the others do nothing. */
int served_marks_open(const struct serving *s, bool audit, char **pids);
void served_marks_pass(bool last);
void served_marks_close(void);

#endif

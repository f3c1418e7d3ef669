/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from foreign files, made fit for terminals and for JSON. */
#ifndef PYCOST_CLEAN_TEXT_H
#define PYCOST_CLEAN_TEXT_H

/* Puts a '?' for each control character and for each byte that is no UTF-8. */
void clean_text(char *s);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options --mode, --rate, --period, --all and --debuginfod, for argp's children. */
#ifndef PYCOST_SAMPLE_OPTIONS_H
#define PYCOST_SAMPLE_OPTIONS_H

#include <argp.h>

/*
 * input: struct session_options.  Those that make no sense together are refused, also
 * with options of exact mode that the parent has parsed.
 */
extern const struct argp sample_argp;

#endif

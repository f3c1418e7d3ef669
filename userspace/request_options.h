/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options --config, --route, --field, --backend, --tag, --user-key and --marks, for argp's
 * children.
 */
#ifndef PYCOST_REQUEST_OPTIONS_H
#define PYCOST_REQUEST_OPTIONS_H

#include <argp.h>

/*
 * input: a struct request_config that request_config_init() has seen; it is finished
 * when the arguments have been parsed.
 */
extern const struct argp request_argp;

#endif

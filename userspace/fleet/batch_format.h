/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What batch_pack() and batch_unpack() agree on, beside batch.proto. */
#ifndef PYCOST_BATCH_FORMAT_H
#define PYCOST_BATCH_FORMAT_H

#define BATCH_FORMAT 1
#define BATCH_ERROR_SIZE 160

#endif

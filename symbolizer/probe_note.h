/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The USDT probes that an ELF file declares in .note.stapsdt, as <sys/sdt.h> of
 * SystemTap writes them (https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation).
 */
#ifndef PYCOST_PROBE_NOTE_H
#define PYCOST_PROBE_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

struct probe_note {
	char *provider;
	char *name;
	char *args;	    /* see usdt_arg.h */
	uint64_t location;  /* file offset of the probe's nop */
	uint64_t semaphore; /* file offset of its 16-bit counter, 0: none */
};

struct probe_notes {
	struct probe_note *v;
	size_t n;
};

/*
 * The probes of one provider in file order; none is no error.  A note that is
 * malformed or points outside of the file's segments is left out.
 * -ENOMEM; -E2BIG when there are more than any real file has.
 * Free with probe_notes_free().
 */
int probe_notes_read(struct elf_file *f, const char *provider, struct probe_notes *ret);
void probe_notes_free(struct probe_notes *notes);

#endif

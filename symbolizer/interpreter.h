/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Python interpreter of a process, or of a command before it runs: which
 * ELF file it is, which Python, and where its USDT probes are.
 *
 * The interpreter is the mapped file that defines PyFunction_Type: the main
 * executable, a libpythonX.Y.so, or whatever a program has embedded it in.
 */
#ifndef PYCOST_INTERPRETER_H
#define PYCOST_INTERPRETER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/cold_sites.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/usdt_arg.h"

#define PROBE_ARGS_MAX 4
#define PROBE_NAME_SIZE 32

#define PROBE_INSN_SIZE 24

enum site_kind {
	SITE_NOTE = 0, /* a USDT probe's nop: live while its semaphore is above 0 */
	SITE_HANDLER,  /* an instruction in an opcode's handler */
	SITE_FUNCTION, /* an instruction of a function of the interpreter */
};

struct probe_site {
	/* "function__entry"; of a handler its opcode, "RESUME"; of a function its symbol */
	char name[PROBE_NAME_SIZE];
	enum site_kind kind;
	uint64_t offset;    /* file offset of the instruction */
	uint64_t semaphore; /* file offset of its counter, 0: none */
	/*
	 * Of a handler or a function: the kernel emulates the instruction, so it
	 * takes one trap and not two; and which it is, "jne".
	 */
	bool emulated;
	char insn[PROBE_INSN_SIZE];
	/*
	 * The register (enum usdt_reg) that holds the frame there; PROBE_NO_REG
	 * when only trying it out can tell.
	 */
	uint8_t frame_reg;
	unsigned n_args; /* of a note */
	struct usdt_arg args[PROBE_ARGS_MAX];
};

/* The register (enum usdt_reg) that an argument is in, PROBE_NO_REG: in none. */
#define PROBE_NO_REG 0xff
uint8_t probe_site_reg(const struct probe_site *s, unsigned arg);

struct probe_sites {
	struct probe_site *v;
	size_t n;
};

enum probe_state {
	PROBES_ABSENT = 0,
	PROBES_NOTED, /* both function probes are among the file's notes, and live */
	/*
	 * Other instructions do for them.  One entry may show twice: an opcode
	 * that hands on to its general or instrumented form, whose frame is on
	 * top of the stack by then.
	 */
	PROBES_SITES,
};

struct interpreter {
	char *path;	   /* through which we can open it now: /proc/PID/root/usr/bin/… */
	char *target_path; /* as the process calls it: /usr/bin/python3.15 */
	dev_t dev;	   /* of the file, as stat() tells */
	ino_t inode;
	char build_id[ELF_BUILD_ID_SIZE]; /* hex; "" when it has none */
	unsigned machine;		  /* EM_X86_64 or EM_AARCH64 */
	int major, minor;		  /* -1: not found */
	int micro;			  /* -1: not found */
	bool free_threaded;
	/*
	 * In a process: its load bias and addresses.  For a file on disk: bias 0
	 * and the file's own addresses.
	 */
	uint64_t bias;
	uint64_t runtime;	/* of _PyRuntime; 0 before 3.7 */
	uint64_t runtime_size;	/* 0: not known */
	uint64_t function_type; /* of PyFunction_Type */
	uint64_t code_type;	/* of PyCode_Type; 0: not known */
	/* Only of 3.6, which has no _PyRuntime; 0: not known. */
	uint64_t interp_head;	 /* of the pointer to the first interpreter */
	uint64_t thread_current; /* of the pointer to the thread with the GIL */
	enum probe_state probes;
	const char *sites_reason; /* PROBES_ABSENT: why nothing does for them; static */
	struct probe_sites entries; /* python:function__entry, or what does for it */
	struct probe_sites returns; /* python:function__return, likewise */
	struct probe_sites others;  /* every other python probe */
	struct cold_sites cold;
};

/*
 * The interpreter of a live process.  Absent probes are no error.
 * -ESRCH no such process, -EACCES or -EPERM not allowed, -ENOENT no Python in
 * it, -ESTALE its file was replaced and cannot be reached any more.
 * Free with interpreter_clear().
 */
int interpreter_find(pid_t pid, struct interpreter *ret);

/* Such an error in words. */
void interpreter_explain(int error, char *err, size_t errlen);

/*
 * The interpreter that executing this command would start: a script's "#!" line
 * (also through env) is followed, an executable's libpython is found as the
 * dynamic linker would.  search_path is PATH's value, for names without '/'.
 * -ENOENT: no such command, or not Python as far as can be told (a shell
 * script around it, or a program that loads Python later).
 */
int interpreter_open_path(const char *command, const char *search_path, struct interpreter *ret);

void interpreter_clear(struct interpreter *in);
/* A copy that outlives it.  -ENOMEM. */
int interpreter_copy(const struct interpreter *in, struct interpreter *ret);

/* "3.15.2", "3.15" or "version unknown", as far as is known; its length. */
size_t interpreter_version(const struct interpreter *in, char *ret, size_t size);

/*
 * NULL when exact measurement through the function probes is possible; else
 * one plain sentence that says why not and what would do.  Static.
 */
const char *interpreter_exact_reason(const struct interpreter *in);

#endif

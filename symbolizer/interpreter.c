/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/interpreter.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/command.h"
#include "symbolizer/eval_sites.h"
#include "symbolizer/probe_note.h"
#include "symbolizer/process_image.h"
#include "symbolizer/pyversion.h"
#include "symbolizer/site_memo.h"
#include "symbolizer/thread_roots.h"

/* Descriptor and names of a file that may be the interpreter. */
struct candidate {
	int fd;
	const char *path;
	const char *target_path;
	const struct image *image; /* NULL: not in a process */
};

uint8_t probe_site_reg(const struct probe_site *s, unsigned arg)
{
	return arg < s->n_args && s->args[arg].kind == USDT_ARG_REG ? s->args[arg].reg
								    : PROBE_NO_REG;
}

void interpreter_clear(struct interpreter *in)
{
	free(in->path);
	free(in->target_path);
	free(in->entries.v);
	free(in->returns.v);
	free(in->others.v);
	*in = (struct interpreter){ 0 };
}

static int sites_copy(struct probe_sites *sites)
{
	size_t size = sites->n * sizeof(*sites->v);
	struct probe_site *v = malloc(size + 1);

	if (v && size)
		memcpy(v, sites->v, size);
	sites->v = v;
	return v ? 0 : -ENOMEM;
}

int interpreter_copy(const struct interpreter *in, struct interpreter *ret)
{
	struct interpreter copy = *in;
	int err = 0;

	copy.path = strdup(in->path);
	copy.target_path = strdup(in->target_path);
	err |= sites_copy(&copy.entries);
	err |= sites_copy(&copy.returns);
	err |= sites_copy(&copy.others);
	if (err || !copy.path || !copy.target_path) {
		interpreter_clear(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

size_t interpreter_version(const struct interpreter *in, char *ret, size_t size)
{
	if (in->major < 0)
		snprintf(ret, size, "version unknown");
	else if (in->micro < 0)
		snprintf(ret, size, "%d.%d", in->major, in->minor);
	else
		snprintf(ret, size, "%d.%d.%d", in->major, in->minor, in->micro);
	return strlen(ret);
}

static int site_append(struct probe_sites *sites, const struct probe_note *note, unsigned machine)
{
	struct probe_site *v = realloc(sites->v, (sites->n + 1) * sizeof(*v));
	struct probe_site *site;
	int n;

	if (!v)
		return -ENOMEM;
	sites->v = v;
	site = &v[sites->n++];
	*site = (struct probe_site){ .offset = note->location,
				     .semaphore = note->semaphore,
				     .frame_reg = PROBE_NO_REG };
	memcpy(site->name, note->name, strnlen(note->name, sizeof(site->name) - 1));
	n = usdt_args_parse(note->args, machine, site->args, PROBE_ARGS_MAX);
	site->n_args = n > 0 ? (unsigned)n : 0;
	return 0;
}

static int load_notes(struct elf_file *f, struct interpreter *in)
{
	struct probe_notes notes;
	int err = probe_notes_read(f, "python", &notes);

	if (err)
		return err;
	for (size_t i = 0; !err && i < notes.n; i++) {
		const char *name = notes.v[i].name;
		struct probe_sites *sites = &in->others;

		if (!strcmp(name, "function__entry"))
			sites = &in->entries;
		else if (!strcmp(name, "function__return"))
			sites = &in->returns;
		err = site_append(sites, &notes.v[i], in->machine);
	}
	probe_notes_free(&notes);
	return err;
}

/* Where 3.11 notes an entry it is one only under a tracer, or by throw(). */
static bool notes_are_live(const struct interpreter *in)
{
	return in->entries.n && in->returns.n && in->minor != 11;
}

static int load_found_sites(struct elf_file *f, const struct candidate *c, struct interpreter *in)
{
	struct stat st;
	int err;

	if (fstat(c->fd, &st))
		return -errno;
	err = site_memo_get(&st, in);
	if (err != -ENOENT)
		return err;
	in->sites_reason = eval_sites_find(f, in, &err);
	if (!err)
		site_memo_put(&st, in);
	return err;
}

static int load_probes(struct elf_file *f, const struct candidate *c, struct interpreter *in)
{
	int err = load_notes(f, in);

	if (err)
		return err;
	if (in->entries.n || in->returns.n || in->others.n)
		cold_sites_find(f, &in->cold);
	if (notes_are_live(in)) {
		in->probes = PROBES_NOTED;
		return 0;
	}
	if (in->free_threaded || in->major != 3)
		return 0;
	err = load_found_sites(f, c, in);
	in->probes = in->sites_reason ? PROBES_ABSENT : PROBES_SITES;
	return err;
}

/* 0: the file does not tell. */
static uint64_t address_of(struct elf_file *f, const struct interpreter *in, const char *symbol)
{
	uint64_t vaddr;

	return elf_file_symbol(f, symbol, &vaddr) ? 0 : vaddr + in->bias;
}

static int load_addresses(struct elf_file *f, const struct candidate *c, struct interpreter *in)
{
	uint64_t code;
	int err = elf_file_symbol(f, "PyFunction_Type", &in->function_type);

	if (err)
		return err;
	if (c->image) {
		err = elf_file_code_vaddr(f, c->image->offset, &code);
		if (err)
			return err;
		in->bias = c->image->start - code;
	}
	in->function_type += in->bias;
	in->runtime = address_of(f, in, "_PyRuntime");
	in->runtime_size = elf_file_symbol_size(f, "_PyRuntime");
	in->code_type = address_of(f, in, "PyCode_Type");
	if (!in->runtime) {
		in->interp_head = thread_roots_head(f);
		in->interp_head += in->interp_head ? in->bias : 0;
		in->thread_current = address_of(f, in, "_PyThreadState_Current");
	}
	return 0;
}

static int load_identity(struct elf_file *f, const struct candidate *c, struct interpreter *in)
{
	struct pyversion version = pyversion_read(f, c->target_path);
	struct stat st;

	if (fstat(c->fd, &st))
		return -errno;
	in->dev = st.st_dev;
	in->inode = st.st_ino;
	in->major = version.major;
	in->minor = version.minor;
	in->micro = version.micro;
	in->free_threaded = version.free_threaded;
	in->path = strdup(c->path);
	in->target_path = strdup(c->target_path);
	if (!in->path || !in->target_path)
		return -ENOMEM;
	if (elf_file_build_id(f, in->build_id))
		in->build_id[0] = 0;
	return 0;
}

/* -ENOENT when the file is no interpreter. */
static int interpreter_load(const struct candidate *c, struct interpreter *ret)
{
	struct interpreter in = { 0 };
	struct elf_file *f;
	int err = elf_file_open(c->fd, &f);

	if (err)
		return err == -ENOEXEC ? -ENOENT : err;
	in.machine = elf_file_machine(f);
	err = load_addresses(f, c, &in);
	if (!err)
		err = load_identity(f, c, &in);
	if (!err)
		err = load_probes(f, c, &in);
	elf_file_free(f);
	if (err)
		interpreter_clear(&in);
	else
		*ret = in;
	return err;
}

/* One file of the process; -ENOENT when it is no interpreter. */
static int try_image(pid_t pid, const struct image *image, struct interpreter *ret)
{
	struct candidate c = { .image = image, .target_path = image_target_path(pid, image) };
	char *path;
	int err;

	c.fd = image_open(pid, image, &path);
	if (c.fd < 0)
		return c.fd;
	c.path = path;
	err = interpreter_load(&c, ret);
	free(path);
	close(c.fd);
	return err;
}

/*
 * Most likely first, as reading a file's symbols costs: the executable, files
 * called libpython, any other.
 */
static int image_rank(const struct image *image, size_t index)
{
	const char *slash = strrchr(image->path, '/');

	if (index == 0)
		return 0;
	return strstr(slash ? slash : image->path, "libpython") ? 1 : 2;
}

int interpreter_find(pid_t pid, struct interpreter *ret)
{
	struct images images;
	int refused = -ENOENT;
	int err = images_read(pid, &images);

	if (err)
		return err;
	err = -ENOENT;
	for (int rank = 0; rank <= 2 && err; rank++) {
		for (size_t i = 0; i < images.n && err; i++) {
			if (image_rank(&images.v[i], i) != rank)
				continue;
			err = try_image(pid, &images.v[i], ret);
			/* A file that we may not look at may have been Python. */
			if (err && err != -ENOENT && rank < 2 && refused == -ENOENT)
				refused = err;
		}
	}
	images_free(&images);
	return err ? refused : 0;
}

void interpreter_explain(int err, char *text, size_t len)
{
	snprintf(text, len, "%s",
		 err == -ENOENT	  ? "it is not Python: no CPython interpreter is mapped in it"
		 : err == -ESTALE ? "its interpreter's file was replaced on disk and cannot be "
				    "reached any more: restart it"
		 : err == -EACCES || err == -EPERM ? "no right to look at it"
						   : strerror(-err));
}

static int load_path(const char *path, struct interpreter *ret)
{
	struct candidate c = { .path = path, .target_path = path };
	int err;

	c.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (c.fd < 0)
		return -errno;
	err = interpreter_load(&c, ret);
	close(c.fd);
	return err;
}

int interpreter_open_path(const char *command, const char *search_path, struct interpreter *ret)
{
	char *executable, *library;
	int err = command_executable(command, search_path, &executable);

	if (err)
		return err == -ENOEXEC ? -ENOENT : err;
	err = load_path(executable, ret);
	if (err == -ENOENT) {
		err = command_library(executable, "libpython", &library);
		if (!err) {
			err = load_path(library, ret);
			free(library);
		}
	}
	free(executable);
	return err;
}

const char *interpreter_exact_reason(const struct interpreter *in)
{
	if (in->machine != EM_X86_64 && in->machine != EM_AARCH64)
		return "probes are understood on x86-64 and arm64 only";
	if (in->major < 0 || in->minor < 0)
		return "its version could not be found out";
	if (in->major != 3 || in->minor < 6)
		return "Python before 3.6 is not supported";
	if (in->minor > 15)
		return "this Python is newer than any whose structures are known here; "
		       "3.6 to 3.15 would do";
	if (in->free_threaded)
		return "free-threaded Python is not measured exactly: that needs a build with the GIL";
	if (in->probes == PROBES_ABSENT)
		return in->sites_reason ? in->sites_reason :
					  "this Python was built without function probes";
	return NULL;
}

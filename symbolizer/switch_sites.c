/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/switch_sites.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/disassembler.h"
#include "symbolizer/landing.h"
#include "symbolizer/process_image.h"
#include "symbolizer/type_memory.h"
#include "symbolizer/usdt_arg.h"

/* Indices into _PyGreenlet_API, greenlet.h of every release since 0.4.17. */
#define API_THROW 5
#define API_SWITCH 6
#define API_TRIES 16

#define PROLOGUE 12 /* instructions */
/* The first three, of which no program here reads more. */
#define ARGUMENTS (1u << USDT_X86_RDI | 1u << USDT_X86_RSI | 1u << USDT_X86_RDX)

struct search {
	pid_t pid;
	const struct interpreter *in;
	struct type_memory memory;
	struct images images;
	struct switch_sites *sites;
	bool uvloop;
};

static const struct image *image_at(const struct search *s, uint64_t address)
{
	for (size_t i = 0; i < s->images.n; i++)
		if (address >= s->images.v[i].start && address < s->images.v[i].end)
			return &s->images.v[i];
	return NULL;
}

static int file_index(struct search *s, const struct image *image, size_t *ret)
{
	struct switch_sites *to = s->sites;
	struct stat st;
	char *path;
	int fd = image_open(s->pid, image, &path);

	if (fd < 0)
		return fd;
	free(path);
	if (fstat(fd, &st)) {
		close(fd);
		return -errno;
	}
	for (*ret = 0; *ret < to->n_files; ++*ret)
		if (to->files[*ret].dev == st.st_dev && to->files[*ret].inode == st.st_ino)
			break;
	if (*ret < to->n_files || to->n_files == SWITCH_FILES) {
		close(fd);
	} else {
		to->files[to->n_files++] =
			(struct switch_file){ .dev = st.st_dev, .inode = st.st_ino, .fd = fd };
	}
	if (*ret == SWITCH_FILES)
		return -E2BIG;
	return 0;
}

static bool is_landing_pad(const unsigned char *code)
{
	return !memcmp(code, "\xf3\x0f\x1e\xfa", 4); /* endbr64 */
}

/* push of a register, which the kernel emulates */
static bool is_push(const unsigned char *code)
{
	return (code[0] & 0xf8) == 0x50 || (code[0] == 0x41 && (code[1] & 0xf8) == 0x50);
}

/*
 * How many bytes into the function the first instruction is that the kernel emulates,
 * with the arguments that are wanted in their registers still and nothing but falling through before;
 * 0: there is none near.
 */
static unsigned emulated_find(struct disassembler *d, uint64_t function, uint32_t arguments)
{
	struct landings l = { 0 };
	struct insn insn;
	uint64_t at = function;

	for (int i = 0; i < PROLOGUE && disassembler_at(d, at, &insn); i++, at += insn.size) {
		struct code_range range = { function + 1, at };
		unsigned entered;

		if (insn.emulated && at > function) {
			if (landings_find(d, &range, 1, &l))
				return 0;
			entered = l.n;
			landings_free(&l);
			return entered ? 0 : at - function;
		}
		if (insn.kind != INSN_PLAIN || insn.writes & arguments)
			break;
	}
	return 0;
}

static unsigned emulated_after(int fd, uint64_t offset, uint32_t arguments)
{
	struct disassembler *d;
	struct elf_file *f;
	uint64_t vaddr, start, size;
	unsigned found = 0;

	if (elf_file_open(fd, &f))
		return 0;
	for (size_t i = 0; !elf_file_code_segment(f, i, &vaddr, &start, &size); i++) {
		if (offset < start || offset - start >= size || disassembler_open(f, &d))
			continue;
		found = emulated_find(d, vaddr + offset - start, arguments);
		disassembler_close(d);
		break;
	}
	elf_file_free(f);
	return found;
}

/* Where in the function to look: see struct switch_site. */
static void site_place(const struct search *s, struct switch_site *site)
{
	int fd = s->sites->files[site->file].fd;
	uint32_t arguments = site->kind == SWITCH_ENTER ? 0 : ARGUMENTS; /* it has none to tell */
	unsigned char code[8] = { 0 };
	unsigned pad, further;

	if (s->in->machine != EM_X86_64 ||
	    pread(fd, code, sizeof(code), (off_t)site->offset) != sizeof(code))
		return;
	pad = is_landing_pad(code) ? 4 : 0;
	site->emulated = is_push(code + pad);
	further = site->emulated ? pad : emulated_after(fd, site->offset, arguments);
	site->emulated |= further != 0;
	site->offset += further ? further : pad;
}

/* A function in the process; 0: it has none. */
static int site_add(struct search *s, enum switch_kind kind, uint64_t function)
{
	const struct image *image = function ? image_at(s, function) : NULL;
	struct switch_sites *to = s->sites;
	struct switch_site site = { .kind = kind };
	int err;

	if (!image)
		return 0;
	err = file_index(s, image, &site.file);
	if (err)
		return err == -ESTALE || err == -E2BIG ? 0 : err;
	site.offset = function - image->start + image->offset;
	site_place(s, &site);
	for (size_t i = 0; i < to->n; i++)
		if (to->v[i].file == site.file && to->v[i].offset == site.offset)
			return 0;
	if (to->n < SWITCH_SITES)
		to->v[to->n++] = site;
	return 0;
}

static int contexts_add(struct search *s)
{
	struct elf_file *f;
	uint64_t type, enter, bias = s->in->bias;
	const struct image *image = NULL;
	char *path;
	int fd, err;

	for (size_t i = 0; !image && i < s->images.n; i++)
		if (s->images.v[i].inode == s->in->inode)
			image = &s->images.v[i];
	if (!image)
		return 0;
	fd = image_open(s->pid, image, &path);
	if (fd < 0)
		return fd == -ESTALE ? 0 : fd;
	free(path);
	err = elf_file_open(fd, &f);
	close(fd);
	if (err)
		return err == -ENOMEM ? err : 0;
	if (!elf_file_symbol(f, "PyContext_Type", &type))
		err = site_add(s, SWITCH_RUN, type_memory_method(&s->memory, type_memory_methods(&s->memory, type + bias),
					   "run"));
	if (!err && s->uvloop && !elf_file_symbol(f, "PyContext_Enter", &enter))
		err = site_add(s, SWITCH_ENTER, enter + bias);
	elf_file_free(f);
	return err;
}

static int task_add(struct search *s, const struct image *image)
{
	uint64_t function, type;
	int err = type_memory_find(&s->memory, image, "_asyncio.Task", TYPE_INIT, &function, &type);

	if (!err)
		err = site_add(s, SWITCH_TASK, function);
	return err == -ENOENT ? 0 : err;
}

/* Their types have had both names. */
static int steps_add(struct search *s, const struct image *image)
{
	static const char *const names[] = { "_asyncio.TaskStepMethWrapper", "TaskStepMethWrapper",
					     "TaskWakeupMethWrapper" };
	uint64_t function, type;
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(names) / sizeof(names[0]); i++) {
		err = type_memory_find(&s->memory, image, names[i], TYPE_CALL, &function, &type);
		if (!err)
			err = site_add(s, SWITCH_STEP, function);
		if (err == -ENOENT)
			err = 0;
	}
	return err ? err : site_add(s, SWITCH_WAKEUP, type_memory_find_method(&s->memory, image,
									      "task_wakeup"));
}

static int result_add(struct search *s, const struct image *image)
{
	uint64_t methods, type;
	int err = type_memory_find(&s->memory, image, "_asyncio.Future", TYPE_METHODS, &methods,
				   &type);

	if (err)
		return err == -ENOENT ? 0 : err;
	return site_add(s, SWITCH_RESULT, type_memory_method(&s->memory, methods, "set_result"));
}

static int asyncio_add(struct search *s, const struct image *image)
{
	int err = task_add(s, image);

	if (!err && s->uvloop)
		err = steps_add(s, image);
	return err || !s->uvloop ? err : result_add(s, image);
}

/* The C API, by which Cython's modules switch: gevent's. */
static int greenlet_api_add(struct search *s, const struct image *image, uint64_t type)
{
	uint64_t at = 0;
	int err = 0;

	for (int i = 0; !err && i < API_TRIES; i++) {
		uint64_t throws, switches;

		at = type_memory_find_word(&s->memory, image, type, at);
		if (!at)
			break;
		throws = type_memory_word(&s->memory, at + 8 * API_THROW);
		switches = type_memory_word(&s->memory, at + 8 * API_SWITCH);
		if (image_at(s, throws) != image || image_at(s, switches) != image)
			continue;
		err = site_add(s, SWITCH_GREENLET, throws);
		return err ? err : site_add(s, SWITCH_GREENLET, switches);
	}
	return err;
}

static int greenlet_add(struct search *s, const struct image *image)
{
	static const char *const methods[] = { "switch", "throw" };
	uint64_t function, type;
	int err = type_memory_find(&s->memory, image, "greenlet.greenlet", TYPE_INIT, &function,
				   &type);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (!type)
		return 0;
	err = site_add(s, SWITCH_GREENLET_NEW, function);
	for (size_t i = 0; !err && i < 2; i++)
		err = site_add(s, SWITCH_GREENLET,
			       type_memory_method(&s->memory, type_memory_methods(&s->memory, type),
						  methods[i]));
	return err ? err : greenlet_api_add(s, image, type);
}

static const char *name_of(const struct image *image)
{
	const char *slash = strrchr(image->path, '/');

	return slash ? slash + 1 : image->path;
}

static int modules_add(struct search *s)
{
	bool asyncio = false;
	int err = 0;

	for (size_t i = 0; !err && i < s->images.n; i++) {
		const struct image *image = &s->images.v[i];

		if (!strncmp(name_of(image), "_asyncio.", 9)) {
			asyncio = true;
			err = asyncio_add(s, image);
		} else if (!strncmp(name_of(image), "_greenlet.", 10)) {
			err = greenlet_add(s, image);
		}
	}
	/* From 3.15 on Debian's interpreter has it built in. */
	for (size_t i = 0; !err && !asyncio && i < s->images.n; i++)
		if (s->images.v[i].inode == s->in->inode)
			err = asyncio_add(s, &s->images.v[i]);
	return err;
}

int switch_sites_find(pid_t pid, const struct interpreter *in, struct switch_sites *ret)
{
	struct search s = { .pid = pid, .in = in, .sites = ret, .memory = { .mem = -1 } };
	int err;

	*ret = (struct switch_sites){ 0 };
	err = type_memory_open(pid, in->free_threaded, &s.memory);
	if (!err)
		err = images_read(pid, &s.images);
	for (size_t i = 0; !err && i < s.images.n; i++)
		s.uvloop |= strstr(s.images.v[i].path, "/uvloop/loop.") != NULL;
	if (!err)
		err = contexts_add(&s);
	if (!err)
		err = modules_add(&s);
	images_free(&s.images);
	type_memory_close(&s.memory);
	if (err)
		switch_sites_clear(ret);
	return err;
}

void switch_sites_clear(struct switch_sites *s)
{
	for (size_t i = 0; i < s->n_files; i++)
		close(s->files[i].fd);
	*s = (struct switch_sites){ 0 };
}

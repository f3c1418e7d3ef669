/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/layout_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "symbolizer/debug_offsets.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/process_image.h"

/* The head of _PyRuntime as the file has it.  Returns how many bytes, 0: none. */
static size_t runtime_in_file(struct elf_file *f, unsigned char *ret, size_t size)
{
	struct elf_section s;
	uint64_t vaddr;

	if (!elf_file_section(f, ".PyRuntime", &s) && s.size) {
		size = s.size < size ? s.size : size;
		memcpy(ret, s.data, size);
		return size;
	}
	/* All of _PyRuntime is much longer. */
	if (!elf_file_symbol(f, "_PyRuntime", &vaddr) && !elf_file_read(f, vaddr, ret, size))
		return size;
	return 0;
}

static size_t runtime_in_memory(pid_t pid, uint64_t address, unsigned char *ret, size_t size)
{
	struct iovec to = { ret, size }, from = { (void *)address, size };
	ssize_t n = pid && address ? process_vm_readv(pid, &to, 1, &from, 1, 0) : 0;

	return n > 0 ? (size_t)n : 0;
}

/* -ENOENT: it has none. */
static int read_offsets(struct elf_file *f, const struct interpreter *in, pid_t pid,
			struct debug_offsets *ret, const char **ret_why)
{
	unsigned char bytes[DEBUG_OFFSETS_SIZE];
	size_t n = runtime_in_file(f, bytes, sizeof(bytes));
	int err = debug_offsets_parse(bytes, n, ret, ret_why);

	if (err != -ENOENT)
		return err;
	n = runtime_in_memory(pid, in->runtime, bytes, sizeof(bytes));
	return debug_offsets_parse(bytes, n, ret, ret_why);
}

static bool asyncio_in_file(struct elf_file *f, struct cpython_runtime *r)
{
	struct elf_section s;

	return !elf_file_section(f, ".AsyncioDebug", &s) &&
	       !asyncio_offsets_apply(s.data, s.size, r);
}

static bool asyncio_in_image(pid_t pid, const struct image *image, struct cpython_runtime *r)
{
	struct elf_file *f;
	char *path = NULL;
	bool found = false;
	int fd = image_open(pid, image, &path);

	if (fd < 0)
		return false;
	if (!elf_file_open(fd, &f)) {
		found = asyncio_in_file(f, r);
		elf_file_free(f);
	}
	close(fd);
	free(path);
	return found;
}

static bool asyncio_in_process(pid_t pid, struct cpython_runtime *r)
{
	struct images images;
	bool found = false;

	if (!pid || images_read(pid, &images))
		return false;
	for (size_t i = 0; !found && i < images.n; i++) {
		const char *slash = strrchr(images.v[i].path, '/');

		if (slash && !strncmp(slash, "/_asyncio.", strlen("/_asyncio.")))
			found = asyncio_in_image(pid, &images.v[i], r);
	}
	images_free(&images);
	return found;
}

/* The table to start from: of the newest minor when this one is newer. */
static bool start_from_table(const struct interpreter *in, struct cpython_layout *layout,
			     struct cpython_runtime *runtime)
{
	int minor = in->minor > DEBUG_LAST_MINOR ? DEBUG_LAST_MINOR : in->minor;
	const struct cpython_layout *l = layout_for_build(minor, in->free_threaded);
	const struct cpython_runtime *r = runtime_for(minor, in->free_threaded);

	if (in->major != 3 || !l || !r)
		return false;
	*layout = *l;
	*runtime = *r;
	return true;
}

static int explain(const struct interpreter *in, const char *what, char *why, size_t size)
{
	snprintf(why, size, "Python %d.%d%s: %s", in->major, in->minor,
		 in->free_threaded ? "t" : "", what);
	return -ENOTSUP;
}

static bool agree(const struct debug_offsets *d, const struct interpreter *in)
{
	return in->minor == d->minor && in->free_threaded == d->free_threaded;
}

static int merge_offsets(struct elf_file *f, const struct interpreter *in, pid_t pid,
			 struct cpython_layout *layout, struct cpython_runtime *runtime,
			 const char **ret_why)
{
	const struct cpython_layout layout_before = *layout;
	const struct cpython_runtime runtime_before = *runtime;
	struct debug_offsets d;
	int err = read_offsets(f, in, pid, &d, ret_why);

	if (err == -ENOENT && in->minor >= DEBUG_FIRST_MINOR && in->minor <= DEBUG_LAST_MINOR)
		return 0;
	*ret_why = err == -ENOENT ? "it is unknown, and tells no debug offsets" : *ret_why;
	if (err)
		return err;
	*ret_why = "its debug offsets are of another version";
	if (!agree(&d, in))
		return -EBADMSG;
	debug_offsets_apply(&d, layout, runtime);
	if (in->minor >= 14 && !asyncio_in_file(f, runtime))
		asyncio_in_process(pid, runtime);
	/* What is not told may have moved too, when something has. */
	return !d.known || !d.final || memcmp(&layout_before, layout, sizeof(*layout)) ||
			       memcmp(&runtime_before, runtime, sizeof(*runtime)) ?
		       LAYOUT_UNPROVEN : 0;
}

int layout_read(const struct interpreter *in, pid_t pid, struct cpython_layout *layout,
		struct cpython_runtime *runtime, char *why, size_t size)
{
	struct elf_file *f;
	const char *what;
	int fd, err;

	if (!start_from_table(in, layout, runtime))
		return explain(in, "no layout of its structs is known", why, size);
	if (in->minor < DEBUG_FIRST_MINOR)
		return 0;
	fd = open(in->path, O_RDONLY | O_CLOEXEC);
	err = fd < 0 ? -errno : elf_file_open(fd, &f);
	if (fd >= 0)
		close(fd);
	if (err) {
		explain(in, "its file cannot be opened", why, size);
		return err;
	}
	err = merge_offsets(f, in, pid, layout, runtime, &what);
	elf_file_free(f);
	return err < 0 ? explain(in, what, why, size) : err;
}

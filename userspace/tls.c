/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/wire_request.h" /* the skeleton holds some of it */
#include "symbolizer/process_image.h"
#include "symbolizer/tls_sites.h"
#include "tls.skel.h"
#include "userspace/kernel.h"
#include "userspace/lookout.h"
#include "userspace/rights.h"
#include "userspace/serving.h"
#include "userspace/traps.h"
#include "userspace/uprobe_link.h"

#define LOOK_FIRST_NS 250000000ull
#define LIBRARIES 4 /* of one process */

struct tls {
	struct tls_bpf *programs;
	struct lookout *lookout;
	enum traps_by by;
	char notice[256];
	bool noticed;
};

static int programs_load(const struct serving *s, struct tls *t)
{
	int err;

	t->programs = tls_bpf__open();
	if (!t->programs)
		return -errno;
	t->by = serving_traps(s);
	if (t->by == TRAPS_BY_LINKS)
		uprobe_links_prepare(t->programs->obj);
	err = serving_share(s, t->programs->obj);
	return err ? err : tls_bpf__load(t->programs);
}

/* Where a library is found. */
struct source {
	pid_t pid;
	const struct image *image;
};

static int program_of(const struct tls *t, enum tls_kind kind)
{
	struct bpf_program *const programs[TLS_KINDS] = {
		[TLS_READ] = t->programs->progs.on_tls_read,
		[TLS_READ_EX] = t->programs->progs.on_tls_read_ex,
		[TLS_WRITE] = t->programs->progs.on_tls_write,
		[TLS_WRITE_EX] = t->programs->progs.on_tls_write_ex,
		[TLS_WRITE_EX2] = t->programs->progs.on_tls_write_ex2,
		[TLS_RETURN] = t->programs->progs.on_tls_return,
	};

	return bpf_program__fd(programs[kind]);
}

static int traps_fill(const struct tls *t, int fd, struct traps **ret)
{
	struct tls_sites sites;
	int err = tls_sites_find(fd, &sites);

	if (err)
		return err == -ENOENT || err == -ENOEXEC ? 0 : err;
	err = traps_new_file(fd, t->by, ret);
	for (size_t i = 0; !err && i < sites.n; i++)
		err = traps_add(*ret, sites.v[i].offset, sites.v[i].kind == TLS_RETURN,
				program_of(t, sites.v[i].kind));
	return err;
}

static int library_fill(void *arg, const void *source, struct traps **ret)
{
	const struct source *s = source;
	char *path;
	int fd = image_open(s->pid, s->image, &path), err;

	if (fd < 0)
		return fd;
	free(path);
	err = traps_fill(arg, fd, ret);
	close(fd);
	return err;
}

/* libssl by whatever name; or the executable, where it may be linked in. */
static bool may_have_tls(const struct images *images, size_t i)
{
	const char *name = strrchr(images->v[i].path, '/');

	return !i || (name && strstr(name, "ssl"));
}

static int process_look(void *arg, struct looked *p, pid_t pid, const void *own)
{
	struct images images;
	int err = images_read(pid, &images);

	if (err)
		return err;
	for (size_t i = 0; !err && i < images.n; i++) {
		const struct image *image = &images.v[i];
		struct lookout_file file = {.dev = image->dev, .inode = image->inode};

		if (may_have_tls(&images, i))
			err = lookout_set(p, &file, &(struct source){pid, image});
	}
	images_free(&images);
	return err;
}

static void process_failed(void *arg, pid_t pid, int err)
{
	struct tls *t = arg;

	if (*t->notice)
		return;
	snprintf(t->notice, sizeof(t->notice), "PID %d: requests over TLS are not seen: %s",
		 (int)pid,
		 err == -ENOTSUP ? "its libssl is not as expected, or this kernel has no "
				   "uprobe events"
				 : strerror(-err));
}

int tls_open(const struct serving *s, struct tls **ret, char *text, size_t len)
{
	struct tls *t = calloc(1, sizeof(*t));
	struct lookout_ops ops = {.look = process_look,
				  .fill = library_fill,
				  .failed = process_failed,
				  .arg = t,
				  .wait_first = LOOK_FIRST_NS,
				  .files = LIBRARIES};
	int err = t ? programs_load(s, t) : -ENOMEM;

	_Static_assert(LIBRARIES <= LOOKOUT_FILES, "a process's libraries have room");
	if (!err)
		err = lookout_new(&ops, &t->lookout);
	if (err) {
		kernel_explain(err, RIGHTS_SAMPLE, text, len);
		tls_close(t);
		return err;
	}
	*ret = t;
	return 0;
}

void tls_close(struct tls *t)
{
	if (!t)
		return;
	lookout_free(t->lookout);
	tls_bpf__destroy(t->programs);
	free(t);
}

int tls_follow(struct tls *t, pid_t pid, bool children)
{
	return lookout_follow(t->lookout, pid, NULL, children);
}

void tls_unfollow(struct tls *t, pid_t pid)
{
	lookout_unfollow(t->lookout, pid);
}

void tls_pass(struct tls *t)
{
	lookout_pass(t->lookout);
}

const char *tls_notice(struct tls *t)
{
	if (t->noticed || !*t->notice)
		return NULL;
	t->noticed = true;
	return t->notice;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/tls.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/wire_request.h" /* the skeleton holds some of it */
#include "symbolizer/process_image.h"
#include "symbolizer/tls_sites.h"
#include "tls.skel.h"
#include "userspace/behind.h"
#include "userspace/clock.h"
#include "userspace/kernel.h"
#include "userspace/rights.h"
#include "userspace/serving.h"
#include "userspace/traps.h"

/* When a process is looked at again: after so long, then twice as long, each time. */
#define LOOK_FIRST_NS 250000000ull
#define LOOK_LAST_NS 32000000000ull
#define LIBRARIES 4 /* of one process */

/* A file with these functions, for all processes. */
struct library {
	dev_t dev;
	ino_t inode;
	struct traps *traps; /* NULL: it has none of the functions */
};

struct tls_process {
	pid_t pid;
	bool children;
	uint64_t look_at, wait; /* ns */
	struct {
		const struct library *of;
		struct trapped *trapped;
	} v[LIBRARIES];
	size_t n;
};

struct tls {
	struct tls_bpf *programs;
	struct library **libraries; /* each stays where it is */
	size_t n_libraries;
	struct tls_process **v;
	size_t n;
	char notice[256];
	bool noticed;
};

static int programs_load(const struct serving *s, struct tls *t)
{
	int err;

	t->programs = tls_bpf__open();
	if (!t->programs)
		return -errno;
	err = serving_share(s, t->programs->obj);
	return err ? err : tls_bpf__load(t->programs);
}

int tls_open(const struct serving *s, struct tls **ret, char *text, size_t len)
{
	struct tls *t = calloc(1, sizeof(*t));
	int err = t ? programs_load(s, t) : -ENOMEM;

	if (err) {
		kernel_explain(err, RIGHTS_SAMPLE, text, len);
		tls_close(t);
		return err;
	}
	*ret = t;
	return 0;
}

static void process_free(void *arg)
{
	struct tls_process *p = arg;

	for (size_t i = 0; i < p->n; i++)
		trapped_close(p->v[i].trapped);
	free(p);
}

void tls_close(struct tls *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		process_free(t->v[i]);
	for (size_t i = 0; i < t->n_libraries; i++) {
		traps_free(t->libraries[i]->traps);
		free(t->libraries[i]);
	}
	free(t->libraries);
	free(t->v);
	tls_bpf__destroy(t->programs);
	free(t);
}

/* ---- libraries ---- */

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

static int library_fill(const struct tls *t, int fd, struct library *l)
{
	struct tls_sites sites;
	int err = tls_sites_find(fd, &sites);

	if (err)
		return err == -ENOENT || err == -ENOEXEC ? 0 : err;
	err = traps_new_file(fd, &l->traps);
	for (size_t i = 0; !err && i < sites.n; i++)
		err = traps_add(l->traps, sites.v[i].offset, sites.v[i].kind == TLS_RETURN,
				program_of(t, sites.v[i].kind));
	return err;
}

static int library_get(struct tls *t, pid_t pid, const struct image *image,
		       const struct library **ret)
{
	struct library **v, *l;
	char *path;
	int fd, err;

	for (size_t i = 0; i < t->n_libraries; i++) {
		*ret = t->libraries[i];
		if ((*ret)->dev == image->dev && (*ret)->inode == image->inode)
			return 0;
	}
	fd = image_open(pid, image, &path);
	if (fd < 0)
		return fd;
	free(path);
	v = realloc(t->libraries, (t->n_libraries + 1) * sizeof(*v));
	l = calloc(1, sizeof(*l));
	t->libraries = v ? v : t->libraries;
	err = v && l ? library_fill(t, fd, l) : -ENOMEM;
	close(fd);
	if (err) {
		if (l)
			traps_free(l->traps);
		free(l);
		return err;
	}
	l->dev = image->dev;
	l->inode = image->inode;
	*ret = v[t->n_libraries++] = l;
	return 0;
}

/* libssl by whatever name; or the executable, where it may be linked in. */
static bool may_have_tls(const struct images *images, size_t i)
{
	const char *name = strrchr(images->v[i].path, '/');

	return !i || (name && strstr(name, "ssl"));
}

/* ---- processes ---- */

static int library_set(struct tls_process *p, const struct library *l)
{
	int err;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].of == l)
			return 0;
	if (!l->traps)
		return 0;
	if (p->n == LIBRARIES)
		return -E2BIG;
	err = traps_set(l->traps, p->pid, p->children, &p->v[p->n].trapped);
	if (!err)
		p->v[p->n++].of = l;
	return err;
}

static int process_look(struct tls *t, struct tls_process *p)
{
	const struct library *l;
	struct images images;
	int err = images_read(p->pid, &images);

	if (err)
		return err;
	for (size_t i = 0; !err && i < images.n; i++) {
		if (!may_have_tls(&images, i))
			continue;
		err = library_get(t, p->pid, &images.v[i], &l);
		if (!err)
			err = library_set(p, l);
	}
	images_free(&images);
	return err;
}

static void process_try(struct tls *t, struct tls_process *p, uint64_t now)
{
	int err = process_look(t, p);

	p->wait = p->wait ? p->wait * 2 : LOOK_FIRST_NS;
	if (p->wait > LOOK_LAST_NS)
		p->wait = LOOK_LAST_NS;
	p->look_at = now + p->wait;
	if (err && err != -ESRCH && !*t->notice)
		snprintf(t->notice, sizeof(t->notice),
			 "PID %d: requests over TLS are not seen: %s", (int)p->pid,
			 err == -ENOTSUP ? "its libssl is not as expected, or this kernel has no "
					   "uprobe events"
					 : strerror(-err));
}

static struct tls_process **process_find(struct tls *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i]->pid == pid)
			return &t->v[i];
	return NULL;
}

int tls_follow(struct tls *t, pid_t pid, bool children)
{
	struct tls_process **v, *p;

	tls_unfollow(t, pid); /* it has executed another program */
	v = realloc(t->v, (t->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	t->v = v;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->pid = pid;
	p->children = children;
	v[t->n++] = p;
	process_try(t, p, clock_ns());
	return 0;
}

void tls_unfollow(struct tls *t, pid_t pid)
{
	struct tls_process **at = process_find(t, pid);

	if (!at)
		return;
	/* The kernel takes its time to let go of events. */
	behind(process_free, *at);
	*at = t->v[--t->n];
}

void tls_pass(struct tls *t)
{
	uint64_t now = clock_ns();

	for (size_t i = 0; i < t->n; i++)
		if (now >= t->v[i]->look_at)
			process_try(t, t->v[i], now);
}

const char *tls_notice(struct tls *t)
{
	if (t->noticed || !*t->notice)
		return NULL;
	t->noticed = true;
	return t->notice;
}

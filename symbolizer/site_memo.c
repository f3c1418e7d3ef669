/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/site_memo.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 16

static struct memo {
	struct stat st; /* st_ino 0: none */
	struct probe_sites entries, returns;
	const char *reason;
} memos[FILES_MAX];
static unsigned next;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A file that was written to, or its name given to another, is not the same. */
static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int sites_copy(const struct probe_sites *from, struct probe_sites *ret)
{
	*ret = (struct probe_sites){ .n = from->n };
	if (from->n == 0)
		return 0;
	ret->v = malloc(from->n * sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	memcpy(ret->v, from->v, from->n * sizeof(*ret->v));
	return 0;
}

static int both_copy(const struct probe_sites *entries, const struct probe_sites *returns,
		     struct probe_sites *ret_entries, struct probe_sites *ret_returns)
{
	int err = sites_copy(entries, ret_entries);

	if (err)
		return err;
	err = sites_copy(returns, ret_returns);
	if (err)
		free(ret_entries->v);
	return err;
}

static int memo_get(const struct stat *st, struct interpreter *in)
{
	struct probe_sites entries, returns;
	const struct memo *m = NULL;
	int err;

	for (unsigned i = 0; i < FILES_MAX && !m; i++)
		if (memos[i].st.st_ino && is_same(&memos[i].st, st))
			m = &memos[i];
	if (!m)
		return -ENOENT;
	in->sites_reason = m->reason;
	if (m->reason)
		return 0;
	err = both_copy(&m->entries, &m->returns, &entries, &returns);
	if (err)
		return err;
	free(in->entries.v);
	free(in->returns.v);
	in->entries = entries;
	in->returns = returns;
	return 0;
}

static void memo_put(const struct stat *st, const struct interpreter *in)
{
	struct memo added = { .st = *st, .reason = in->sites_reason };
	struct memo *m = &memos[next];

	if (!added.reason &&
	    both_copy(&in->entries, &in->returns, &added.entries, &added.returns))
		return;
	free(m->entries.v);
	free(m->returns.v);
	*m = added;
	next = (next + 1) % FILES_MAX;
}

int site_memo_get(const struct stat *st, struct interpreter *in)
{
	int err;

	pthread_mutex_lock(&lock);
	err = memo_get(st, in);
	pthread_mutex_unlock(&lock);
	return err;
}

void site_memo_put(const struct stat *st, const struct interpreter *in)
{
	pthread_mutex_lock(&lock);
	memo_put(st, in);
	pthread_mutex_unlock(&lock);
}

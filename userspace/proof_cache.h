/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a proof has found out about a build, kept by its build-id in a file of the
 * user's own: $XDG_CACHE_HOME/pycost, else ~/.cache/pycost; /var/cache/pycost for
 * root.  One that others could have written, or that does not fit the sites that
 * are found now, counts as none.
 */
#ifndef PYCOST_PROOF_CACHE_H
#define PYCOST_PROOF_CACHE_H

/* To be raised whenever the script or its verdict changes. */
#define PROOF_CACHE_VERSION "pycost proof 1 " PYCOST_VERSION

struct interpreter;
struct probe_sites;

/* Settles the sites as proof_run() does.  -ENOENT: not known. */
int proof_cache_get(struct interpreter *in);

/* Of such a file's text.  -ENOENT: not as we write it, or of other sites; nothing is settled. */
int proof_cache_parse(const char *text, struct interpreter *in);

/* entries, returns: the sites before the proof; in: after it.  Best effort. */
void proof_cache_put(const struct interpreter *in, const struct probe_sites *entries,
		     const struct probe_sites *returns);

#endif

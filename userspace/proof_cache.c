// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/proof_cache.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "symbolizer/usdt_arg.h"

#define SIZE_MAX_TEXT 8192
#define DROPPED 0x100 /* never hit: left out */

/* The directory, made when it is missing; "" when there is none for us. */
static void directory_of(char *ret, size_t size, bool make)
{
	const char *home = getenv("HOME"), *cache = getenv("XDG_CACHE_HOME");

	if (geteuid() == 0) {
		snprintf(ret, size, "/var/cache/pycost");
	} else if (cache && *cache == '/') {
		snprintf(ret, size, "%s/pycost", cache);
	} else if (home && *home == '/') {
		snprintf(ret, size, "%s/.cache", home);
		if (make)
			mkdir(ret, 0700);
		snprintf(ret, size, "%s/.cache/pycost", home);
	} else {
		*ret = 0;
		return;
	}
	if (make)
		mkdir(ret, 0755);
}

/* Ours, and nobody else may write there. */
static bool is_ours(int fd, mode_t kind)
{
	struct stat st;

	return !fstat(fd, &st) && (st.st_mode & S_IFMT) == kind && st.st_uid == geteuid() &&
	       !(st.st_mode & 022);
}

static int directory_open(bool make)
{
	char path[4096];
	int fd;

	directory_of(path, sizeof(path), make);
	fd = *path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (fd >= 0 && !is_ours(fd, S_IFDIR)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* How a list of sites is told: their registers are what the proof found. */
static int sites_print(char *text, size_t size, char kind, const struct probe_sites *found,
		       const struct probe_sites *kept)
{
	size_t used = 0, k = 0;

	for (size_t i = 0; i < found->n && used < size; i++) {
		bool hit = k < kept->n && kept->v[k].offset == found->v[i].offset;

		used += snprintf(text + used, size - used, "%c %llx %x\n", kind,
				 (unsigned long long)found->v[i].offset,
				 hit ? kept->v[k].frame_reg : DROPPED);
		k += hit;
	}
	return used;
}

void proof_cache_put(const struct interpreter *in, const struct probe_sites *entries,
		     const struct probe_sites *returns)
{
	char text[SIZE_MAX_TEXT], name[ELF_BUILD_ID_SIZE + 32], wip[ELF_BUILD_ID_SIZE + 64];
	size_t used;
	int dir, fd;

	if (!*in->build_id || (dir = directory_open(true)) < 0)
		return;
	used = snprintf(text, sizeof(text), "%s %d.%d\n", PROOF_CACHE_VERSION, in->major, in->minor);
	used += sites_print(text + used, sizeof(text) - used, 'e', entries, &in->entries);
	if (used < sizeof(text))
		used += sites_print(text + used, sizeof(text) - used, 'r', returns, &in->returns);
	if (used < sizeof(text))
		used += snprintf(text + used, sizeof(text) - used, "end\n");
	snprintf(name, sizeof(name), "%s.proof", in->build_id);
	snprintf(wip, sizeof(wip), "%s.%d", name, getpid());
	fd = used < sizeof(text)
		     ? openat(dir, wip, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)
		     : -1;
	if (fd >= 0) {
		bool whole = write(fd, text, used) == (ssize_t)used;

		close(fd);
		if (!whole || renameat(dir, wip, dir, name))
			unlinkat(dir, wip, 0);
	}
	close(dir);
}

/* A register that may hold a frame; what the code itself tells must be what was tried. */
static bool reg_fits(const struct interpreter *in, const struct probe_site *found, unsigned reg)
{
	if (found->frame_reg != PROBE_NO_REG)
		return reg == found->frame_reg;
	return reg <= (in->machine == EM_X86_64 ? USDT_X86_RDI : USDT_ARM64_SP - 1);
}

/* One line for each site that is found now, in their order; *at is moved behind them. */
static int sites_parse(const char **at, char kind, const struct interpreter *in,
		       const struct probe_sites *found, uint16_t *ret)
{
	char line[64], rest[8];
	unsigned reg;
	size_t n;

	for (size_t i = 0; i < found->n; i++) {
		n = snprintf(line, sizeof(line), "%c %llx ", kind,
			     (unsigned long long)found->v[i].offset);
		if (strncmp(*at, line, n))
			return -ENOENT;
		*at += n;
		n = strspn(*at, "0123456789abcdef");
		if (!n || n > 3 || (*at)[n] != '\n')
			return -ENOENT;
		memcpy(rest, *at, n);
		rest[n] = 0;
		reg = strtoul(rest, NULL, 16);
		if (reg != DROPPED && !reg_fits(in, &found->v[i], reg))
			return -ENOENT;
		ret[i] = reg;
		*at += n + 1;
	}
	return 0;
}

static void sites_settle(struct probe_sites *sites, const uint16_t *regs)
{
	size_t n = 0;

	for (size_t i = 0; i < sites->n; i++) {
		if (regs[i] == DROPPED)
			continue;
		sites->v[n] = sites->v[i];
		sites->v[n++].frame_reg = regs[i];
	}
	sites->n = n;
}

/* All are dropped: that is no proof. */
static bool none_kept(const uint16_t *regs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (regs[i] != DROPPED)
			return false;
	return true;
}

int proof_cache_parse(const char *text, struct interpreter *in)
{
	uint16_t entries[in->entries.n + 1], returns[in->returns.n + 1];
	char head[128];
	size_t n;

	n = snprintf(head, sizeof(head), "%s %d.%d\n", PROOF_CACHE_VERSION, in->major, in->minor);
	if (strncmp(text, head, n))
		return -ENOENT;
	text += n;
	if (sites_parse(&text, 'e', in, &in->entries, entries) ||
	    sites_parse(&text, 'r', in, &in->returns, returns) || strcmp(text, "end\n") ||
	    none_kept(entries, in->entries.n) || none_kept(returns, in->returns.n))
		return -ENOENT;
	sites_settle(&in->entries, entries);
	sites_settle(&in->returns, returns);
	return 0;
}

int proof_cache_get(struct interpreter *in)
{
	char text[SIZE_MAX_TEXT], name[ELF_BUILD_ID_SIZE + 32];
	int dir, fd, err = -ENOENT;
	ssize_t n;

	if (!*in->build_id || (dir = directory_open(false)) < 0)
		return -ENOENT;
	snprintf(name, sizeof(name), "%s.proof", in->build_id);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	close(dir);
	if (fd < 0)
		return -ENOENT;
	n = is_ours(fd, S_IFREG) ? read(fd, text, sizeof(text) - 1) : -1;
	close(fd);
	if (n > 0 && !memchr(text, 0, n)) {
		text[n] = 0;
		err = proof_cache_parse(text, in);
	}
	return err;
}

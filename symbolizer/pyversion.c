/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/pyversion.h"

#include <ctype.h>
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A decimal number of at most three digits; -1 when there is none. */
static int take_number(const char **p)
{
	int v = 0, digits = 0;

	for (; digits < 3 && isdigit((unsigned char)**p); digits++)
		v = v * 10 + *(*p)++ - '0';
	return digits ? v : -1;
}

/* "libpython3.13t.so.1.0", "/usr/bin/python3.9" */
static bool version_from_name(const char *path, struct pyversion *ret)
{
	const char *slash = strrchr(path, '/');
	const char *p = strstr(slash ? slash + 1 : path, "python");
	int major, minor;

	if (!p)
		return false;
	p += strlen("python");
	major = take_number(&p);
	if (major < 0 || *p++ != '.')
		return false;
	minor = take_number(&p);
	if (minor < 0)
		return false;
	ret->major = major;
	ret->minor = minor;
	ret->free_threaded = *p == 't';
	return true;
}

/* "3.9.2", "3.10.0rc1+": the whole string, terminated within size. */
static bool version_from_string(const char *s, size_t size, struct pyversion *ret)
{
	struct pyversion v = { 0 };
	const char *end = memchr(s, 0, size < 16 ? size : 16);

	if (!end)
		return false;
	v.major = take_number(&s);
	if (v.major < 0 || *s++ != '.')
		return false;
	v.minor = take_number(&s);
	if (v.minor < 0 || *s++ != '.')
		return false;
	v.micro = take_number(&s);
	if (v.micro < 0 || (*s && !strchr("abr+", *s)))
		return false;
	*ret = v;
	return true;
}

/*
 * PY_VERSION among the read-only strings.  Libraries linked into the file have
 * version strings too, so it must agree with what the name told; without a name
 * only 3.6 to 3.10 are believed, as later files tell by Py_Version.
 */
static void version_from_rodata(struct elf_file *f, struct pyversion *v)
{
	struct elf_section s;
	const char *p, *end;

	if (elf_file_section(f, ".rodata", &s) || !s.size)
		return;
	p = (const char *)s.data;
	end = p + s.size;
	while (p < end) {
		struct pyversion found;

		if ((*p == '2' || *p == '3') && version_from_string(p, (size_t)(end - p), &found) &&
		    (v->minor < 0 ? found.major == 3 && found.minor >= 6 && found.minor <= 10 :
				    found.major == v->major && found.minor == v->minor)) {
			v->major = found.major;
			v->minor = found.minor;
			v->micro = found.micro;
			return;
		}
		p = memchr(p, 0, (size_t)(end - p));
		if (!p)
			return;
		while (p < end && !*p)
			p++;
	}
}

static bool version_from_symbol(struct elf_file *f, struct pyversion *v)
{
	uint64_t vaddr, hex;

	if (elf_file_symbol(f, "Py_Version", &vaddr) || elf_file_read(f, vaddr, &hex, sizeof(hex)))
		return false;
	v->major = (int)(hex >> 24 & 0xff);
	v->minor = (int)(hex >> 16 & 0xff);
	v->micro = (int)(hex >> 8 & 0xff);
	return true;
}

static void free_threaded_from_runtime(struct elf_file *f, struct pyversion *v)
{
	struct {
		char cookie[8];
		uint64_t version;
		uint64_t free_threaded;
	} head;
	uint64_t vaddr;

	if (!elf_file_symbol(f, "_PyRuntime", &vaddr) &&
	    !elf_file_read(f, vaddr, &head, sizeof(head)) &&
	    !memcmp(head.cookie, "xdebugpy", sizeof(head.cookie)))
		v->free_threaded = head.free_threaded != 0;
}

struct pyversion pyversion_read(struct elf_file *f, const char *path)
{
	struct pyversion v = { -1, -1, -1, false };
	const char *soname = elf_file_dynamic(f, DT_SONAME, 0);

	if (!soname || !version_from_name(soname, &v))
		version_from_name(path, &v);
	if (!version_from_symbol(f, &v))
		version_from_rodata(f, &v);
	free_threaded_from_runtime(f, &v);
	return v;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTION_MAX ((uint64_t)64 << 20)

struct elf_file {
	Elf *elf;
	int fd; /* -1: in memory */
	const char *memory;
	size_t memory_size;
	GElf_Ehdr header;
};

static int elf_file_check(struct elf_file *f)
{
	if (elf_kind(f->elf) != ELF_K_ELF || !gelf_getehdr(f->elf, &f->header))
		return -ENOEXEC;
	if (f->header.e_ident[EI_CLASS] != ELFCLASS64 || f->header.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (f->header.e_type != ET_EXEC && f->header.e_type != ET_DYN)
		return -ENOEXEC;
	return 0;
}

static struct elf_file *elf_file_new(void)
{
	struct elf_file *f = calloc(1, sizeof(*f));

	if (f)
		f->fd = -1;
	elf_version(EV_CURRENT);
	return f;
}

int elf_file_open(int fd, struct elf_file **ret)
{
	struct elf_file *f = elf_file_new();
	int err;

	if (!f)
		return -ENOMEM;
	f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (f->fd < 0) {
		err = -errno;
		goto fail;
	}
	f->elf = elf_begin(f->fd, ELF_C_READ, NULL);
	err = f->elf ? elf_file_check(f) : -ENOEXEC;
	if (err)
		goto fail;
	*ret = f;
	return 0;
fail:
	elf_file_free(f);
	return err;
}

int elf_file_open_memory(const void *bytes, size_t size, struct elf_file **ret)
{
	struct elf_file *f = elf_file_new();
	int err;

	if (!f)
		return -ENOMEM;
	f->memory = bytes;
	f->memory_size = size;
	/* elf_memory() takes a plain char *, but writes only on elf_update(). */
	f->elf = elf_memory((char *)bytes, size);
	err = f->elf ? elf_file_check(f) : -ENOEXEC;
	if (err) {
		elf_file_free(f);
		return err;
	}
	*ret = f;
	return 0;
}

void elf_file_free(struct elf_file *f)
{
	if (!f)
		return;
	if (f->elf)
		elf_end(f->elf);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

unsigned elf_file_machine(const struct elf_file *f)
{
	return f->header.e_machine;
}

bool elf_file_is_pie(const struct elf_file *f)
{
	return f->header.e_type == ET_DYN;
}

static int section_load(Elf_Scn *scn, const GElf_Shdr *header, struct elf_section *ret)
{
	Elf_Data *data;

	/* A sparse file may claim any size. */
	if (header->sh_type != SHT_NOBITS && header->sh_size > SECTION_MAX)
		return -EFBIG;
	data = header->sh_type == SHT_NOBITS ? NULL : elf_rawdata(scn, NULL);
	if (!data || (data->d_size && !data->d_buf))
		return -EINVAL;
	*ret = (struct elf_section){
		.vaddr = header->sh_addr,
		.offset = header->sh_offset,
		.data = data->d_buf,
		.size = data->d_size,
	};
	return 0;
}

int elf_file_section(struct elf_file *f, const char *name, struct elf_section *ret)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(f->elf, &names))
		return -EINVAL;
	while ((scn = elf_nextscn(f->elf, scn))) {
		GElf_Shdr header;
		const char *s;

		if (!gelf_getshdr(scn, &header))
			return -EINVAL;
		s = elf_strptr(f->elf, names, header.sh_name);
		if (s && !strcmp(s, name))
			return section_load(scn, &header, ret);
	}
	return -ENOENT;
}

int elf_file_span(struct elf_file *f, size_t index, struct elf_span *ret)
{
	Elf_Scn *scn = index ? elf_getscn(f->elf, index) : NULL;
	GElf_Shdr header;
	size_t names;

	if (!scn)
		return -ENOENT;
	if (!gelf_getshdr(scn, &header) || elf_getshdrstrndx(f->elf, &names))
		return -EINVAL;
	*ret = (struct elf_span){
		.name = elf_strptr(f->elf, names, header.sh_name),
		.type = header.sh_type,
		.link = header.sh_link,
		.vaddr = header.sh_addr,
		.offset = header.sh_offset,
		.size = header.sh_size,
	};
	if (!ret->name)
		ret->name = "";
	return 0;
}

int elf_file_span_named(struct elf_file *f, const char *name, struct elf_span *ret)
{
	struct elf_span span;

	for (size_t i = 1;; i++) {
		int err = elf_file_span(f, i, &span);

		if (err)
			return err;
		if (!strcmp(span.name, name)) {
			*ret = span;
			return 0;
		}
	}
}

ssize_t elf_file_bytes(struct elf_file *f, uint64_t offset, void *ret, size_t size)
{
	ssize_t n;

	if (f->fd < 0) {
		if (offset >= f->memory_size)
			return 0;
		if (size > f->memory_size - offset)
			size = f->memory_size - offset;
		memcpy(ret, f->memory + offset, size);
		return (ssize_t)size;
	}
	if (offset > INT64_MAX - size)
		return 0;
	n = pread(f->fd, ret, size, (off_t)offset);
	return n < 0 ? -errno : n;
}

int elf_file_build_id(struct elf_file *f, char ret_hex[ELF_BUILD_ID_SIZE])
{
	struct elf_section s;
	Elf64_Nhdr note;
	size_t desc;
	int err = elf_file_section(f, ".note.gnu.build-id", &s);

	if (err == -ENOENT) {
		ret_hex[0] = 0;
		return 0;
	}
	if (err)
		return err;
	if (s.size < sizeof(note))
		return -EINVAL;
	memcpy(&note, s.data, sizeof(note));
	desc = sizeof(note) + (((size_t)note.n_namesz + 3) & ~(size_t)3);
	if (note.n_type != NT_GNU_BUILD_ID || desc > s.size || note.n_descsz > s.size - desc)
		return -EINVAL;
	if (note.n_descsz * 2ul >= ELF_BUILD_ID_SIZE)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < note.n_descsz; i++) {
		ret_hex[2 * i] = "0123456789abcdef"[s.data[desc + i] >> 4];
		ret_hex[2 * i + 1] = "0123456789abcdef"[s.data[desc + i] & 15];
	}
	ret_hex[2 * note.n_descsz] = 0;
	return 0;
}

static int symbol_in_table(Elf *elf, Elf_Scn *scn, const GElf_Shdr *header, const char *name,
			   GElf_Sym *ret)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t count;

	if (!data || !data->d_buf)
		return -ENOENT;
	count = data->d_size / sizeof(Elf64_Sym);
	for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
		GElf_Sym sym;
		const char *s;

		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF)
			continue;
		if (GELF_ST_TYPE(sym.st_info) == STT_TLS)
			continue;
		s = elf_strptr(elf, header->sh_link, sym.st_name);
		if (s && !strcmp(s, name)) {
			*ret = sym;
			return 0;
		}
	}
	return -ENOENT;
}

static int symbol_find(struct elf_file *f, const char *name, GElf_Sym *ret)
{
	static const GElf_Word types[] = { SHT_DYNSYM, SHT_SYMTAB };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		Elf_Scn *scn = NULL;

		while ((scn = elf_nextscn(f->elf, scn))) {
			GElf_Shdr header;

			if (!gelf_getshdr(scn, &header) || header.sh_type != types[i])
				continue;
			if (!symbol_in_table(f->elf, scn, &header, name, ret))
				return 0;
		}
	}
	return -ENOENT;
}

int elf_file_symbol(struct elf_file *f, const char *name, uint64_t *ret_vaddr)
{
	GElf_Sym sym;
	int err = symbol_find(f, name, &sym);

	if (!err)
		*ret_vaddr = sym.st_value;
	return err;
}

int elf_file_function(struct elf_file *f, const char *name, uint64_t *ret_vaddr,
		      uint64_t *ret_size)
{
	GElf_Sym sym;
	int err = symbol_find(f, name, &sym);

	if (err)
		return err;
	if (GELF_ST_TYPE(sym.st_info) != STT_FUNC)
		return -ENOENT;
	*ret_vaddr = sym.st_value;
	*ret_size = sym.st_size;
	return 0;
}

uint64_t elf_file_symbol_size(struct elf_file *f, const char *name)
{
	GElf_Sym sym;

	return symbol_find(f, name, &sym) ? 0 : sym.st_size;
}

/* The loadable segment that holds vaddr in its file image. */
static int segment_of(struct elf_file *f, uint64_t vaddr, GElf_Phdr *ret)
{
	size_t count;

	if (elf_getphdrnum(f->elf, &count))
		return -EINVAL;
	for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(f->elf, (int)i, &p))
			return -EINVAL;
		if (p.p_type == PT_LOAD && vaddr >= p.p_vaddr && vaddr - p.p_vaddr < p.p_filesz) {
			*ret = p;
			return 0;
		}
	}
	return -ENOENT;
}

int elf_file_vaddr_to_offset(struct elf_file *f, uint64_t vaddr, uint64_t *ret_offset)
{
	GElf_Phdr p;
	int err = segment_of(f, vaddr, &p);

	if (!err)
		*ret_offset = vaddr - p.p_vaddr + p.p_offset;
	return err;
}

int elf_file_code_vaddr(struct elf_file *f, uint64_t offset, uint64_t *ret_vaddr)
{
	size_t count;

	if (elf_getphdrnum(f->elf, &count))
		return -EINVAL;
	for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
		GElf_Phdr p;
		uint64_t start;

		if (!gelf_getphdr(f->elf, (int)i, &p))
			return -EINVAL;
		if (p.p_type != PT_LOAD || !(p.p_flags & PF_X))
			continue;
		/* The kernel maps whole pages: p_offset is rounded down to one. */
		start = p.p_align > 1 ? p.p_offset - p.p_offset % p.p_align : p.p_offset;
		if (offset >= start && offset < p.p_offset + p.p_filesz) {
			*ret_vaddr = p.p_vaddr - p.p_offset + offset;
			return 0;
		}
	}
	return -ENOENT;
}

int elf_file_code_segment(struct elf_file *f, size_t n, uint64_t *ret_vaddr, uint64_t *ret_offset,
			  uint64_t *ret_size)
{
	size_t count;

	if (elf_getphdrnum(f->elf, &count))
		return -EINVAL;
	for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
		GElf_Phdr p;
		uint64_t slack;

		if (!gelf_getphdr(f->elf, (int)i, &p))
			return -EINVAL;
		if (p.p_type != PT_LOAD || !(p.p_flags & PF_X) || n--)
			continue;
		slack = p.p_align > 1 ? p.p_offset % p.p_align : 0;
		*ret_offset = p.p_offset - slack;
		*ret_vaddr = p.p_vaddr - slack;
		*ret_size = p.p_filesz > UINT64_MAX - slack ? UINT64_MAX : p.p_filesz + slack;
		return 0;
	}
	return -ENOENT;
}

int elf_file_read(struct elf_file *f, uint64_t vaddr, void *ret, size_t size)
{
	GElf_Phdr p;
	uint64_t offset;
	ssize_t n;
	int err = segment_of(f, vaddr, &p);

	if (err)
		return err;
	if (size > p.p_filesz - (vaddr - p.p_vaddr))
		return -ENOENT;
	offset = vaddr - p.p_vaddr + p.p_offset;
	if (f->fd < 0) {
		if (offset > f->memory_size || size > f->memory_size - offset)
			return -EINVAL;
		memcpy(ret, f->memory + offset, size);
		return 0;
	}
	n = pread(f->fd, ret, size, (off_t)offset);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EINVAL;
}

/* The n-th of a tag; its strings' section in *ret_strings. */
static int dynamic_find(struct elf_file *f, int64_t tag, size_t n, GElf_Dyn *ret,
			uint32_t *ret_strings)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(f->elf, scn))) {
		GElf_Shdr header;
		Elf_Data *data;

		if (!gelf_getshdr(scn, &header) || header.sh_type != SHT_DYNAMIC)
			continue;
		data = elf_getdata(scn, NULL);
		if (!data || !data->d_buf)
			return -EINVAL;
		*ret_strings = header.sh_link;
		for (int i = 0; gelf_getdyn(data, i, ret) && ret->d_tag != DT_NULL; i++)
			if (ret->d_tag == tag && n-- == 0)
				return 0;
		return -ENOENT;
	}
	return -ENOENT;
}

const char *elf_file_dynamic(struct elf_file *f, int64_t tag, size_t n)
{
	uint32_t strings;
	GElf_Dyn dyn;

	if (dynamic_find(f, tag, n, &dyn, &strings))
		return NULL;
	return elf_strptr(f->elf, strings, dyn.d_un.d_val);
}

int elf_file_dynamic_vaddr(struct elf_file *f, int64_t tag, uint64_t *ret_vaddr)
{
	uint32_t strings;
	GElf_Dyn dyn;
	int err = dynamic_find(f, tag, 0, &dyn, &strings);

	if (!err)
		*ret_vaddr = dyn.d_un.d_ptr;
	return err;
}

uint64_t elf_file_entry(const struct elf_file *f)
{
	return f->header.e_entry;
}

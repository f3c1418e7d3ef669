/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shared object made in memory: code, a table of pointers into it with their
 * relocations, and symbols of functions.  Addresses are file offsets.
 */
#ifndef PYCOST_TEST_SMALL_ELF_H
#define PYCOST_TEST_SMALL_ELF_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#define SMALL_TEXT 0x1000
#define SMALL_TEXT_SIZE 0x2000
#define SMALL_TABLE 0x3000
#define SMALL_TABLE_WORDS 512
#define SMALL_RELA (SMALL_TABLE + 8 * SMALL_TABLE_WORDS)
#define SMALL_SYMBOLS 4

struct small_elf {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	Elf64_Shdr sections[7];
	Elf64_Sym symbols[SMALL_SYMBOLS + 1];
	char names[128], strings[128];
	unsigned char gap[SMALL_TEXT - sizeof(Elf64_Ehdr) - sizeof(Elf64_Phdr) -
			  7 * sizeof(Elf64_Shdr) - (SMALL_SYMBOLS + 1) * sizeof(Elf64_Sym) - 256];
	unsigned char text[SMALL_TEXT_SIZE];
	uint64_t table[SMALL_TABLE_WORDS];
	Elf64_Rela rela[SMALL_TABLE_WORDS];
};

static inline void small_section(struct small_elf *e, unsigned n, const char *name, unsigned type,
				 const void *from, size_t size, size_t entry)
{
	size_t at = 1;

	while (e->names[at])
		at += strlen(e->names + at) + 1;
	strcpy(e->names + at, name);
	e->sections[n] = (Elf64_Shdr){
		.sh_name = at,
		.sh_type = type,
		.sh_addr = (uint64_t)((const char *)from - (const char *)e),
		.sh_offset = (uint64_t)((const char *)from - (const char *)e),
		.sh_size = size,
		.sh_entsize = entry,
	};
}

static inline void small_start(struct small_elf *e)
{
	memset(e, 0, sizeof(*e));
	memcpy(e->header.e_ident, ELFMAG "\2\1\1", 7);
	e->header.e_type = ET_DYN;
	e->header.e_machine = EM_X86_64;
	e->header.e_version = EV_CURRENT;
	e->header.e_ehsize = sizeof(e->header);
	e->header.e_phoff = (char *)&e->segment - (char *)e;
	e->header.e_phentsize = sizeof(e->segment);
	e->header.e_phnum = 1;
	e->header.e_shoff = (char *)e->sections - (char *)e;
	e->header.e_shentsize = sizeof(e->sections[0]);
	e->header.e_shnum = 7;
	e->header.e_shstrndx = 1;
	e->segment = (Elf64_Phdr){ .p_type = PT_LOAD,
				   .p_flags = PF_R | PF_X,
				   .p_filesz = sizeof(*e),
				   .p_memsz = sizeof(*e),
				   .p_align = 0x1000 };
	small_section(e, 1, ".shstrtab", SHT_STRTAB, e->names, sizeof(e->names), 0);
	small_section(e, 2, ".text", SHT_PROGBITS, e->text, sizeof(e->text), 0);
	small_section(e, 3, ".data.rel.ro", SHT_PROGBITS, e->table, sizeof(e->table), 0);
	small_section(e, 4, ".rela.dyn", SHT_RELA, e->rela, sizeof(e->rela), sizeof(Elf64_Rela));
	small_section(e, 5, ".strtab", SHT_STRTAB, e->strings, sizeof(e->strings), 0);
	small_section(e, 6, ".symtab", SHT_SYMTAB, e->symbols, sizeof(e->symbols),
		      sizeof(Elf64_Sym));
	e->sections[6].sh_link = 5;
}

/* A pointer that only a relocation tells, as position-independent files have it. */
static inline void small_pointer(struct small_elf *e, unsigned n, uint64_t vaddr)
{
	e->rela[n] = (Elf64_Rela){ .r_offset = SMALL_TABLE + 8 * n,
				   .r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE),
				   .r_addend = (int64_t)vaddr };
}

static inline void small_function(struct small_elf *e, const char *name, uint64_t vaddr,
				  uint64_t size)
{
	unsigned n = 1;
	size_t at = 1;

	while (e->symbols[n].st_name)
		n++;
	while (e->strings[at])
		at += strlen(e->strings + at) + 1;
	strcpy(e->strings + at, name);
	e->symbols[n] = (Elf64_Sym){ .st_name = (Elf64_Word)at,
				     .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				     .st_shndx = 2,
				     .st_value = vaddr,
				     .st_size = size };
}

#endif

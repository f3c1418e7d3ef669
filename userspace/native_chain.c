/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/native_chain.h"

#include <elf.h>
#include <stddef.h>
#include <sys/uio.h>

#include "symbolizer/frame_pointer.h"

#define KNOWN_MAX 8192

#ifdef __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif

/* Of code at an address. */
enum question { PROLOGUE, OVER, AFTER_CALL };

struct known {
	uint64_t address; /* key, with what follows */
	uint32_t pid, question;
	uint32_t answer;
};

void native_chain_init(struct native_chain *c)
{
	c->known = (struct tally){.item_size = sizeof(struct known),
				  .key_size = offsetof(struct known, answer), .max = KNOWN_MAX};
}

void native_chain_clear(struct native_chain *c)
{
	tally_clear(&c->known);
}

void native_chain_forget(struct native_chain *c)
{
	tally_empty(&c->known);
}

/* What cannot be read is no code that anything could be said of. */
static uint32_t look(pid_t pid, uint64_t address, enum question question)
{
	uint8_t code[FRAME_CODE_SIZE];
	uint64_t from = question == AFTER_CALL ? address - sizeof(code) : address;
	struct iovec to = {code, sizeof(code)}, at = {(void *)(uintptr_t)from, sizeof(code)};

	if (process_vm_readv(pid, &to, 1, &at, 1, 0) != sizeof(code))
		return question == OVER;
	switch (question) {
	case PROLOGUE:
		return frame_prologue(MACHINE, code);
	case OVER:
		return frame_is_over(MACHINE, code);
	case AFTER_CALL:
		return frame_follows_call(MACHINE, code);
	}
	return 0;
}

static uint32_t ask(struct native_chain *c, pid_t pid, uint64_t address, enum question question)
{
	struct known key = {.address = address, .pid = pid, .question = question}, *known;
	uint32_t answer;

	known = tally_find(&c->known, &key);
	if (known)
		return known->answer;
	answer = look(pid, address, question);
	if (c->known.count >= KNOWN_MAX)
		tally_empty(&c->known);
	if (!tally_at(&c->known, &key, &known))
		known->answer = answer;
	return answer;
}

bool native_chain_holds(struct native_chain *c, pid_t pid, uint64_t address, uint64_t offset,
			bool innermost, uint64_t caller)
{
	uint32_t prologue = ask(c, pid, address - offset, PROLOGUE);

	if (!prologue || offset < prologue)
		return false;
	if (innermost && ask(c, pid, address, OVER))
		return false;
	return ask(c, pid, caller, AFTER_CALL);
}

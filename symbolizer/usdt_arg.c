/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/usdt_arg.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One argument's text, without the blanks around it. */
struct span {
	const char *at;
	size_t len;
};

static bool span_is(struct span s, const char *word)
{
	return strlen(word) == s.len && !memcmp(s.at, word, s.len);
}

static bool span_skip(struct span *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->len < n || memcmp(s->at, prefix, n))
		return false;
	s->at += n;
	s->len -= n;
	return true;
}

/* A leading integer; false, and nothing consumed, when there is none. */
static bool span_integer(struct span *s, int64_t *ret)
{
	char copy[24];
	char *end;
	size_t n = s->len < sizeof(copy) - 1 ? s->len : sizeof(copy) - 1;
	long long v;

	memcpy(copy, s->at, n);
	copy[n] = 0;
	if (!n || isspace((unsigned char)copy[0]))
		return false;
	errno = 0;
	v = strtoll(copy, &end, 0);
	if (end == copy || errno)
		return false;
	s->at += end - copy;
	s->len -= (size_t)(end - copy);
	*ret = v;
	return true;
}

static bool x86_register(struct span name, uint8_t *ret)
{
	static const struct {
		char names[4][5]; /* 64, 32, 16 and 8 bits */
		uint8_t reg;
	} regs[] = {
		{ { "rax", "eax", "ax", "al" }, USDT_X86_RAX },
		{ { "rbx", "ebx", "bx", "bl" }, USDT_X86_RBX },
		{ { "rcx", "ecx", "cx", "cl" }, USDT_X86_RCX },
		{ { "rdx", "edx", "dx", "dl" }, USDT_X86_RDX },
		{ { "rsi", "esi", "si", "sil" }, USDT_X86_RSI },
		{ { "rdi", "edi", "di", "dil" }, USDT_X86_RDI },
		{ { "rbp", "ebp", "bp", "bpl" }, USDT_X86_RBP },
		{ { "rsp", "esp", "sp", "spl" }, USDT_X86_RSP },
		{ { "r8", "r8d", "r8w", "r8b" }, USDT_X86_R8 },
		{ { "r9", "r9d", "r9w", "r9b" }, USDT_X86_R9 },
		{ { "r10", "r10d", "r10w", "r10b" }, USDT_X86_R10 },
		{ { "r11", "r11d", "r11w", "r11b" }, USDT_X86_R11 },
		{ { "r12", "r12d", "r12w", "r12b" }, USDT_X86_R12 },
		{ { "r13", "r13d", "r13w", "r13b" }, USDT_X86_R13 },
		{ { "r14", "r14d", "r14w", "r14b" }, USDT_X86_R14 },
		{ { "r15", "r15d", "r15w", "r15b" }, USDT_X86_R15 },
		{ { "rip", "eip", "", "" }, USDT_X86_RIP },
	};

	if (!name.len)
		return false;
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		for (size_t j = 0; j < 4; j++)
			if (span_is(name, regs[i].names[j])) {
				*ret = regs[i].reg;
				return true;
			}
	return false;
}

/* "$5", "%rax", "112(%rsp)", "(%rax)"; also "sym(%rip)" and "(%rax,%rbx,4)". */
static void x86_operand(struct span s, struct usdt_arg *ret)
{
	int64_t number = 0;
	uint8_t reg;

	if (span_skip(&s, "$")) {
		if (span_integer(&s, &ret->offset) && !s.len)
			ret->kind = USDT_ARG_CONST;
		return;
	}
	if (span_skip(&s, "%")) {
		if (x86_register(s, &ret->reg))
			ret->kind = USDT_ARG_REG;
		return;
	}
	span_integer(&s, &number);
	if (!span_skip(&s, "(%") || s.len < 2 || s.at[s.len - 1] != ')')
		return;
	s.len--;
	if (!x86_register(s, &reg))
		return;
	ret->kind = USDT_ARG_MEM;
	ret->reg = reg;
	ret->offset = number;
}

/* "x19", "w0" or "sp". */
static bool arm64_register(struct span name, uint8_t *ret)
{
	int64_t number;

	if (span_is(name, "sp")) {
		*ret = USDT_ARM64_SP;
		return true;
	}
	if (name.len < 2 || name.len > 3 || (name.at[0] != 'x' && name.at[0] != 'w'))
		return false;
	number = name.at[1] - '0';
	if (name.len == 3)
		number = number * 10 + name.at[2] - '0';
	if (!isdigit((unsigned char)name.at[1]) || !isdigit((unsigned char)name.at[name.len - 1]))
		return false;
	if (number > 30)
		return false;
	*ret = (uint8_t)number;
	return true;
}

/* "5", "x19", "[sp]", "[sp, 24]"; also "[x1, x2]". */
static void arm64_operand(struct span s, struct usdt_arg *ret)
{
	const char *comma;
	struct span base;
	int64_t number = 0;
	uint8_t reg;

	if (!span_skip(&s, "[")) {
		if (arm64_register(s, &ret->reg))
			ret->kind = USDT_ARG_REG;
		else if (span_integer(&s, &ret->offset) && !s.len)
			ret->kind = USDT_ARG_CONST;
		return;
	}
	if (!s.len || s.at[s.len - 1] != ']')
		return;
	s.len--;
	comma = memchr(s.at, ',', s.len);
	base = (struct span){ s.at, comma ? (size_t)(comma - s.at) : s.len };
	if (comma) {
		s.len -= base.len + 1;
		s.at = comma + 1;
		while (span_skip(&s, " "))
			;
		if (!span_integer(&s, &number) || s.len)
			return;
	}
	if (!arm64_register(base, &reg))
		return;
	ret->kind = USDT_ARG_MEM;
	ret->reg = reg;
	ret->offset = number;
}

/* The next argument; blanks inside brackets belong to it. */
static bool next_argument(const char **spec, struct span *ret)
{
	const char *p = *spec;
	int depth = 0;

	while (*p == ' ')
		p++;
	ret->at = p;
	for (; *p && (*p != ' ' || depth > 0); p++)
		depth += (*p == '[' || *p == '(') - (*p == ']' || *p == ')');
	ret->len = (size_t)(p - ret->at);
	*spec = p;
	return ret->len > 0;
}

static int parse_one(struct span s, unsigned machine, struct usdt_arg *ret)
{
	struct usdt_arg arg = { 0 };
	int64_t size;

	if (!span_integer(&s, &size))
		return -EINVAL;
	arg.is_signed = size < 0;
	if (size < -8 || size > 8)
		return -EINVAL;
	arg.size = (uint8_t)(size < 0 ? -size : size);
	if (arg.size != 1 && arg.size != 2 && arg.size != 4 && arg.size != 8)
		return -EINVAL;
	if (span_skip(&s, "f@")) { /* floating point */
		*ret = arg;
		return 0;
	}
	if (!span_skip(&s, "@"))
		return -EINVAL;
	if (machine == EM_X86_64)
		x86_operand(s, &arg);
	else
		arm64_operand(s, &arg);
	*ret = arg;
	return 0;
}

int usdt_args_parse(const char *spec, unsigned machine, struct usdt_arg *ret, size_t max)
{
	struct span s;
	size_t n = 0;

	if (machine != EM_X86_64 && machine != EM_AARCH64)
		return -EOPNOTSUPP;
	while (next_argument(&spec, &s)) {
		int err;

		if (n == max)
			return -E2BIG;
		err = parse_one(s, machine, &ret[n]);
		if (err)
			return err;
		n++;
	}
	return (int)n;
}

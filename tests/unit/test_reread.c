/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of this very process, with what 3.9 would have in its memory. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "bpf/wire.h"
#include "symbolizer/layout.h"
#include "tests/unit/suites.h"
#include "userspace/reread.h"

/* PyASCIIObject and its text, PyBytesObject, PyCodeObject. */
static struct {
	uint64_t head[4];
	uint32_t state, pad;
	uint64_t wstr;
	char text[32];
} name = { { 1, 0, 5, 0 }, 0xe4, 0, 0, "hello" }, file = { { 1, 0, 4, 0 }, 0xe4, 0, 0, "a.py" };
static struct {
	uint64_t head[4];
	uint8_t data[4];
} table = { { 1, 0, 4, 0 }, { 0, 1, 4, 1 } };
static uint64_t code[32];

static void code_set(const struct cpython_layout *l, const void *name_of, const void *file_of)
{
	uint32_t line = 12;

	memset(code, 0, sizeof(code));
	memcpy((char *)code + l->code_firstlineno, &line, sizeof(line));
	code[l->code_name / 8] = (uintptr_t)name_of;
	code[l->code_filename / 8] = (uintptr_t)file_of;
	code[l->code_linetable / 8] = (uintptr_t)&table;
}

static struct wire_event_code unread(void)
{
	return (struct wire_event_code){.code = (uintptr_t)code,
					.linetable_size = WIRE_LINETABLE_UNREAD};
}

static void test_missing(void)
{
	const struct cpython_layout *l = layout_for(9);
	struct wire_event_code e = unread();

	code_set(l, &name, &file);
	CU_ASSERT(reread_is_due(&e));
	CU_ASSERT_EQUAL(reread_code(getpid(), l, &e), 0);
	CU_ASSERT(!reread_is_due(&e));
	CU_ASSERT(e.name.kind == 1 && e.name.ascii && e.name.length == 5 && e.name.bytes == 5);
	CU_ASSERT(!memcmp(e.name_data, "hello", 5) && !memcmp(e.file_data, "a.py", 4));
	CU_ASSERT(e.firstlineno == 12 && !e.qualname.kind);
	CU_ASSERT(e.linetable_size == 4 && e.linetable[2] == 4);
}

/* What the kernel has read stays. */
static void test_present(void)
{
	struct wire_event_code e = unread();

	code_set(layout_for(9), NULL, &file);
	e.name = (struct wire_str){.length = 1, .bytes = 1, .kind = 1, .ascii = 1};
	e.name_data[0] = 'f';
	CU_ASSERT_EQUAL(reread_code(getpid(), layout_for(9), &e), 0);
	CU_ASSERT(e.name_data[0] == 'f' && e.file.kind == 1);
}

static void test_garbage(void)
{
	const struct cpython_layout *l = layout_for(9);
	struct wire_event_code e = unread();

	code_set(l, (void *)8, &file);
	CU_ASSERT_EQUAL(reread_code(getpid(), l, &e), -EFAULT);
	/* Not compact: no text behind it. */
	code_set(l, &table, &file);
	CU_ASSERT_EQUAL(reread_code(getpid(), l, &e), -EFAULT);
	e.code = 1;
	CU_ASSERT_EQUAL(reread_code(getpid(), l, &e), -EFAULT);
	CU_ASSERT_EQUAL(reread_code(0x3fffff, l, &e), -ESRCH);
	/* A length that no str has is not read. */
	name.head[2] = ~0ull;
	code_set(l, &name, &file);
	e = unread();
	CU_ASSERT(reread_code(getpid(), l, &e) == -EFAULT || e.name.bytes <= WIRE_NAME_MAX);
	name.head[2] = 5;
}

int suite_reread(void)
{
	CU_pSuite s = CU_add_suite("reread", NULL, NULL);

	return !s || !CU_ADD_TEST(s, test_missing) || !CU_ADD_TEST(s, test_present) ||
	       !CU_ADD_TEST(s, test_garbage);
}

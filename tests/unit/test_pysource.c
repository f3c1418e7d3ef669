/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expected names are what CPython 3.11's co_qualname says of the same text;
 * tests/qualname compares whole libraries.
 */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/pysource.h"

static struct pyscopes *scopes;

static void scan(const char *text)
{
	size_t len = strlen(text);
	char *copy = malloc(len + !len); /* ASan sees one byte too many */

	memcpy(copy, text, len);
	pyscopes_free(scopes);
	scopes = NULL;
	CU_ASSERT_EQUAL_FATAL(pysource_scan(copy, len, &scopes), 0);
	free(copy);
}

static void expect(unsigned line, const char *name, const char *qualname)
{
	char found[256] = "";

	CU_ASSERT_EQUAL(pyscopes_qualname(scopes, name, line, found, sizeof(found)), 0);
	CU_ASSERT_STRING_EQUAL(found, qualname);
}

static int error_of(unsigned line, const char *name)
{
	char found[256];

	return pyscopes_qualname(scopes, name, line, found, sizeof(found));
}

static void test_nesting(void)
{
	scan("class A:\n"
	     "    def m(self):\n"
	     "        class B:\n"
	     "            def n(self): pass\n"
	     "        def inner():\n"
	     "            pass\n"
	     "    if True:\n"
	     "        async def late(self): pass\n"
	     "def f(): return lambda: 0\n"
	     "def g(): pass\n");
	expect(1, "A", "A");
	expect(2, "m", "A.m");
	expect(3, "B", "A.m.<locals>.B");
	expect(4, "n", "A.m.<locals>.B.n");
	expect(5, "inner", "A.m.<locals>.inner");
	expect(8, "late", "A.late");
	expect(9, "f", "f");
	expect(9, "<lambda>", "f.<locals>.<lambda>");
	expect(10, "g", "g");
	CU_ASSERT_EQUAL(error_of(2, "n"), -ENOENT);
	CU_ASSERT_EQUAL(error_of(0, "f"), -ENOENT);
}

static void test_headers(void)
{
	scan("@first\n"
	     "# between\n"
	     "@second(lambda: 1)\n"
	     "def f(a: int = 3, *,\n"
	     "      b: 'x' = (lambda: 2)\n"
	     "      ) -> Dict[str, lambda: 3]:\n"
	     "    pass\n"
	     "x @ y\n"
	     "def g(): pass\n"
	     "@(\n"
	     "    third)\n"
	     "class C(Base, metaclass=[M for M in y]): x = lambda: 4\n");
	expect(1, "f", "f");
	expect(3, "<lambda>", "<lambda>");
	expect(5, "<lambda>", "<lambda>");
	expect(6, "<lambda>", "<lambda>");
	expect(9, "g", "g");
	expect(11, "C", "C");
	expect(12, "<listcomp>", "<listcomp>");
	expect(12, "<lambda>", "C.<lambda>");
}

static void test_global(void)
{
	scan("def f():\n"
	     "    global g, C; global h\n"
	     "    def g():\n"
	     "        def deep(): pass\n"
	     "        def h(): pass\n"
	     "    class C:\n"
	     "        def m(self): pass\n"
	     "    def k(): pass\n"
	     "def other():\n"
	     "    def g(): pass\n");
	expect(3, "g", "g");
	expect(4, "deep", "g.<locals>.deep");
	expect(5, "h", "g.<locals>.h");
	expect(6, "C", "C");
	expect(7, "m", "C.m");
	expect(8, "k", "f.<locals>.k");
	expect(10, "g", "other.<locals>.g");
}

static void test_comprehensions(void)
{
	scan("def f():\n"
	     "    return [(lambda: x)\n"
	     "            for x in (lambda: y)() if\n"
	     "            (lambda: z) for w in\n"
	     "            {k: v for k, v in u}]\n"
	     "    {a for a in b}; {**c, 'x': [1][0:1]}; g(i for i in j)\n"
	     "    {k: lambda: 1 for k in v}\n"
	     "    [lambda a=[q for q in r], *b: 1\n"
	     "     for s in t]\n");
	expect(2, "<listcomp>", "f.<locals>.<listcomp>");
	expect(2, "<lambda>", "f.<locals>.<listcomp>.<lambda>");
	expect(3, "<lambda>", "f.<locals>.<lambda>");
	expect(4, "<lambda>", "f.<locals>.<listcomp>.<lambda>");
	expect(5, "<dictcomp>", "f.<locals>.<listcomp>.<dictcomp>");
	expect(6, "<setcomp>", "f.<locals>.<setcomp>");
	expect(6, "<genexpr>", "f.<locals>.<genexpr>");
	CU_ASSERT_EQUAL(error_of(6, "<dictcomp>"), -ENOENT);
	expect(7, "<dictcomp>", "f.<locals>.<dictcomp>");
	expect(7, "<lambda>", "f.<locals>.<dictcomp>.<lambda>");
	CU_ASSERT_EQUAL(error_of(8, "<listcomp>"), -ENOTUNIQ);
}

static void test_lambdas(void)
{
	scan("def f(): return [lambda: 0, lambda x=lambda: 1, y=2: x,\n"
	     "  lambda: lambda:\n"
	     "    3]\n"
	     "def g(): d = {1: lambda: 2,\n"
	     "  2: 3}; a[lambda: 1: lambda: 2]\n"
	     "x = lambda: (yield); y = lambda: x if y else z\n");
	expect(1, "<lambda>", "f.<locals>.<lambda>");
	CU_ASSERT_EQUAL(error_of(2, "<lambda>"), -ENOTUNIQ);
	expect(4, "<lambda>", "g.<locals>.<lambda>");
	expect(5, "<lambda>", "g.<locals>.<lambda>");
	expect(6, "<lambda>", "<lambda>");
}

static void test_strings(void)
{
	scan("'def a(): pass'; r'\\\\'; \"\"\"\n"
	     "def b(): pass\n"
	     "\"\"\"; Rb'''\n"
	     "'\\'''def c(): pass'''\n"
	     "x = 'open\\\n"
	     "def d(): pass'\n"
	     "def e(): return '#', \"[(\"  # def f(\n"
	     "def g(): pass\n");
	CU_ASSERT_EQUAL(error_of(2, "b"), -ENOENT);
	CU_ASSERT_EQUAL(error_of(6, "d"), -ENOENT);
	CU_ASSERT_EQUAL(pyscopes_count(scopes), 2);
	expect(7, "e", "e");
	expect(8, "g", "g");
}

static void test_format_strings(void)
{
	scan("def f():\n"
	     "    f'{{(lambda: 1)}} {x!r:>{(lambda: 2)()}} {y!=3}'\n"
	     "    rf'\\{[z for z in w]}' f\"{', '.join(a['}'] for a in b)}\"\n"
	     "    f'''\n"
	     "\\N{DASH} {\n"
	     "    {c for c in d}\n"
	     "    :{e}} {f'{(lambda: 4)}'}'''\n"
	     "    return f'{i for i in j}' '{(lambda: 5)}'\n");
	expect(2, "<lambda>", "f.<locals>.<lambda>");
	expect(3, "<listcomp>", "f.<locals>.<listcomp>");
	expect(3, "<genexpr>", "f.<locals>.<genexpr>");
	expect(6, "<setcomp>", "f.<locals>.<setcomp>");
	expect(7, "<lambda>", "f.<locals>.<lambda>");
	expect(8, "<genexpr>", "f.<locals>.<genexpr>");
	CU_ASSERT_EQUAL(error_of(8, "<lambda>"), -ENOENT);
	CU_ASSERT_EQUAL(pyscopes_count(scopes), 7);
}

static void test_layout_of_lines(void)
{
	scan("\xef\xbb\xbf" "class A:\r\n"
	     "\tdef tab(self):\r\n"
	     "        \tdef deeper(): pass\r\n"
	     "\r\n"
	     "# comment at the margin\r\n"
	     "\tdef again(self): pass\r"
	     "\f\n"
	     "def \\\n"
	     "   far(): pass\n"
	     "if x: \\\n"
	     "  y = lambda: 1\n"
	     "z = 0x1for 1if 2else lambda: 3\n");
	expect(1, "A", "A");
	expect(2, "tab", "A.tab");
	expect(3, "deeper", "A.tab.<locals>.deeper");
	expect(6, "again", "A.again");
	expect(8, "far", "far");
	expect(11, "<lambda>", "<lambda>");
	expect(12, "<lambda>", "<lambda>");
}

static void test_ambiguity(void)
{
	scan("def f(): return (lambda: 1), (lambda: 2)\n"
	     "a = lambda: [lambda: 3]\n");
	expect(1, "<lambda>", "f.<locals>.<lambda>"); /* two, but of the same name */
	CU_ASSERT_EQUAL(error_of(2, "<lambda>"), -ENOTUNIQ);
}

static void test_hostile(void)
{
	static const char *const texts[] = {
		"", "\\", "def", "class", "def f", "def f(", "lambda", "[", ")]}", "'", "'''", "f'{",
		"f'{x:{y:{z", "f'\\", "f'\\N{", "for x in", "[for", "[x for", "[x for y in", "@", "@@",
		"global", "\r", "\\\r", "0x", "1e", "rb", "rb'", "\xff\xfe" "d\0e\0f\0", "\f\f\f",
		":::", "[lambda:", "{lambda:1:2 for", "async", "async def", "def def def",
	};
	char deep[2000];
	struct pyscopes *none = NULL;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		scan(texts[i]);
	memset(deep, '(', sizeof(deep));
	CU_ASSERT_EQUAL(pysource_scan(deep, sizeof(deep), &none), -E2BIG);
	CU_ASSERT_PTR_NULL(none);
	memset(deep, 0, sizeof(deep));
	CU_ASSERT_EQUAL(pysource_scan(deep, sizeof(deep), &none), 0);
	pyscopes_free(none);
}

static void test_small_buffer(void)
{
	char found[16] = "untouched";

	scan("class A:\n  def m(): pass\n");
	CU_ASSERT_EQUAL(pyscopes_qualname(scopes, "m", 2, found, 3), -ENAMETOOLONG);
	CU_ASSERT_STRING_EQUAL(found, "untouched");
	CU_ASSERT_EQUAL(pyscopes_qualname(scopes, "m", 2, found, 4), 0);
	CU_ASSERT_STRING_EQUAL(found, "A.m");
}

static int forget(void)
{
	pyscopes_free(scopes);
	scopes = NULL;
	return 0;
}

int suite_pysource(void)
{
	CU_pSuite s = CU_add_suite("pysource", NULL, forget);

	return !s || !CU_ADD_TEST(s, test_nesting) || !CU_ADD_TEST(s, test_headers) ||
	       !CU_ADD_TEST(s, test_global) || !CU_ADD_TEST(s, test_comprehensions) ||
	       !CU_ADD_TEST(s, test_lambdas) || !CU_ADD_TEST(s, test_strings) ||
	       !CU_ADD_TEST(s, test_format_strings) || !CU_ADD_TEST(s, test_layout_of_lines) ||
	       !CU_ADD_TEST(s, test_ambiguity) || !CU_ADD_TEST(s, test_hostile) ||
	       !CU_ADD_TEST(s, test_small_buffer);
}

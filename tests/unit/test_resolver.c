/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <errno.h>

#include "symbolizer/resolver.h"
#include "tests/unit/tree.h"

static struct resolver *resolver;

static const char *const source = "class Cart:\n"
				  "    def add(self): pass\n"
				  "    total = lambda self: [0]\n"
				  "def outer():\n"
				  "    def inner(): return (x for x in (lambda: 1, lambda: 2))\n";

static int make_resolver(void)
{
	int root_fd;

	if (tree_make() || tree_directory("shop") || tree_write("shop/__init__.py", "") ||
	    tree_write("shop/cart.py", source) || tree_directory("usr") ||
	    tree_directory("usr/lib") || tree_directory("usr/lib/python3.9") ||
	    tree_directory("usr/lib/python3.9/importlib") ||
	    tree_write("usr/lib/python3.9/importlib/_bootstrap.py", "class A:\n  def b(): 0\n"))
		return -1;
	root_fd = tree_open(".");
	resolver = resolver_new(root_fd, -1);
	close(root_fd);
	return resolver ? 0 : -1;
}

static int remove_resolver(void)
{
	resolver_free(resolver);
	return tree_remove();
}

static struct code_name resolve(const char *file, const char *name, unsigned line)
{
	struct code_facts in = { .filename = file, .name = name, .firstlineno = line, .minor = 9 };
	struct code_name out = { 0 };

	CU_ASSERT_EQUAL_FATAL(resolver_resolve(resolver, &in, &out), 0);
	return out;
}

static void test_from_source(void)
{
	struct code_name n = resolve("/shop/cart.py", "add", 2);

	CU_ASSERT_STRING_EQUAL(n.module, "shop.cart");
	CU_ASSERT_STRING_EQUAL(n.class_name, "Cart");
	CU_ASSERT_STRING_EQUAL(n.qualname, "Cart.add");
	CU_ASSERT_STRING_EQUAL(n.name, "add");
	CU_ASSERT_STRING_EQUAL(n.file, "/shop/cart.py");
	CU_ASSERT_STRING_EQUAL(n.wraps, "");
	CU_ASSERT_EQUAL(n.line, 2);
	CU_ASSERT_FALSE(n.unresolved);
	n = resolve("/shop/cart.py", "<lambda>", 3);
	CU_ASSERT_STRING_EQUAL(n.class_name, "Cart");
	n = resolve("/shop/cart.py", "inner", 5);
	CU_ASSERT_STRING_EQUAL(n.qualname, "outer.<locals>.inner");
	CU_ASSERT_STRING_EQUAL(n.class_name, "");
	n = resolve("/shop/cart.py", "<lambda>", 5);
	CU_ASSERT_STRING_EQUAL(n.qualname, "outer.<locals>.inner.<locals>.<lambda>");
	n = resolve("/shop/cart.py", "<module>", 1);
	CU_ASSERT_STRING_EQUAL(n.qualname, "<module>");
	CU_ASSERT_FALSE(n.unresolved);
	n = resolve("<frozen importlib._bootstrap>", "b", 2);
	CU_ASSERT_STRING_EQUAL(n.qualname, "A.b");
	CU_ASSERT_STRING_EQUAL(n.module, "importlib._bootstrap");
}

static void test_unresolved(void)
{
	static const char *const files[] = { "/shop/cart.py", "/no/file.py", "<string>", "",
					     "<frozen x>", "/shop", "relative.py" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct code_name n = resolve(files[i], "name", 2);

		CU_ASSERT_STRING_EQUAL(n.qualname, "name");
		CU_ASSERT_STRING_EQUAL(n.class_name, "");
		CU_ASSERT_TRUE(n.unresolved);
	}
	CU_ASSERT_TRUE(resolve("/shop/cart.py", NULL, 0).unresolved);
	CU_ASSERT_TRUE(resolve(NULL, "f", 1).unresolved);
}

static void test_told(void)
{
	struct code_facts in = { .filename = "/shop/views.py", .name = "wrapper", .firstlineno = 7,
				 .qualname = "cached.<locals>.wrapper", .minor = 15,
				 .wrapped_qualname = "View.get" };
	struct code_name n;

	CU_ASSERT_EQUAL_FATAL(resolver_resolve(resolver, &in, &n), 0);
	CU_ASSERT_STRING_EQUAL(n.qualname, "cached.<locals>.wrapper");
	CU_ASSERT_STRING_EQUAL(n.class_name, "");
	CU_ASSERT_STRING_EQUAL(n.wraps, "View.get");
	CU_ASSERT_STRING_EQUAL(n.module, "shop.views");
	CU_ASSERT_FALSE(n.unresolved);
	in.wrapped_qualname = in.qualname; /* no functools.wraps() */
	in.qualname = "f.<locals>.C.m";
	CU_ASSERT_EQUAL_FATAL(resolver_resolve(resolver, &in, &n), 0);
	CU_ASSERT_STRING_EQUAL(n.class_name, "f.<locals>.C");
	in.qualname = "f.<locals>.<listcomp>.<lambda>";
	in.wrapped_qualname = in.qualname;
	CU_ASSERT_EQUAL_FATAL(resolver_resolve(resolver, &in, &n), 0);
	CU_ASSERT_STRING_EQUAL(n.class_name, "");
	CU_ASSERT_STRING_EQUAL(n.wraps, "");
}

/* More files than are cached: each answer stays right, and equal text one text. */
static void test_many_files(void)
{
	const char *first = resolve("/shop/cart.py", "add", 2).qualname;
	char name[64];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "f%d.py", i);
		CU_ASSERT_EQUAL(tree_write(name, source), 0);
	}
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 300; i++) {
			snprintf(name, sizeof(name), "/f%d.py", i);
			CU_ASSERT_PTR_EQUAL(resolve(name, "add", 2).qualname, first);
		}
}

static void test_room(void)
{
	struct code_facts in = { .filename = "/x.py", .qualname = "f", .minor = 15 };
	char *name = calloc(1, 1 << 20);
	struct code_name n;
	int err = 0;

	memset(name, 'a', (1 << 20) - 1);
	in.name = name;
	for (int i = 0; i < 10 && !err; i++) {
		name[0] = (char)('a' + i);
		err = resolver_resolve(resolver, &in, &n);
	}
	CU_ASSERT_EQUAL(err, -ENOSPC);
	free(name);
}

int suite_resolver(void)
{
	CU_pSuite s = CU_add_suite("resolver", make_resolver, remove_resolver);

	return !s || !CU_ADD_TEST(s, test_from_source) || !CU_ADD_TEST(s, test_unresolved) ||
	       !CU_ADD_TEST(s, test_told) || !CU_ADD_TEST(s, test_many_files) ||
	       !CU_ADD_TEST(s, test_room);
}

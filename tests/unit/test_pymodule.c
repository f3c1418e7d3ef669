/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/CUnit.h>
#include <errno.h>

#include "symbolizer/pymodule.h"
#include "tests/unit/tree.h"

static struct rootfs fs;

static int make_packages(void)
{
	if (tree_make() || tree_directory("app") || tree_directory("app/shop") ||
	    tree_directory("app/shop/cart") || tree_write("app/shop/__init__.py", "") ||
	    tree_write("app/shop/cart/__init__.py", ""))
		return -1;
	fs.root_fd = tree_open(".");
	fs.cwd_fd = tree_open("app");
	return fs.root_fd < 0 || fs.cwd_fd < 0;
}

static int remove_packages(void)
{
	close(fs.root_fd);
	close(fs.cwd_fd);
	return tree_remove();
}

static void expect(const char *filename, const char *module)
{
	char found[128] = "";

	CU_ASSERT_EQUAL(pymodule_name(&fs, filename, found, sizeof(found)), 0);
	CU_ASSERT_STRING_EQUAL(found, module);
}

static void test_packages(void)
{
	expect("/app/shop/cart/items.py", "shop.cart.items");
	expect("/app/shop/cart/__init__.py", "shop.cart");
	expect("/app/shop/__main__.py", "shop.__main__");
	expect("/app/manage.py", "manage");
	expect("/app/shop/cart/items.pyc", "shop.cart.items");
	expect("/not/there.py", "there");
}

static void test_relative(void)
{
	expect("shop/cart/items.py", "shop.cart.items");
	expect("./shop/cart/items.py", "shop.cart.items");
	expect("manage.py", "manage");
	expect("../app/shop/views.py", "views"); /* out of the working directory */
}

static void test_import_roots(void)
{
	expect("/usr/lib/python3/dist-packages/django/core/handlers/base.py",
	       "django.core.handlers.base");
	expect("/v/lib/python3.9/site-packages/a.egg/ns/mod.py", "ns.mod");
	expect("/app/bundle.zip/shop/cart.py", "shop.cart");
	expect("/v/site-packages/six.py", "six");
}

static void test_no_files(void)
{
	expect("<frozen importlib._bootstrap>", "importlib._bootstrap");
	expect("<string>", "<string>");
	expect("<frozen ", "<frozen ");
	expect("/usr/bin/gunicorn", "gunicorn");
	expect("script", "script");
}

static void test_refused(void)
{
	char small[8] = "same";

	CU_ASSERT_EQUAL(pymodule_name(&fs, "", small, sizeof(small)), -EINVAL);
	CU_ASSERT_EQUAL(pymodule_name(&fs, "/app/", small, sizeof(small)), -EINVAL);
	CU_ASSERT_EQUAL(pymodule_name(&fs, "/a/toolongname.py", small, sizeof(small)),
			-ENAMETOOLONG);
	CU_ASSERT_EQUAL(pymodule_name(&fs, "<frozen toolong>", small, 7), -ENAMETOOLONG);
	CU_ASSERT_STRING_EQUAL(small, "same");
}

int suite_pymodule(void)
{
	CU_pSuite s = CU_add_suite("pymodule", make_packages, remove_packages);

	return !s || !CU_ADD_TEST(s, test_packages) || !CU_ADD_TEST(s, test_relative) ||
	       !CU_ADD_TEST(s, test_import_roots) || !CU_ADD_TEST(s, test_no_files) ||
	       !CU_ADD_TEST(s, test_refused);
}

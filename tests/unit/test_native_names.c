/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/clean_text.h"
#include "symbolizer/cython_name.h"
#include "symbolizer/demangle.h"
#include "symbolizer/native_role.h"
#include "tests/unit/suites.h"

/* The symbols are what Cython 0.29.32 made of functions of these names. */
static void test_cython(void)
{
	static const char *const names[][2] = {
		{ "__pyx_pw_5mypkg_3sub_4mod9_1f", "mypkg.sub.mod9.f" },
		{ "__pyx_pf_5mypkg_3sub_4mod9_f", "mypkg.sub.mod9.f" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_3g1f", "mypkg.sub.mod9.g1f" },
		{ "__pyx_pf_5mypkg_3sub_4mod9_2g1f", "mypkg.sub.mod9.g1f" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_3g1f_1inner", "mypkg.sub.mod9.g1f.inner" },
		{ "__pyx_pf_5mypkg_3sub_4mod9_3g1f_inner", "mypkg.sub.mod9.g1f.inner" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_3g1f_5inner_lambda",
		  "mypkg.sub.mod9.g1f.inner.<lambda>" },
		{ "__pyx_f_5mypkg_3sub_4mod9_cfun", "mypkg.sub.mod9.cfun" },
		{ "__pyx_f_5mypkg_3sub_4mod9_3Cls_cm", "mypkg.sub.mod9.Cls.cm" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_3Cls_1__init__", "mypkg.sub.mod9.Cls.__init__" },
		{ "__pyx_pf_5mypkg_3sub_4mod9_3Cls___init__", "mypkg.sub.mod9.Cls.__init__" },
		{ "__pyx_pf_5mypkg_3sub_4mod9_3Cls_10__add__", "mypkg.sub.mod9.Cls.__add__" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_3Cls_4prop_3__set__",
		  "mypkg.sub.mod9.Cls.prop.__set__" },
		{ "__pyx_getprop_5mypkg_3sub_4mod9_3Cls_prop", "mypkg.sub.mod9.Cls.prop" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_6nested_1L_1lm", "mypkg.sub.mod9.nested.L.lm" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_19_under_2x", "mypkg.sub.mod9._under_2x" },
		{ "__pyx_gb_5mypkg_3sub_4mod9_6generator", "mypkg.sub.mod9.<generator>" },
		{ "__pyx_gb_5mypkg_3sub_4mod9_3Cls_16generator2",
		  "mypkg.sub.mod9.Cls.<generator2>" },
		{ "__pyx_fuse_1__pyx_pw_5mypkg_3sub_4mod9_23fus", "mypkg.sub.mod9.fus" },
		{ "__pyx_fuse_0__pyx_f_5mypkg_3sub_4mod9_fusc", "mypkg.sub.mod9.fusc" },
		{ "__pyx_pf_5mypkg_3sub_4mod9_26__pyx_fuse_0fusc", "mypkg.sub.mod9.fusc" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_33__pyx_unpickle_Cls",
		  "mypkg.sub.mod9.__pyx_unpickle_Cls" },
		{ "__pyx_f_5mypkg_3sub_4mod9___pyx_unpickle_Cls__set_state",
		  "mypkg.sub.mod9.__pyx_unpickle_Cls__set_state" },
		{ "__pyx_tp_dealloc_5mypkg_3sub_4mod9_Cls", "mypkg.sub.mod9.Cls.tp_dealloc" },
		{ "__pyx_pw_4mod9_1f.cold", "mod9.f" },
		{ "__pyx_f_4mod9_f.isra.0", "mod9.f" },
		/* A wrapper's counter must be somewhere. */
		{ "__pyx_pw_3mod_3abc_x", "mod.abc_x" },
		{ "__pyx_pf_3mod_3abc_x", "mod.abc.x" },
		{ "__pyx_f_7one_two_x", "one_two.x" },
		{ "__pyx_f_6a_dot_long_x", "a.long.x" },
	};
	char out[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int err = cython_name(names[i][0], out, sizeof(out));

		CU_ASSERT_EQUAL(err, 0);
		if (err || strcmp(out, names[i][1]))
			printf("\n    %s: %s", names[i][0], err ? strerror(-err) : out);
		CU_ASSERT_TRUE(!err && !strcmp(out, names[i][1]));
	}
}

static void test_not_cython(void)
{
	static const char *const symbols[] = {
		"", "main", "__pyx_", "__pyx_pw_", "__pyx_pw_1f", "__pyx_pw_f", "__pyx_f_3mo_",
		"__pyx_f_3mod_", "__pyx_f_3mod_9", "__pyx_f_0_f", "__pyx_f_99999999999999999999_f",
		"__pyx_find_code_object", "__pyx_pymod_exec_mod9", "__pyx_lambda_funcdef_lambda1",
		"__pyx_tp_new", "__pyx_tp_new_", "__pyx_fuse_0", "__pyx_fuse_0_", "__pyx_CyFunction_init",
		"__pyx_Upw_3mod_1_9ia", "__pyx_f_3mod_a b",
	};
	char out[32] = "untouched";

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		/* An allocation of exactly the text, so that ASan sees one byte too many. */
		char *copy = strdup(symbols[i]);

		CU_ASSERT_EQUAL(cython_name(copy, out, sizeof(out)), -ENOENT);
		free(copy);
	}
	CU_ASSERT_EQUAL(cython_name("__pyx_pw_3mod_1f", out, 5), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(cython_name("__pyx_pw_3mod_1f", out, 0), -ENAMETOOLONG);
	CU_ASSERT_STRING_EQUAL(out, "untouched");
	CU_ASSERT_EQUAL(cython_name("__pyx_pw_3mod_1f", out, 6), 0);
	CU_ASSERT_STRING_EQUAL(out, "mod.f");
}

static void test_generators(void)
{
	static const char *const pairs[][2] = {
		{ "__pyx_pw_5mypkg_3sub_4mod9_5gen", "__pyx_gb_5mypkg_3sub_4mod9_6generator" },
		{ "__pyx_pf_5mypkg_3sub_4mod9_4gen", "__pyx_gb_5mypkg_3sub_4mod9_6generator" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_8co", "__pyx_gb_5mypkg_3sub_4mod9_9generator1" },
		{ "__pyx_pw_5mypkg_3sub_4mod9_3Cls_15gm",
		  "__pyx_gb_5mypkg_3sub_4mod9_3Cls_16generator2" },
		{ "__pyx_pf_5mypkg_3sub_4mod9_2Py_2gm_genexpr",
		  "__pyx_gb_5mypkg_3sub_4mod9_2Py_2gm_2generator4" },
	};
	static const size_t n = sizeof(pairs) / sizeof(pairs[0]);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			CU_ASSERT_EQUAL(cython_makes_generator(pairs[i][0], pairs[j][1]),
					!strcmp(pairs[i][1], pairs[j][1]));
	CU_ASSERT_FALSE(cython_makes_generator("__pyx_pw_3mod_15f", "__pyx_gb_3mod_2generator"));
	CU_ASSERT_FALSE(cython_makes_generator("__pyx_pw_", "__pyx_gb_3mod_2generator"));
	CU_ASSERT_FALSE(cython_makes_generator("", "__pyx_gb_3mod_generator"));
}

static void expect_readable(const char *symbol, const char *expected)
{
	char out[256];
	int err = demangle(symbol, out, sizeof(out));

	if (!expected) {
		CU_ASSERT_EQUAL(err, -ENOENT);
		return;
	}
	CU_ASSERT_EQUAL(err, 0);
	if (!err)
		CU_ASSERT_STRING_EQUAL(out, expected);
}

static void test_demangle(void)
{
	/* By g++ and by rustc's two schemes. */
	expect_readable("_ZN8pybind116detail8functionC1Ei", "pybind11::detail::function::function");
	expect_readable("_ZNSt6vectorIiSaIiEE9push_backERKi",
			"std::vector<int, std::allocator<int> >::push_back");
	expect_readable("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
			"core::fmt::Write::write_fmt");
	expect_readable("_RNvCs1234_7mycrate3foo", "mycrate::foo");
	expect_readable("__pyx_pw_3mod_1f", "mod.f");
	expect_readable("memcpy", NULL);
	expect_readable("_Z", NULL);
	expect_readable("_ZN", NULL);
	expect_readable("_R", NULL);
	expect_readable("", NULL);
}

/* f<S<int, int>, S<S<int, int>, S<int, int>>, …>: each part is twice the one before. */
static int demangle_doubling(int parts)
{
	static const char digits[] = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char symbol[512] = "_Z1fI1SIiiE", out[256], part[32];

	for (int i = 0; i < parts; i++) {
		snprintf(part, sizeof(part), "S0_IS%c_S%c_E", digits[i], digits[i]);
		strcat(symbol, part);
	}
	strcat(symbol, "Evv");
	return demangle(symbol, out, sizeof(out));
}

static void test_demangle_bomb(void)
{
	CU_ASSERT_EQUAL(demangle_doubling(2), 0);
	CU_ASSERT_EQUAL(demangle_doubling(30), -ENOENT);
}

static void test_roles(void)
{
	CU_ASSERT_EQUAL(native_role("_PyEval_EvalFrameDefault"), ROLE_EVAL);
	CU_ASSERT_EQUAL(native_role("_PyEval_EvalFrameDefault.cold"), ROLE_EVAL);
	CU_ASSERT_EQUAL(native_role("_TAIL_CALL_LOAD_FAST"), ROLE_EVAL);
	CU_ASSERT_EQUAL(native_role("_TAIL_CALL_"), ROLE_NONE);
	CU_ASSERT_EQUAL(native_role("take_gil.constprop.0"), ROLE_GIL);
	CU_ASSERT_EQUAL(native_role("PyEval_RestoreThread"), ROLE_GIL);
	CU_ASSERT_EQUAL(native_role("_PyThreadState_Attach"), ROLE_GIL);
	CU_ASSERT_EQUAL(native_role("gc_collect_main"), ROLE_GC);
	CU_ASSERT_EQUAL(native_role("collect.constprop.1"), ROLE_GC);
	CU_ASSERT_EQUAL(native_role("collections_exec"), ROLE_NONE);
	CU_ASSERT_EQUAL(native_role("gc_collect"), ROLE_GC);
	CU_ASSERT_EQUAL(native_role("gc_get_count"), ROLE_NONE);
	CU_ASSERT_EQUAL(native_role("PyObject_GC_UnTrack"), ROLE_NONE);
	CU_ASSERT_EQUAL(native_role("PyThreadState_Swap"), ROLE_NONE);
	CU_ASSERT_EQUAL(native_role(""), ROLE_NONE);
}

static void test_clean_text(void)
{
	char text[] = "a\x1b[2Jb\nc\x7f \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xff\xc3 \xc2\x85"
		      " \xed\xa0\x80";

	clean_text(text);
	CU_ASSERT_STRING_EQUAL(text, "a?[2Jb?c? \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ?? ?? ???");
}

int suite_native_names(void)
{
	CU_TestInfo tests[] = {
		{ "cython", test_cython },
		{ "not_cython", test_not_cython },
		{ "generators", test_generators },
		{ "demangle", test_demangle },
		{ "demangle_bomb", test_demangle_bomb },
		{ "roles", test_roles },
		{ "clean_text", test_clean_text },
		CU_TEST_INFO_NULL,
	};

	return suite_register("native_names", tests);
}

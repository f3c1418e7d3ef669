/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unit                            run all suites
 * unit --write-sample WHAT FILE   a recording for the other tests: shop,
 *                                 shop-clock, shop-kernel, shop-sampled, shop-requests,
 *                                 shop-requests-only or a number of call paths;
 *                                 batch: one of the fleet's
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/sample.h"
#include "tests/unit/sample_batch.h"
#include "tests/unit/suites.h"

static int (*const suites[])(void) = {
#define SUITE(name) suite_##name,
#include "tests/unit/suites.list"
#undef SUITE
};

static int write_sample(const char *what, const char *path)
{
	int err = strcmp(what, "batch") ? sample_write(what, path) : sample_batch_write(path);

	if (err)
		fprintf(stderr, "unit: cannot write %s: %s\n", path, strerror(-err));
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	unsigned int failures;

	if (argc == 4 && !strcmp(argv[1], "--write-sample"))
		return write_sample(argv[2], argv[3]);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++)
		if (suites[i]() != 0) {
			fprintf(stderr, "unit: suite %zu is broken: %s\n", i, CU_get_error_msg());
			return 1;
		}
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}

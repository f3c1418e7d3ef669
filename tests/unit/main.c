/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

int suite_command(void);
int suite_elf_file(void);
int suite_interpreter(void);
int suite_layout(void);
int suite_procmap(void);
int suite_probe_note(void);
int suite_pymodule(void);
int suite_pysource(void);
int suite_pystr(void);
int suite_resolver(void);
int suite_rootfs(void);
int suite_strpool(void);
int suite_usdt_arg(void);

static int (*const suites[])(void) = {
	suite_command,	  suite_elf_file, suite_interpreter, suite_layout,  suite_procmap,
	suite_probe_note, suite_pymodule, suite_pysource,    suite_pystr,   suite_resolver,
	suite_rootfs,	  suite_strpool,  suite_usdt_arg,
};

int main(void)
{
	unsigned failures = 1;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (suites[i]())
			return 2;
	CU_basic_set_mode(CU_BRM_NORMAL);
	if (CU_basic_run_tests() == CUE_SUCCESS)
		failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}

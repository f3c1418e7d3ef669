/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/agent/agent_config.h"
#include "userspace/collector/serve_config.h"
#include "userspace/fleet/quantity.h"

static void test_quantities(void)
{
	static const struct {
		const char *text, *shown; /* NULL: it is none */
	} sizes[] = {
		{ "0", "0" }, { "17", "17" }, { "17B", "17" }, { "512M", "512MiB" },
		{ "512MiB", "512MiB" }, { "512 MiB", "512MiB" }, { "1.5G", "1536MiB" },
		{ "64K", "64KiB" }, { "1000KiB", "1000KiB" }, { "500kB", "500kB" }, { "2MB", "2MB" },
		{ "1024G", "1024GiB" }, { "", NULL }, { "M", NULL }, { "1m", NULL }, { "1KB", NULL },
		{ "-1", NULL }, { "+1", NULL }, { " 1", NULL }, { "0x10", NULL }, { "1MiBs", NULL },
		{ "1e300", NULL }, { "nan", NULL }, { "inf", NULL }, { "1,5G", NULL },
	}, times[] = {
		{ "0", "0s" }, { "90", "90s" }, { "90s", "90s" }, { "120 s", "2m" }, { "5min", "5m" },
		{ "0.5h", "30m" }, { "36h", "36h" }, { "48h", "2d" }, { "5M", NULL }, { "1w", NULL },
		{ "100000000000", NULL },
	};
	char shown[QUANTITY_SIZE];
	uint64_t value;
	double share;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		int err = quantity_bytes(sizes[i].text, &value);

		CU_ASSERT_EQUAL(err, sizes[i].shown ? 0 : -EINVAL);
		if (err)
			continue;
		quantity_bytes_show(value, shown);
		CU_ASSERT_STRING_EQUAL(shown, sizes[i].shown);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		int err = quantity_seconds(times[i].text, &value);

		CU_ASSERT_EQUAL(err, times[i].shown ? 0 : -EINVAL);
		if (err)
			continue;
		quantity_seconds_show(value, shown);
		CU_ASSERT_STRING_EQUAL(shown, times[i].shown);
	}
	CU_ASSERT(!quantity_share("1.5%", &share) && share > 0.0149 && share < 0.0151);
	CU_ASSERT(!quantity_share("0.005", &share) && share == 0.005);
	CU_ASSERT(quantity_share("101%", &share) == -EINVAL && quantity_share("2", &share) == -EINVAL);
}

/* Both daemons take the same text for the same size. */
static void test_sizes(void)
{
	static const char *const texts[] = { "512M", "512MiB", "0.5GiB", "524288K", "536870912" };
	struct serve_config c;
	struct agent_config a;
	char text[64], err[256];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		serve_config_init(&c);
		CU_ASSERT(!serve_config_set(&c, "limits.unpacked", texts[i], err, sizeof(err)));
		CU_ASSERT_EQUAL(c.unpacked, 512 << 20);
		serve_config_free(&c);
		CU_ASSERT_FATAL(!agent_config_init(&a));
		snprintf(text, sizeof(text), "spool: {limit: %s}", texts[i]);
		CU_ASSERT(!agent_config_text(&a, "f", text, strlen(text), err, sizeof(err)));
		CU_ASSERT_EQUAL(a.spool_limit, 512 << 20);
		agent_config_clear(&a);
	}
	serve_config_init(&c);
	CU_ASSERT_EQUAL(serve_config_set(&c, "limits.body", "1K", err, sizeof(err)), -EINVAL);
	CU_ASSERT_STRING_EQUAL(err, "'limits.body' is a size (KiB, MiB, GiB) from 64KiB to 1GiB, not '1K'");
	serve_config_free(&c);
}

int suite_quantity(void)
{
	static CU_TestInfo tests[] = {
		{ "sizes, times and shares", test_quantities },
		{ "sizes of both daemons", test_sizes },
		CU_TEST_INFO_NULL,
	};

	return suite_register("quantity", tests);
}

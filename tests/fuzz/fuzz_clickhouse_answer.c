/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse_rows.h"

/* Every value of a row is of its column's kind, and texts end. */
static int on_row(void *arg, const struct store_value *v, size_t count)
{
	size_t *columns = arg;

	if (!count || (*columns && count != *columns))
		abort();
	*columns = count;
	for (size_t i = 0; i < count; i++)
		if (v[i].type == STORE_TEXT ? strlen(v[i].text) > CLICKHOUSE_LINE_MAX :
					      v[i].type != STORE_U64 && v[i].type != STORE_F64)
			abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clickhouse_answer a;
	size_t columns = 0, cut = size ? data[0] % size : 0;

	clickhouse_answer_init(&a, on_row, &columns);
	if (!clickhouse_answer_take(&a, (const char *)data, cut) &&
	    !clickhouse_answer_take(&a, (const char *)data + cut, size - cut))
		clickhouse_answer_end(&a);
	clickhouse_answer_free(&a);
	return 0;
}

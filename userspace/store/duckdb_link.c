// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/clean_text.h"
#include "userspace/store/duckdb_link.h"

const struct schema_types duck_types = {
	.names = { [STORE_U64] = "UBIGINT", [STORE_F64] = "DOUBLE", [STORE_TEXT] = "VARCHAR" },
};

static int error_of(int type)
{
	switch (type) {
	case DUCK_ERROR_FATAL:
	case DUCK_ERROR_INTERNAL:
		return -ENOTRECOVERABLE;
	case DUCK_ERROR_IO:
	case DUCK_ERROR_OUT_OF_MEMORY:
	case DUCK_ERROR_TRANSACTION:
	case DUCK_ERROR_INTERRUPT:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

/* Its messages may have several lines. */
static void say(char *err, size_t errlen, const char *message)
{
	snprintf(err, errlen, "DuckDB: %s", message ? message : "no reason given");
	err[strcspn(err, "\n")] = 0;
}

static int failed_result(struct duck_link *l, struct duck_result *result, char *err, size_t errlen)
{
	int ret = error_of(l->api->result_error_type(result));

	say(err, errlen, l->api->result_error(result));
	l->api->destroy_result(result);
	return ret;
}

int duck_run(struct duck_link *l, const char *sql, char *err, size_t errlen)
{
	struct duck_result result = { 0 };

	if (l->api->query(l->connection, sql, &result))
		return failed_result(l, &result, err, errlen);
	l->api->destroy_result(&result);
	return 0;
}

/* Rows of one chunk at a time; texts are copied, to end with a NUL. */
struct reader {
	const struct duck_api *api;
	struct store_value values[SCHEMA_COLUMNS_MAX];
	int types[SCHEMA_COLUMNS_MAX];
	void *data[SCHEMA_COLUMNS_MAX];
	uint64_t *valid[SCHEMA_COLUMNS_MAX];
	char *texts[SCHEMA_COLUMNS_MAX];
	size_t sizes[SCHEMA_COLUMNS_MAX];
	size_t columns;
};

static int read_text(struct reader *r, size_t column, const union duck_string *s)
{
	size_t length = s->within.length;
	const char *text = length <= sizeof(s->within.text) ? s->within.text : s->outside.text;

	if (length >= r->sizes[column]) {
		char *larger = realloc(r->texts[column], 2 * length + 64);

		if (!larger)
			return -ENOMEM;
		r->texts[column] = larger;
		r->sizes[column] = 2 * length + 64;
	}
	memcpy(r->texts[column], text, length);
	r->texts[column][length] = 0;
	r->values[column] = (struct store_value){ STORE_TEXT, { .text = r->texts[column] } };
	return 0;
}

static struct store_value of_signed(int64_t value)
{
	if (value < 0)
		return (struct store_value){ STORE_F64, { .f64 = (double)value } };
	return (struct store_value){ STORE_U64, { .u64 = (uint64_t)value } };
}

/* A sum of u64 is of 128 bits here. */
static struct store_value of_huge(const uint64_t *halves)
{
	if (!halves[1])
		return (struct store_value){ STORE_U64, { .u64 = halves[0] } };
	return (struct store_value){ STORE_F64, { .f64 = (double)(int64_t)halves[1] * 0x1p64 +
						         (double)halves[0] } };
}

static int read_value(struct reader *r, size_t column, uint64_t row)
{
	const void *data = r->data[column];
	struct store_value *v = &r->values[column];
	bool null = r->valid[column] && !(r->valid[column][row / 64] >> row % 64 & 1);

	if (null) {
		static const union duck_string empty;

		*v = (struct store_value){ STORE_U64, { 0 } };
		return r->types[column] == DUCK_VARCHAR ? read_text(r, column, &empty) : 0;
	}
	switch (r->types[column]) {
	case DUCK_VARCHAR:
		return read_text(r, column, (const union duck_string *)data + row);
	case DUCK_DOUBLE:
		*v = (struct store_value){ STORE_F64, { .f64 = ((const double *)data)[row] } };
		return 0;
	case DUCK_FLOAT:
		*v = (struct store_value){ STORE_F64, { .f64 = ((const float *)data)[row] } };
		return 0;
	case DUCK_UBIGINT:
		*v = (struct store_value){ STORE_U64, { .u64 = ((const uint64_t *)data)[row] } };
		return 0;
	case DUCK_HUGEINT:
		*v = of_huge((const uint64_t *)data + 2 * row);
		return 0;
	case DUCK_BIGINT:
		*v = of_signed(((const int64_t *)data)[row]);
		return 0;
	case DUCK_INTEGER:
		*v = of_signed(((const int32_t *)data)[row]);
		return 0;
	case DUCK_UINTEGER:
		*v = (struct store_value){ STORE_U64, { .u64 = ((const uint32_t *)data)[row] } };
		return 0;
	case DUCK_BOOLEAN:
	case DUCK_UTINYINT:
		*v = (struct store_value){ STORE_U64, { .u64 = ((const uint8_t *)data)[row] } };
		return 0;
	default:
		return -ENOTSUP;
	}
}

static int read_chunk(struct reader *r, void *chunk, store_row_fn row, void *arg)
{
	uint64_t rows = r->api->data_chunk_get_size(chunk);
	int ret = 0;

	for (size_t c = 0; c < r->columns; c++) {
		void *vector = r->api->data_chunk_get_vector(chunk, c);

		r->data[c] = r->api->vector_get_data(vector);
		r->valid[c] = r->api->vector_get_validity(vector);
	}
	for (uint64_t i = 0; !ret && i < rows; i++) {
		for (size_t c = 0; !ret && c < r->columns; c++)
			ret = read_value(r, c, i);
		if (!ret)
			ret = row(arg, r->values, r->columns);
	}
	return ret;
}

static int read_result(struct reader *r, struct duck_result *result, store_row_fn row, void *arg)
{
	int ret = 0;

	r->columns = r->api->column_count(result);
	if (r->columns > SCHEMA_COLUMNS_MAX)
		return -E2BIG;
	for (size_t c = 0; c < r->columns; c++)
		r->types[c] = r->api->column_type(result, c);
	while (!ret) {
		void *chunk = r->api->fetch_chunk(*result);

		if (!chunk)
			break;
		ret = read_chunk(r, chunk, row, arg);
		r->api->destroy_data_chunk(&chunk);
	}
	return ret;
}

int duck_select(struct duck_link *l, const char *sql, store_row_fn row, void *arg, char *err,
		size_t errlen)
{
	struct duck_result result = { 0 };
	struct reader reader = { .api = l->api };
	int ret;

	if (l->api->query(l->connection, sql, &result))
		return failed_result(l, &result, err, errlen);
	ret = read_result(&reader, &result, row, arg);
	if (ret == -ENOTSUP)
		snprintf(err, errlen, "DuckDB: an answer of a type that is none of the dialect's");
	l->api->destroy_result(&result);
	for (size_t c = 0; c < SCHEMA_COLUMNS_MAX; c++)
		free(reader.texts[c]);
	return ret;
}

static int take_number(void *arg, const struct store_value *values, size_t count)
{
	*(uint64_t *)arg = values->type == STORE_U64 ? values->u64 :
			   values->type == STORE_F64 ? (uint64_t)values->f64 : 0;
	return 0;
}

int duck_number(struct duck_link *l, const char *sql, uint64_t *ret, char *err, size_t errlen)
{
	uint64_t value = 0;
	int failed = duck_select(l, sql, take_number, &value, err, errlen);

	if (!failed)
		*ret = value;
	return failed;
}

static int failed_appender(struct duck_appender *a, char *err, size_t errlen)
{
	const struct duck_api *api = a->link->api;
	void *data = api->appender_error_data(a->appender);
	int ret = error_of(api->error_data_error_type(data));

	say(err, errlen, api->error_data_message(data));
	api->destroy_error_data(&data);
	return ret;
}

static void find_vectors(struct duck_appender *a)
{
	for (size_t c = 0; c < a->columns; c++) {
		a->vectors[c] = a->link->api->data_chunk_get_vector(a->chunk, c);
		a->data[c] = a->link->api->vector_get_data(a->vectors[c]);
	}
	a->rows = 0;
}

static void *make_chunk(const struct duck_api *api, const struct schema_column *columns,
			size_t count)
{
	static const int types_of[] = { [STORE_U64] = DUCK_UBIGINT, [STORE_F64] = DUCK_DOUBLE,
					[STORE_TEXT] = DUCK_VARCHAR };
	void *types[SCHEMA_COLUMNS_MAX], *chunk;

	for (size_t c = 0; c < count; c++)
		types[c] = api->create_logical_type(types_of[columns[c].type]);
	chunk = api->create_data_chunk(types, count);
	for (size_t c = 0; c < count; c++)
		api->destroy_logical_type(&types[c]);
	return chunk;
}

int duck_appender_open(struct duck_appender *a, struct duck_link *l, const char *table,
		       const struct schema_column *columns, size_t count, char *err, size_t errlen)
{
	*a = (struct duck_appender){ .link = l, .table = table, .columns = count };
	if (l->api->appender_create(l->connection, NULL, table, &a->appender)) {
		int ret = failed_appender(a, err, errlen);

		duck_appender_drop(a);
		return ret;
	}
	for (size_t c = 0; c < count; c++)
		a->types[c] = columns[c].type;
	a->capacity = l->api->vector_size();
	a->chunk = make_chunk(l->api, columns, count);
	find_vectors(a);
	return 0;
}

static int append_chunk(struct duck_appender *a, char *err, size_t errlen)
{
	const struct duck_api *api = a->link->api;

	if (!a->rows)
		return 0;
	api->data_chunk_set_size(a->chunk, a->rows);
	if (api->append_data_chunk(a->appender, a->chunk))
		return failed_appender(a, err, errlen);
	api->data_chunk_reset(a->chunk);
	find_vectors(a);
	return 0;
}

/* What is no UTF-8 would be refused, and the whole group with it. */
static void set_text(struct duck_appender *a, size_t column, const char *text)
{
	char clean[BATCH_TEXT_MAX + 1];

	snprintf(clean, sizeof(clean), "%s", text);
	clean_text(clean);
	a->link->api->vector_assign_string_element_len(a->vectors[column], a->rows, clean,
						       strlen(clean));
}

int duck_appender_row(struct duck_appender *a, const struct store_value *values, char *err,
		      size_t errlen)
{
	for (size_t c = 0; c < a->columns; c++) {
		if (a->types[c] == STORE_U64)
			((uint64_t *)a->data[c])[a->rows] = values[c].u64;
		else if (a->types[c] == STORE_F64)
			((double *)a->data[c])[a->rows] = values[c].f64;
		else
			set_text(a, c, values[c].text);
	}
	a->rows++;
	return a->rows == a->capacity ? append_chunk(a, err, errlen) : 0;
}

int duck_appender_finish(struct duck_appender *a, char *err, size_t errlen)
{
	int ret = 0;

	if (!a->link)
		return 0;
	ret = append_chunk(a, err, errlen);
	if (!ret && a->link->api->appender_close(a->appender))
		ret = failed_appender(a, err, errlen);
	duck_appender_drop(a);
	return ret;
}

void duck_appender_drop(struct duck_appender *a)
{
	if (!a->link)
		return;
	if (a->chunk)
		a->link->api->destroy_data_chunk(&a->chunk);
	if (a->appender)
		a->link->api->appender_destroy(&a->appender);
	a->link = NULL;
}

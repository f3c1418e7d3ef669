/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DuckDB's library, found when it is first wanted: no distribution of ours packages it, and
 * who keeps no store of their own needs none.
 *
 * Its C API is stable by promise; what is declared here is of duckdb.h as of 1.4 and 1.5
 * (src/include/duckdb.h). Handles are pointers to what only the library knows, a state is 0
 * or 1 (an error), an idx_t is 64 bits.
 */
#ifndef PYCOST_DUCKDB_API_H
#define PYCOST_DUCKDB_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* enum DUCKDB_TYPE: those that the dialect's answers are made of. */
enum {
	DUCK_BOOLEAN = 1,
	DUCK_TINYINT,
	DUCK_SMALLINT,
	DUCK_INTEGER,
	DUCK_BIGINT,
	DUCK_UTINYINT,
	DUCK_USMALLINT,
	DUCK_UINTEGER,
	DUCK_UBIGINT,
	DUCK_FLOAT,
	DUCK_DOUBLE,
	DUCK_HUGEINT = 16,
	DUCK_VARCHAR = 17,
};

/* duckdb_error_type: those that are told apart. */
enum {
	DUCK_ERROR_TRANSACTION = 10,
	DUCK_ERROR_IO = 28,
	DUCK_ERROR_INTERRUPT = 29,
	DUCK_ERROR_FATAL = 30,
	DUCK_ERROR_INTERNAL = 31,
	DUCK_ERROR_OUT_OF_MEMORY = 33,
};

/* duckdb_result: passed by value to fetch_chunk(), all else of it is the library's. */
struct duck_result {
	uint64_t unused[3];
	void *columns;
	char *message;
	void *internal;
};

/* duckdb_string_t: up to 12 bytes are within it. */
union duck_string {
	struct {
		uint32_t length;
		char text[12];
	} within;
	struct {
		uint32_t length;
		char prefix[4];
		const char *text;
	} outside;
};
_Static_assert(sizeof(union duck_string) == 16, "not as in duckdb.h");

#define DUCK_FUNCTIONS(F) \
	F(const char *, library_version, (void)) \
	F(int, create_config, (void **config)) \
	F(int, set_config, (void *config, const char *name, const char *value)) \
	F(void, destroy_config, (void **config)) \
	F(int, open_ext, (const char *path, void **db, void *config, char **error)) \
	F(void, close, (void **db)) \
	F(void, free, (void *memory)) \
	F(int, connect, (void *db, void **connection)) \
	F(void, disconnect, (void **connection)) \
	F(int, query, (void *connection, const char *sql, struct duck_result *ret)) \
	F(void, interrupt, (void *connection)) \
	F(void, destroy_result, (struct duck_result *result)) \
	F(const char *, result_error, (struct duck_result *result)) \
	F(int, result_error_type, (struct duck_result *result)) \
	F(uint64_t, column_count, (struct duck_result *result)) \
	F(int, column_type, (struct duck_result *result, uint64_t column)) \
	F(void *, fetch_chunk, (struct duck_result result)) \
	F(void *, create_logical_type, (int type)) \
	F(void, destroy_logical_type, (void **type)) \
	F(void *, create_data_chunk, (void **types, uint64_t columns)) \
	F(void, destroy_data_chunk, (void **chunk)) \
	F(void, data_chunk_reset, (void *chunk)) \
	F(uint64_t, data_chunk_get_size, (void *chunk)) \
	F(void, data_chunk_set_size, (void *chunk, uint64_t size)) \
	F(void *, data_chunk_get_vector, (void *chunk, uint64_t column)) \
	F(uint64_t, vector_size, (void)) \
	F(void *, vector_get_data, (void *vector)) \
	F(uint64_t *, vector_get_validity, (void *vector)) \
	F(void, vector_assign_string_element_len, \
	  (void *vector, uint64_t index, const char *text, uint64_t length)) \
	F(int, appender_create, \
	  (void *connection, const char *schema, const char *table, void **appender)) \
	F(int, append_data_chunk, (void *appender, void *chunk)) \
	F(int, appender_close, (void *appender)) \
	F(int, appender_destroy, (void **appender)) \
	F(void *, appender_error_data, (void *appender)) \
	F(int, error_data_error_type, (void *error)) \
	F(const char *, error_data_message, (void *error)) \
	F(void, destroy_error_data, (void **error))

struct duck_api {
#define FIELD(type, name, arguments) type(*name) arguments;
	DUCK_FUNCTIONS(FIELD)
#undef FIELD
};

/*
 * Looked for as $PYCOST_DUCKDB (the library or its directory; nothing else then),
 * in /usr/local/lib/pycost, /usr/lib/pycost, and where the loader looks. It stays loaded.
 * -ENOENT: there is none; -ENOEXEC: it is not what it should be.
 */
int duck_api_load(const struct duck_api **ret, char *err, size_t errlen);

#endif

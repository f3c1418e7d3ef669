/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/line_number.h"

#include <errno.h>
#include <stdbool.h>

#define NO_LINE_310 -128

/* A foreign table's lines must stay what CPython's int can hold. */
static int64_t checked(int64_t line)
{
	return line < 0 || line > INT32_MAX ? -EINVAL : line;
}

static int64_t in_pairs(int64_t line, const uint8_t *table, size_t size, bool cut, uint32_t instr)
{
	uint64_t address = 0;

	for (size_t i = 0; i + 1 < size; i += 2) {
		address += table[i];
		if (address > instr)
			return checked(line);
		line += (int8_t)table[i + 1];
	}
	return cut ? -ENODATA : checked(line);
}

static int64_t in_ranges(int64_t line, const uint8_t *table, size_t size, bool cut, uint32_t instr)
{
	uint64_t end = 0;

	for (size_t i = 0; i + 1 < size; i += 2) {
		int8_t delta = table[i + 1];

		end += table[i];
		if (delta != NO_LINE_310)
			line += delta;
		if (end > instr)
			return delta == NO_LINE_310 ? 0 : checked(line);
	}
	return cut ? -ENODATA : -EINVAL;
}

/* Six bits a byte, the lowest first; bit 6 says that more follow. */
static bool varint(const uint8_t *table, size_t end, size_t at, uint32_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; at < end && shift < 32; shift += 6, at++) {
		value |= (uint64_t)(table[at] & 0x3f) << shift;
		if (!(table[at] & 0x40)) {
			*ret = value;
			return value <= UINT32_MAX;
		}
	}
	return false;
}

enum { FORM_ONE_LINE = 10, FORM_NO_COLUMNS = 13, FORM_LONG = 14, FORM_NONE = 15 };

/* How many lines the entry at `at`, which ends before `end`, goes on. */
static bool entry_delta(const uint8_t *table, size_t at, size_t end, int64_t *ret)
{
	unsigned form = table[at] >> 3 & 15;
	uint32_t value;

	if (form == FORM_NO_COLUMNS || form == FORM_LONG) {
		if (!varint(table, end, at + 1, &value))
			return false;
		*ret = value & 1 ? -(int64_t)(value >> 1) : value >> 1;
	} else {
		*ret = form >= FORM_ONE_LINE && form < FORM_NO_COLUMNS ? form - FORM_ONE_LINE : 0;
	}
	return true;
}

static int64_t in_entries(int64_t line, const uint8_t *table, size_t size, bool cut, uint32_t instr)
{
	uint64_t address = 0;

	if (size && !(table[0] & 0x80))
		return -EINVAL;
	for (size_t i = 0, next; i < size; i = next) {
		int64_t delta;

		for (next = i + 1; next < size && !(table[next] & 0x80);)
			next++;
		if (next == size && cut)
			return -ENODATA;
		if (!entry_delta(table, i, next, &delta))
			return -EINVAL;
		line += delta;
		address += ((table[i] & 7) + 1) * 2;
		if (address > instr)
			return (table[i] >> 3 & 15) == FORM_NONE ? 0 : checked(line);
	}
	return cut ? -ENODATA : -EINVAL;
}

int64_t line_number(int minor, uint32_t firstlineno, const uint8_t *table, size_t size,
		    size_t whole, uint32_t instr)
{
	bool cut = size < whole;

	if (minor <= 9)
		return in_pairs(firstlineno, table, size, cut, instr);
	if (minor == 10)
		return in_ranges(firstlineno, table, size, cut, instr);
	return in_entries(firstlineno, table, size, cut, instr);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MOST 1e16
#define SECONDS_MOST 1e8

/* The larger come later, and of equal ones that which is shown. */
struct unit {
	const char *name;
	double factor;
};
static const struct unit sizes[] = {
	{ "B", 1 }, { "", 1 }, { "kB", 1e3 }, { "K", 1 << 10 }, { "KiB", 1 << 10 }, { "MB", 1e6 },
	{ "M", 1 << 20 }, { "MiB", 1 << 20 }, { "GB", 1e9 }, { "G", 1 << 30 }, { "GiB", 1 << 30 }, { 0 },
};
static const struct unit times[] = {
	{ "", 1 }, { "s", 1 }, { "min", 60 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { 0 },
};
static const struct unit shares[] = { { "", 1 }, { "%", 0.01 }, { 0 } };

static int scaled(const char *text, const struct unit *units, double most, double *ret)
{
	char *end;
	double value;

	/* Neither signs nor hexadecimal digits, nor words for what is no number. */
	if (*text < '0' || *text > '9' || text[1] == 'x' || text[1] == 'X')
		return -EINVAL;
	value = strtod(text, &end);
	end += strspn(end, " ");
	for (; units->name; units++)
		if (!strcmp(units->name, end)) {
			*ret = value * units->factor;
			return *ret <= most ? 0 : -EINVAL;
		}
	return -EINVAL;
}

static int whole(const char *text, const struct unit *units, double most, uint64_t *ret)
{
	double value;
	int err = scaled(text, units, most, &value);

	if (!err)
		*ret = value;
	return err;
}

int quantity_bytes(const char *text, uint64_t *ret)
{
	return whole(text, sizes, BYTES_MOST, ret);
}

int quantity_seconds(const char *text, uint64_t *ret)
{
	return whole(text, times, SECONDS_MOST, ret);
}

int quantity_share(const char *text, double *ret)
{
	return scaled(text, shares, 1, ret);
}

static void show(uint64_t value, const struct unit *units, char ret[QUANTITY_SIZE])
{
	const struct unit *best = units;

	for (; units->name; units++)
		if (units->factor == best->factor || (value && value % (uint64_t)units->factor == 0))
			best = units;
	snprintf(ret, QUANTITY_SIZE, "%" PRIu64 "%s", value / (uint64_t)best->factor, best->name);
}

void quantity_bytes_show(uint64_t bytes, char ret[QUANTITY_SIZE])
{
	show(bytes, sizes, ret);
}

void quantity_seconds_show(uint64_t seconds, char ret[QUANTITY_SIZE])
{
	show(seconds, times, ret);
}

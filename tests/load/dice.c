// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/load/load.h"

/* splitmix64: any seed will do. */
uint64_t dice_roll(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t dice_between(struct dice *d, uint64_t low, uint64_t high)
{
	return high > low ? low + dice_roll(d) % (high - low + 1) : low;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/counter_share.h"

#include <stdio.h>

#define MILLION 1000000

double counter_share(const uint64_t losses[LOSS_MAX])
{
	uint64_t missing = losses[LOSS_MULTIPLEXED];

	return missing < MILLION ? (double)(MILLION - missing) / MILLION : 0;
}

/* Neither 0 nor 100 by rounding. */
static void percent_text(double percent, char *ret, size_t size)
{
	if (percent > 99.9)
		snprintf(ret, size, "over 99.9");
	else if (percent < 0.1)
		snprintf(ret, size, "under 0.1");
	else
		snprintf(ret, size, "%.1f", percent);
}

bool counter_share_text(const uint64_t losses[LOSS_MAX], char *ret, size_t size)
{
	double share = counter_share(losses);
	char percent[16];

	if (size)
		*ret = 0;
	if (share == 1)
		return false;
	percent_text(100 * share, percent, sizeof(percent));
	if (share)
		snprintf(ret, size, "counter on the PMU %s %% of the time: costs are parts only, not scaled",
			 percent);
	else
		snprintf(ret, size, "counter never on the PMU: nothing was counted");
	return true;
}

const char *counter_share_notice(void)
{
	return "others use the hardware counters too, and ours is off the PMU for a part of the "
	       "time: costs are parts only";
}

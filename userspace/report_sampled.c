/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a recording was sampled, and what else its samples were in the midst of. */
#include <errno.h>
#include <stdlib.h>

#include "userspace/estimate.h"
#include "userspace/places.h"
#include "userspace/saturate.h"

static void print_share(const char *before, const char *what, uint64_t samples, uint64_t all,
			FILE *out)
{
	fprintf(out, "%s%s %.1f \xc2\xb1 %.1f %%", before, what, estimate_percent(samples, all),
		estimate_percent_error(samples, all));
}

static int print_states(const struct report *r, FILE *out)
{
	uint64_t states[SAMPLE_STATES] = { 0 }, in_kernel = 0, all = report_samples(r);
	struct places places;
	int err = places_compute(r, PLACE_STATE, false, &places);

	if (err)
		return err;
	for (size_t i = 0; i < places.count; i++) {
		states[places.v[i].place] = places.v[i].samples;
		in_kernel = saturating_add(in_kernel, places.v[i].in_kernel);
	}
	free(places.v);
	print_share("states:      ", "collecting garbage", states[SAMPLE_GC], all, out);
	print_share(", ", "importing", states[SAMPLE_IMPORT], all, out);
	print_share(", ", "waiting for the GIL", states[SAMPLE_GIL], all, out);
	if (!r->profile->meta.user_only || in_kernel)
		print_share("; ", "in the kernel", in_kernel, all, out);
	fputc('\n', out);
	return 0;
}

int report_print_sampling(const struct report *r, FILE *out)
{
	char count[ESTIMATE_COUNT_SIZE], period[96];

	if (!report_is_sampled(r))
		return 0;
	estimate_count_text(count, report_samples(r));
	estimate_period_text(period, sizeof(period), &r->profile->meta);
	fprintf(out, "sampled:     %s, %s samples; estimates \xc2\xb1 one standard error\n", period,
		count);
	return report_samples(r) ? print_states(r, out) : 0;
}

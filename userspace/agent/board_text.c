/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's numbers as OpenMetrics 1.0 text. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "userspace/agent/board.h"

struct metric_text {
	const char *name, *type, *help;
	double value;
};

static void metric_print(FILE *out, const struct metric_text *m)
{
	bool counter = m->type[0] == 'c';

	fprintf(out, "# TYPE pycost_agent_%s %s\n# HELP pycost_agent_%s %s\n", m->name, m->type, m->name,
		m->help);
	fprintf(out, "pycost_agent_%s%s %.15g\n", m->name, counter ? "_total" : "", m->value);
}

static void all_print(FILE *out, const struct metric_text *m, size_t count)
{
	for (size_t i = 0; i < count; i++)
		metric_print(out, &m[i]);
}

#define PRINT(out, metrics) all_print(out, metrics, sizeof(metrics) / sizeof(*(metrics)))

static void measuring_print(FILE *out, const struct board_numbers *n)
{
	const struct metric_text metrics[] = {
		{"measuring", "gauge", "Whether a session is open", n->measuring},
		{"exact", "gauge", "Whether it is this host's turn of exact costs", n->exact},
		{"processes_chosen", "gauge", "Processes that rules have chosen", n->roster.chosen},
		{"processes_attached", "gauge", "Of these, measured", n->roster.attached},
		{"processes_refused", "gauge", "Of these, Python that cannot be measured",
		 n->roster.refused},
		{"processes_beyond", "counter", "Processes left alone as there were too many",
		 n->roster.beyond},
		{"requests", "counter", "Requests seen", n->requests},
		{"samples", "counter", "Samples taken", n->samples},
		{"calls", "counter", "Calls measured exactly", n->calls},
		{"call_paths", "gauge", "Call paths in the session", n->paths},
		{"sessions", "counter", "Sessions opened", n->sessions},
		{"sessions_failed", "counter", "Sessions that could not be opened", n->failed_sessions},
		{"exact_turns", "counter", "Sessions of exact costs", n->exact_turns},
		{"unwatched_seconds", "counter", "Time without a session, or until all was attached",
		 n->unwatched_s},
		{"batches", "counter", "Batches made", n->batches},
		{"names", "counter", "Definitions of names put into batches", n->names},
		{"reloads", "counter", "Configurations taken by SIGHUP", n->reloads},
		{"reloads_failed", "counter", "Configurations refused", n->failed_reloads},
	};

	PRINT(out, metrics);
}

static void budget_print(FILE *out, const struct board_numbers *n)
{
	const struct metric_text metrics[] = {
		{"cpu_share", "gauge", "Of one CPU, taken by the agent itself", n->shares.own},
		{"programs_cpu_share", "gauge", "Of one CPU, taken by its programs in the kernel",
		 n->shares.programs},
		{"programs_timed", "gauge", "Whether the kernel tells the programs' time",
		 !n->no_program_times},
		{"host_share", "gauge", "Both, of all CPUs", n->shares.host},
		{"host_share_limit", "gauge", "What it may be", n->budget_host},
		{"targets_share", "gauge", "The programs', of the targets' CPU time", n->shares.targets},
		{"targets_share_limit", "gauge", "What it may be", n->budget_targets},
		{"budget_level", "gauge", "Steps that measuring is down from all that is configured",
		 n->level},
		{"budget_exceeded", "counter", "Looks that found a budget exceeded", n->exceeded},
		{"budget_steps_down", "counter", "Steps down", n->downs},
		{"budget_steps_up", "counter", "Steps up", n->ups},
	};

	PRINT(out, metrics);
}

static void spool_print(FILE *out, const struct spool_status *s)
{
	const struct metric_text metrics[] = {
		{"spool_batches", "gauge", "Batches that wait", s->batches},
		{"spool_bytes", "gauge", "Their bytes", s->bytes},
		{"spool_memory_batches", "gauge", "Of these, in memory as the disk takes none",
		 s->memory_batches},
		{"spool_memory_bytes", "gauge", "Their bytes", s->memory_bytes},
		{"spool_oldest_seconds", "gauge", "Unix time of the oldest one's minute; 0: none waits",
		 s->oldest_begin_s},
		{"spool_put", "counter", "Batches that came into the spool, over restarts", s->put},
		{"spool_sent", "counter", "Batches that the collector has", s->sent},
		{"spool_dropped", "counter", "Batches that had to go for newer ones", s->dropped},
		{"spool_dropped_bytes", "counter", "Their bytes", s->dropped_bytes},
		{"spool_poison", "counter", "Batches that the collector refuses, set aside", s->poison},
		{"spool_expired", "counter", "Batches that came too late for the collector", s->expired},
		{"spool_damaged", "counter", "Batches that could not be read any more", s->damaged},
		{"spool_files_set_aside", "counter", "Damaged files", s->set_aside},
		{"spool_disk_errors", "counter", "Times that the disk took nothing", s->disk_errors},
		{"spool_names", "gauge", "Names that the collector has", s->names},
	};

	PRINT(out, metrics);
}

static void sender_print(FILE *out, const struct sender_status *s)
{
	const struct metric_text metrics[] = {
		{"send_attempts", "counter", "Attempts to send a batch", s->attempts},
		{"send_failures", "counter", "Of these, in vain for now", s->failures},
		{"send_refusals", "counter", "Of these, for want of a right: 401 and 403", s->refusals},
		{"send_bytes", "counter", "Bytes sent", s->bytes},
		{"send_duplicates", "counter", "Batches that the collector had already", s->late},
		{"last_sent_seconds", "gauge", "Unix time of the last success", s->last_sent_s},
	};

	PRINT(out, metrics);
}

static double resident_bytes(void)
{
	unsigned long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%lu %lu", &pages, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	return (double)resident * sysconf(_SC_PAGESIZE);
}

static double descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = -3; /* itself, and the directories */

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void process_print(FILE *out)
{
	const struct metric_text metrics[] = {
		{"resident_bytes", "gauge", "Memory of the agent", resident_bytes()},
		{"open_descriptors", "gauge", "Its open files", descriptors()},
	};

	PRINT(out, metrics);
	fprintf(out, "# TYPE pycost_agent_build info\n# HELP pycost_agent_build Which pycost\n"
		     "pycost_agent_build_info{version=\"%s\"} 1\n", PYCOST_VERSION);
}

static void losses_print(FILE *out, const struct board_numbers *n)
{
	fprintf(out, "# TYPE pycost_agent_losses counter\n"
		     "# HELP pycost_agent_losses What was not seen or not kept, by kind\n");
	for (int i = 1; i < LOSS_MAX; i++)
		if (loss_name(i))
			fprintf(out, "pycost_agent_losses_total{kind=\"%s\"} %" PRIu64 "\n", loss_name(i),
				n->losses[i]);
}

char *board_metrics(const struct board_numbers *n, const struct spool_status *spool,
		    const struct sender_status *sender, size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);

	if (!out)
		return NULL;
	measuring_print(out, n);
	losses_print(out, n);
	budget_print(out, n);
	spool_print(out, spool);
	sender_print(out, sender);
	process_print(out);
	fputs("# EOF\n", out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

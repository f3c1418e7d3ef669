/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <string.h>

#include "userspace/sink.h"

static const char *const loss_names[LOSS_MAX] = {
	[LOSS_NODES] = "nodes",
	[LOSS_DEPTH] = "depth",
	[LOSS_THREADS] = "threads",
	[LOSS_NAMES] = "names",
	[LOSS_MEMORY] = "memory",
	[LOSS_RESYNC_TRUNCATED] = "resync_truncated",
	[LOSS_LATE_ATTACH] = "late_attach",
	[LOSS_CLAMPED] = "clamped",
	[LOSS_MULTIPLEXED] = "multiplexed",
	[LOSS_PROBES_MISSED] = "probes_missed",
	[LOSS_PROCESSES] = "processes",
	[LOSS_SLICES] = "slices",
	[LOSS_EVENTS] = "events",
	[LOSS_UNCOUNTED] = "uncounted",
	[LOSS_SAMPLES] = "samples",
	[LOSS_THROTTLED] = "throttled",
	[LOSS_UNWALKED] = "unwalked",
	[LOSS_DEEP] = "deep",
	[LOSS_LINES] = "lines",
	[LOSS_NATIVES] = "natives",
	[LOSS_REQUESTS] = "requests",
	[LOSS_CONNECTIONS] = "connections",
	[LOSS_CLASSES] = "classes",
	[LOSS_SERVERS] = "servers",
	[LOSS_GARBLED] = "garbled",
	[LOSS_TAGS] = "tags",
	[LOSS_MARKS] = "marks",
	[LOSS_CUT] = "cut",
};

const char *loss_name(enum loss loss)
{
	return (unsigned int)loss < LOSS_MAX ? loss_names[loss] : NULL;
}

const char *sample_state_name(enum sample_state state)
{
	static const char *const names[SAMPLE_STATES] = {
		[SAMPLE_RUNS] = "runs",
		[SAMPLE_GC] = "gc",
		[SAMPLE_IMPORT] = "import",
		[SAMPLE_GIL] = "gil",
	};

	return (unsigned int)state < SAMPLE_STATES ? names[state] : NULL;
}

const char *endpoint_source_name(enum endpoint_source source)
{
	static const char *const names[] = {
		[0] = "none",
		[ENDPOINT_PATTERN] = "pattern",
		[ENDPOINT_HEURISTIC] = "heuristic",
		[ENDPOINT_MARK] = "mark",
		[ENDPOINT_OTHER] = "other",
	};

	return source <= ENDPOINT_OTHER ? names[source] : names[0];
}

const char *request_measure_name(enum request_measure m)
{
	static const char *const names[REQUEST_MEASURES] = {
		[REQUEST_COST] = "cost",
		[REQUEST_KERNEL_COST] = "kernel_cost",
		[REQUEST_LATENCY] = "latency",
		[REQUEST_CPU] = "cpu",
		[REQUEST_RUN_QUEUE] = "run_queue",
		[REQUEST_SYSCALL] = "syscall",
		[REQUEST_GIL] = "gil",
		[REQUEST_GC] = "gc",
		[REQUEST_GCS] = "gcs",
		[REQUEST_GC_COST] = "gc_cost",
		[REQUEST_IMPORT] = "import",
		[REQUEST_IMPORTS] = "imports",
		[REQUEST_IMPORT_COST] = "import_cost",
		[REQUEST_RSS] = "rss",
		[REQUEST_BYTES_IN] = "bytes_in",
		[REQUEST_BYTES_OUT] = "bytes_out",
		[REQUEST_THREADS] = "threads",
		[REQUEST_HEAD] = "head",
		[REQUEST_PROBED_CALLS] = "probed_calls",
	};

	return (unsigned int)m < REQUEST_MEASURES ? names[m] : NULL;
}

enum metric metric_by_name(const char *name)
{
	static const char *const names[] = {
		[METRIC_INSTRUCTIONS] = "instructions",
		[METRIC_CYCLES] = "cycles",
		[METRIC_TASK_CLOCK] = "task-clock",
	};

	for (int m = METRIC_INSTRUCTIONS; m <= METRIC_TASK_CLOCK; m++)
		if (!strcmp(name, names[m]))
			return m;
	return 0;
}

const char *metric_name(enum metric m)
{
	switch (m) {
	case METRIC_INSTRUCTIONS:
		return "instructions:u";
	case METRIC_CYCLES:
		return "cycles:u";
	case METRIC_TASK_CLOCK:
		return "task-clock";
	}
	return "unknown";
}

const char *metric_kernel_name(enum metric m)
{
	return m == METRIC_CYCLES ? "cycles:k" : "instructions:k";
}

const char *metric_unit(enum metric m)
{
	switch (m) {
	case METRIC_INSTRUCTIONS:
		return "instructions";
	case METRIC_CYCLES:
		return "cycles";
	case METRIC_TASK_CLOCK:
		return "ns";
	}
	return "units";
}

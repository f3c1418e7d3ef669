// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tells of each request that processes serve, one JSON object a line, straight from the
 * kernel's ring: what the programs say, with nothing of the program's own behind it.
 *
 *	served [-m|-a] SECONDS PID...	ends early at SIGINT; "measuring" on standard error first
 *
 * -m: and of their imports and collections; -a: and what audit events mark.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "symbolizer/interpreter.h"
#include "tests/rig/served_marks.h"
#include "userspace/counter.h"
#include "userspace/request_config.h"
#include "userspace/serving.h"

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = 1;
}

/* Bytes as they are, but for what JSON does not take. */
static void print_text(const char *name, const char *text, unsigned length)
{
	printf("\"%s\":\"", name);
	for (unsigned i = 0; i < length; i++) {
		unsigned char c = text[i];

		if (c < ' ' || c == '"' || c == '\\' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	printf("\",");
}

#define PRINT(name, value) printf("\"%s\":%lld,", name, (long long)(value))

static void print_request(const struct wire_request *r)
{
	static const char *const names[WIRE_BACKENDS] = {"calls0", "calls1", "calls2", "calls3",
							 "calls4", "calls5", "calls6", "calls7"};
	static const char *const times[WIRE_BACKENDS] = {"ns0", "ns1", "ns2", "ns3",
							 "ns4", "ns5", "ns6", "ns7"};

	printf("{\"kind\":\"request\",");
	print_text("method", r->method, r->method_length);
	print_text("path", r->path, r->path_length);
	print_text("route", r->route, r->route_length);
	if (r->field_lengths[0] != WIRE_FIELD_ABSENT)
		print_text("name", r->fields[0], r->field_lengths[0]);
	PRINT("pid", r->head.tgid);
	PRINT("tid", r->tid);
	PRINT("threads", r->threads);
	PRINT("status", r->status);
	PRINT("flags", r->flags);
	PRINT("protocol", r->protocol);
	PRINT("begin", r->begin);
	PRINT("latency", r->latency);
	PRINT("head_ns", r->head_ns);
	PRINT("cost", r->cost);
	PRINT("cpu_ns", r->cpu_ns);
	PRINT("run_queue_ns", r->run_queue_ns);
	PRINT("syscall_ns", r->syscall_ns);
	PRINT("gil_ns", r->gil_ns);
	PRINT("rss", r->rss);
	PRINT("bytes_in", r->bytes_in);
	PRINT("bytes_out", r->bytes_out);
	for (int i = 0; i < WIRE_BACKENDS; i++) {
		if (!r->backends[i].calls)
			continue;
		PRINT(names[i], r->backends[i].calls);
		PRINT(times[i], r->backends[i].ns);
	}
	PRINT("gcs", r->gcs);
	PRINT("gc_ns", r->gc_ns);
	PRINT("gc_cost", r->gc_cost);
	PRINT("imports", r->imports);
	PRINT("import_ns", r->import_ns);
	PRINT("import_cost", r->import_cost);
	print_text("marks", r->marks, r->marks_length);
	printf("\"class\":\"%016llx\"}\n", (unsigned long long)r->class_id);
}

static void print_life(const struct wire_event_life *e)
{
	printf("{\"kind\":\"%s\",", e->head.kind == WIRE_EVENT_BORN ? "born" : "died");
	PRINT("pid", e->head.tgid);
	PRINT("parent", e->parent);
	PRINT("exit_code", e->exit_code);
	PRINT("rss", e->rss);
	PRINT("peak_rss", e->peak_rss);
	PRINT("cost", e->served.cost);
	printf("\"cpu_ns\":%llu}\n", (unsigned long long)e->served.cpu_ns);
}

static int on_event(void *arg, void *data, size_t size)
{
	const struct wire_event *e = data;
	struct wire_request r = {0};

	if (e->kind == WIRE_EVENT_REQUEST) {
		memcpy(&r, data, size < sizeof(r) ? size : sizeof(r));
		print_request(&r);
	} else if (e->kind == WIRE_EVENT_BORN || e->kind == WIRE_EVENT_DIED) {
		print_life(data);
	}
	return 0;
}

static void follow(struct serving *s, pid_t pid)
{
	struct interpreter in = {0};
	int err = interpreter_find(pid, &in);

	err = serving_follow(s, pid, err ? NULL : &in);
	if (err)
		fprintf(stderr, "%d: %s\n", pid, strerror(-err));
	interpreter_clear(&in);
}

static void print_end(struct serving *s, char **pids)
{
	uint64_t losses[WIRE_LOSS_MAX];
	struct wire_served p;

	for (; *pids; pids++) {
		if (serving_totals(s, atoi(*pids), &p))
			continue;
		printf("{\"kind\":\"total\",");
		PRINT("pid", atoi(*pids));
		PRINT("cost", p.cost);
		PRINT("flags", p.flags);
		printf("\"cpu_ns\":%llu}\n", (unsigned long long)p.cpu_ns);
	}
	serving_losses(s, losses);
	printf("{\"kind\":\"losses\"");
	for (int i = 0; i < WIRE_LOSS_MAX; i++)
		if (losses[i])
			printf(",\"%d\":%llu", i, (unsigned long long)losses[i]);
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct serving_options o = {0};
	struct request_config config;
	struct ring_buffer *ring;
	struct counter *counter;
	struct serving *s;
	char text[512] = "";
	char marks = 0;
	time_t end;

	if (argc > 1 && *argv[1] == '-') {
		marks = argv[1][1];
		argv++;
		argc--;
	}
	if (argc < 3)
		return 2;
	signal(SIGINT, on_signal);
	if (counter_open(METRIC_TASK_CLOCK, &counter))
		return 1;
	o.counter = counter;
	if (request_config_init(&config) ||
	    request_config_field(&config, "header:x-request-id", text, sizeof(text)) ||
	    request_config_finish(&config, text, sizeof(text))) {
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	o.config = &config;
	if (serving_open(&o, &s, text, sizeof(text))) {
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	for (int i = 2; i < argc; i++)
		follow(s, atoi(argv[i]));
	if (marks && served_marks_open(s, marks == 'a', argv + 2))
		return 1;
	ring = ring_buffer__new(serving_events_fd(s), on_event, NULL, NULL);
	if (!ring)
		return 1;
	fprintf(stderr, "measuring\n");
	end = time(NULL) + atoi(argv[1]);
	while (!stopped && time(NULL) < end) {
		ring_buffer__poll(ring, 100);
		ring_buffer__consume(ring);
		serving_pass(s);
		served_marks_pass(false);
	}
	serving_finish(s);
	ring_buffer__consume(ring);
	served_marks_pass(true);
	print_end(s, argv + 2);
	served_marks_close();
	serving_close(s);
	counter_close(counter);
	return 0;
}

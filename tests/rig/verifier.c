// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads every kernel program, as each Python and each metric would have it, and
 * says what the running kernel's verifier made of it:
 *
 *   PROGRAM PYTHON METRIC INSNS VERIFIED XLATED JITED
 *
 * INSNS is what was handed in, VERIFIED how many of them the verifier walked
 * through (its limit is a million), the last two are bytes.  Exits 1 when a
 * program was refused, with the end of the verifier's log on standard error.
 * A counter's branch is loaded although the machine may have none.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bpf/wire_request.h" /* the skeletons hold some of it, */
#include "symbolizer/layout.h" /* and of this */
#include "audit.skel.h"
#include "exact.skel.h"
#include "life.skel.h"
#include "marked.skel.h"
#include "marks.skel.h"
#include "proof.skel.h"
#include "requests.skel.h"
#include "sample.skel.h"
#include "survey.skel.h"
#include "tls.skel.h"
#include "userspace/by_sockets.h"
#include "walk.skel.h"

#define LOG_SIZE (16 << 20)
#define LOG_TAIL 3000
#define WITH_KERNEL "instr+kernel"
#define BY_REQUEST "requests" /* costs are kept apart by the class of requests */
#define IN_PART "in-part" /* and measured of some of them only */
#define TRAPPED "trapped" /* at instructions that stand for probes */
#define LOG_STATS 4 /* BPF_LOG_STATS: kernel/bpf, include/linux/bpf_verifier.h */

static char *log_buf;
static int failures;

static int on_print(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static void print_tail(const char *name, const char *log)
{
	size_t n = strlen(log);

	fprintf(stderr, "%s is refused:\n%s\n", name, n > LOG_TAIL ? log + n - LOG_TAIL : log);
}

/*
 * The sum over all functions, from a line of its own; 7.2 has one more before it,
 * "insns processed 919+173", with each global function by itself.  -1: not said.
 */
static long verified_of(const char *log)
{
	const char *line = log;
	long insns;

	while (line && sscanf(line, "processed %ld insns (limit", &insns) != 1) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return line ? insns : -1;
}

static void print_program(struct bpf_program *p, const char *log, const char *python,
			  const char *metric)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len);
	printf("%-14s %-5s %-12s %6zu %7ld %7u %7u\n", bpf_program__name(p), python, metric,
	       bpf_program__insn_cnt(p), verified_of(log),
	       info.xlated_prog_len, info.jited_prog_len);
}

/* One object of one program at a time, so that one refusal hides no other. */
static void object_try(struct bpf_object *object, const char *wanted, const char *python,
		       const char *metric)
{
	struct bpf_program *p, *only = NULL;

	bpf_object__for_each_program(p, object) {
		bool is = !strcmp(bpf_program__name(p), wanted);

		bpf_program__set_autoload(p, is);
		if (is)
			only = p;
	}
	if (!only) {
		fprintf(stderr, "no program %s\n", wanted);
		failures++;
		return;
	}
	log_buf[0] = 0;
	bpf_program__set_log_buf(only, log_buf, LOG_SIZE);
	bpf_program__set_log_level(only, LOG_STATS);
	if (!bpf_object__load(object)) {
		print_program(only, log_buf, python, metric);
		return;
	}
	failures++;
	printf("%-14s %-5s %-12s refused: %s\n", wanted, python, metric, strerror(errno));
	print_tail(wanted, log_buf);
}

static void life_try(const char *program, bool task_clock, const char *metric)
{
	struct life_bpf *l = life_bpf__open();

	if (!l)
		return;
	l->rodata->task_clock = task_clock;
	l->rodata->kernel_mode = !strcmp(metric, WITH_KERNEL);
	l->rodata->by_request = !strcmp(metric, BY_REQUEST);
	object_try(l->obj, program, "any", metric);
	life_bpf__destroy(l);
}

/* Debian's builds for x86-64 and arm64, whichever register it may be. */
struct build_like {
	const char *python;
	int minor;
	unsigned char entry, returns, file, name;
};

static void exact_try(const struct build_like *b, const char *program, bool task_clock,
		      const char *metric)
{
	struct exact_bpf *x = exact_bpf__open();

	if (!x)
		return;
	x->rodata->trapped = !strcmp(metric, TRAPPED);
	x->rodata->task_clock = task_clock;
	x->rodata->kernel_mode = !strcmp(metric, WITH_KERNEL);
	x->rodata->whole_requests = !strcmp(metric, IN_PART);
	x->rodata->by_request = x->rodata->whole_requests || !strcmp(metric, BY_REQUEST);
	memcpy((void *)&x->rodata->layout, layout_for(b->minor), sizeof(struct cpython_layout));
	x->rodata->entry_frame_reg = b->entry;
	x->rodata->return_frame_reg = b->returns;
	x->rodata->return_file_reg = b->file;
	x->rodata->return_name_reg = b->name;
	x->rodata->return_line_reg = b->name;
	x->rodata->entry_line_reg = b->name;
	object_try(x->obj, program, b->python, metric);
	exact_bpf__destroy(x);
}

static void survey_try(const struct build_like *b, const char *program)
{
	struct survey_bpf *s = survey_bpf__open();

	if (!s)
		return;
	memcpy((void *)&s->rodata->layout, layout_for(b->minor), sizeof(struct cpython_layout));
	s->rodata->entry_name_reg = b->name;
	s->rodata->return_name_reg = b->name;
	s->rodata->return_file_reg = b->file;
	object_try(s->obj, program, b->python, "any");
	survey_bpf__destroy(s);
}

static void proof_try(const struct build_like *b, const char *program)
{
	struct proof_bpf *p = proof_bpf__open();

	if (!p)
		return;
	memcpy((void *)&p->rodata->layout, layout_for(b->minor), sizeof(struct cpython_layout));
	p->rodata->n_sites = PROOF_SITES;
	p->rodata->ip_reg = b->name;
	object_try(p->obj, program, b->python, "any");
	proof_bpf__destroy(p);
}

static void sample_try(const char *program)
{
	struct sample_bpf *s = sample_bpf__open();

	if (!s)
		return;
	object_try(s->obj, program, "any", "sample");
	sample_bpf__destroy(s);
}

/* All that can be configured, of each kind; and they split classes. */
static void fields_set(const volatile struct wire_field *fields)
{
	struct wire_field field = {.length = 6, .split = 1, .name = "x-name"};

	for (int i = 0; i < WIRE_FIELDS; i++) {
		field.kind = WIRE_FIELD_HEADER + i % 3;
		memcpy((void *)&fields[i], &field, sizeof(field));
	}
}

static void tls_try(const char *program, const char *metric)
{
	struct tls_bpf *t = tls_bpf__open();

	if (!t)
		return;
	t->rodata->by_request = !strcmp(metric, BY_REQUEST);
	fields_set(t->rodata->request_fields);
	object_try(t->obj, program, "serve", metric);
	tls_bpf__destroy(t);
}

static void requests_try(const char *program, bool task_clock, const char *metric,
			 bool by_sockets)
{
	struct requests_bpf *r = requests_bpf__open();

	if (!r)
		return;
	r->rodata->task_clock = task_clock;
	r->rodata->kernel_mode = !strcmp(metric, WITH_KERNEL);
	r->rodata->whole_requests = !strcmp(metric, IN_PART);
	r->rodata->wanted_only = r->rodata->whole_requests;
	r->rodata->by_request = r->rodata->whole_requests || !strcmp(metric, BY_REQUEST);
	r->rodata->exact_mode = r->rodata->by_request;
	r->rodata->by_sockets = by_sockets;
	r->rodata->steady = by_sockets && kernel_keeps_steady();
	fields_set(r->rodata->request_fields);
	object_try(r->obj, program, by_sockets ? "sockets" : "serve", metric);
	requests_bpf__destroy(r);
}

/* Where the kernel tells of sockets. */
static void all_sockets_try(void)
{
	static const char *const programs[] = {"on_received", "on_sent", "on_state", "on_switch"};

	if (!kernel_tells_of_sockets())
		return;
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		requests_try(programs[i], false, "instructions", true);
		requests_try(programs[i], false, IN_PART, true);
	}
	if (kernel_traces_closes())
		return;
	requests_try("on_close", false, "instructions", true);
	requests_try("on_close", false, IN_PART, true);
}

static void all_tls_try(void)
{
	static const char *const programs[] = {"on_tls_read", "on_tls_read_ex", "on_tls_write",
					       "on_tls_write_ex", "on_tls_write_ex2",
					       "on_tls_return"};

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		tls_try(programs[i], "tls");
	tls_try("on_tls_return", BY_REQUEST);
}

static void marked_try(const char *program)
{
	struct marked_bpf *m = marked_bpf__open();

	if (!m)
		return;
	object_try(m->obj, program, "any", "marks");
	marked_bpf__destroy(m);
}

/* Arguments in memory take most. */
static void args_set(const volatile struct wire_arg *args, size_t n)
{
	struct wire_arg arg = {.kind = WIRE_ARG_MEMORY, .reg = 13, .size = 4, .is_signed = 1,
			       .offset = 112};

	for (size_t i = 0; i < n; i++)
		memcpy((void *)&args[i], &arg, sizeof(arg));
}

static void marks_try(const char *program, const char *python, int minor, bool free_threaded)
{
	struct marks_bpf *m = marks_bpf__open();

	if (!m)
		return;
	memcpy((void *)&m->rodata->layout, layout_for_build(minor, free_threaded),
	       sizeof(struct cpython_layout));
	memcpy((void *)&m->rodata->runtime, runtime_for(minor, free_threaded),
	       sizeof(struct cpython_runtime));
	args_set(m->rodata->gc_start_args, 1);
	args_set(m->rodata->gc_done_args, 1);
	args_set(m->rodata->import_start_args, 1);
	args_set(m->rodata->import_done_args, 1);
	object_try(m->obj, program, python, "marks");
	marks_bpf__destroy(m);
}

static void audit_try(const char *python, int minor, bool free_threaded)
{
	struct audit_bpf *a = audit_bpf__open();

	if (!a)
		return;
	memcpy((void *)&a->rodata->layout, layout_for_build(minor, free_threaded),
	       sizeof(struct cpython_layout));
	args_set(&a->rodata->audit_args[0][0], 2);
	a->rodata->by_request = 1;
	object_try(a->obj, "on_audit_0", python, "marks");
	audit_bpf__destroy(a);
}

static void all_marks_try(void)
{
	static const char *const marks[] = {"on_gc_start_0", "on_gc_done_0", "on_import_start_0",
					    "on_import_done_0"};
	static const char *const marked[] = {"on_fork", "on_exec", "on_exit"};
	static const struct {
		const char *python;
		int minor;
		bool free_threaded;
	} builds[] = {{"3.9", 9, false}, {"3.11", 11, false}, {"3.12", 12, false},
		      {"3.13", 13, false}, {"3.15", 15, false}, {"3.15t", 15, true}};

	for (size_t i = 0; i < sizeof(marked) / sizeof(*marked); i++)
		marked_try(marked[i]);
	for (size_t i = 0; i < sizeof(builds) / sizeof(*builds); i++) {
		for (size_t k = 0; k < sizeof(marks) / sizeof(*marks); k++)
			marks_try(marks[k], builds[i].python, builds[i].minor,
				  builds[i].free_threaded);
		audit_try(builds[i].python, builds[i].minor, builds[i].free_threaded);
	}
}

static void walk_try(const char *python, int minor, bool free_threaded)
{
	struct walk_bpf *w = walk_bpf__open();

	if (!w)
		return;
	memcpy((void *)&w->rodata->layout, layout_for_build(minor, free_threaded),
	       sizeof(struct cpython_layout));
	memcpy((void *)&w->rodata->runtime, runtime_for(minor, free_threaded),
	       sizeof(struct cpython_runtime));
	object_try(w->obj, "walk", python, "sample");
	walk_bpf__destroy(w);
}

static void traps_try(void)
{
	static const struct build_like builds[] = {{"3.6", 6, 3, 5, 14, 13},
						   {"3.8", 8, 3, 5, 14, 13},
						   {"3.11", 11, 3, 5, 14, 13},
						   {"3.13", 13, 3, 5, 14, 13}};

	for (size_t i = 0; i < sizeof(builds) / sizeof(*builds); i++) {
		exact_try(&builds[i], "on_entry", false, TRAPPED);
		exact_try(&builds[i], "on_return", false, TRAPPED);
		proof_try(&builds[i], "proof_entry");
		proof_try(&builds[i], "proof_return");
	}
}

int main(void)
{
	static const struct build_like builds[] = {
		{"3.9", 9, 3, 5, 14, 13}, {"3.11", 11, 3, 5, 14, 13}, {"3.15", 15, 3, 5, 14, 13}};
	static const char *const life[] = {"on_switch", "on_fork", "on_exec", "on_exit"};
	static const char *const sample[] = {"on_sample", "on_fork", "on_exec", "on_exit"};
	static const char *const requests[] = {"on_sys_enter", "on_sys_exit", "on_switch",
					       "on_fork", "on_exec", "on_exit", "on_reap"};
	static const char *const metrics[] = {"instructions", "task-clock", WITH_KERNEL,
					      BY_REQUEST, IN_PART};
	struct rlimit memory = {RLIM_INFINITY, RLIM_INFINITY};

	log_buf = malloc(LOG_SIZE);
	if (!log_buf)
		return 1;
	setrlimit(RLIMIT_MEMLOCK, &memory);
	libbpf_set_print(on_print);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int m = 0; m < 5; m++) {
		bool clock = m == 1;

		for (size_t i = 0; i < sizeof(life) / sizeof(*life); i++)
			life_try(life[i], clock, metrics[m]);
		for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
			requests_try(requests[i], clock, metrics[m], false);
		for (size_t i = 0; i < sizeof(builds) / sizeof(*builds); i++) {
			exact_try(&builds[i], "on_entry", clock, metrics[m]);
			exact_try(&builds[i], "on_return", clock, metrics[m]);
		}
	}
	for (size_t i = 0; i < sizeof(builds) / sizeof(*builds); i++) {
		survey_try(&builds[i], "survey_entry");
		survey_try(&builds[i], "survey_return");
	}
	traps_try();
	for (size_t i = 0; i < sizeof(sample) / sizeof(*sample); i++)
		sample_try(sample[i]);
	walk_try("3.6", 6, false);
	walk_try("3.9", 9, false);
	walk_try("3.11", 11, false);
	walk_try("3.12", 12, false);
	walk_try("3.13", 13, false);
	walk_try("3.15", 15, false);
	walk_try("3.15t", 15, true);
	all_marks_try();
	all_sockets_try();
	all_tls_try();
	free(log_buf);
	return failures != 0;
}

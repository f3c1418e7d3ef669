// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walks the threads of tests/walk/blocked.py, whose report is the standard input, and
 * compares what the walker finds with what they see.  With a prefix it saves each
 * thread as an image (image.h).
 *
 * usage: save PID [PREFIX]	PREFIX-THREAD.walk; exit status: 0, 1 a difference
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbolizer/thread_roots.h"
#include "tests/walk/host.h"
#include "tests/walk/image.h"

static int memory_fd;
static struct walk walk;
static struct image seen; /* what is read, and the frames as reported */

static int span_order(const void *a, const void *b)
{
	const struct image_span *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int process_read(void *dst, unsigned len, unsigned long long address)
{
	if (pread(memory_fd, dst, len, address) != (ssize_t)len)
		return -1;
	if (seen.n_spans < IMAGE_SPANS) {
		seen.spans[seen.n_spans].address = address;
		seen.spans[seen.n_spans++].size = len;
	}
	return 0;
}

/* Those that touch become one. */
static void spans_merge(void)
{
	unsigned n = 0;

	qsort(seen.spans, seen.n_spans, sizeof(seen.spans[0]), span_order);
	for (unsigned i = 0; i < seen.n_spans; i++) {
		struct image_span *s = &seen.spans[i], *last = n ? &seen.spans[n - 1] : NULL;

		if (last && s->address <= last->address + last->size) {
			if (s->address + s->size > last->address + last->size)
				last->size = s->address + s->size - last->address;
		} else {
			seen.spans[n++] = *s;
		}
	}
	seen.n_spans = n;
}

static void frames_write(FILE *f, char names[][64])
{
	for (unsigned i = 0; i < seen.n_frames; i++)
		fprintf(f, "%s %llx %x %s\n",
			seen.frames[i].instr & WIRE_FRAME_AWAITS ? "await" : "frame",
			seen.frames[i].code, seen.frames[i].instr & ~WIRE_FRAME_AWAITS, names[i]);
}

static int image_write(const char *path, char names[][64])
{
	FILE *f = fopen(path, "we");
	unsigned char byte;

	if (!f)
		return -1;
	spans_merge();
	fprintf(f, "# SPDX-License-Identifier: GPL-2.0-or-later\npython %x %x\n", seen.minor,
		seen.free_threaded);
	fprintf(f, "process %llx %llx %llx %llx\nself %llx\n", seen.process.interpreters,
		seen.process.current, seen.process.collecting, seen.process.code_type, seen.self);
	frames_write(f, names);
	for (unsigned i = 0; i < seen.n_spans; i++) {
		fprintf(f, "memory %llx ", seen.spans[i].address);
		for (unsigned j = 0; j < seen.spans[i].size; j++)
			fprintf(f, "%02x",
				pread(memory_fd, &byte, 1, seen.spans[i].address + j) == 1 ? byte : 0);
		fputc('\n', f);
	}
	return fclose(f);
}

/* What the walker found, in full, where it is not what the thread sees. */
static int thread_compare(const char *name, char names[][64])
{
	bool same = walk.sample.frames == seen.n_frames && !walk.sample.flags;

	for (unsigned i = 0; same && i < seen.n_frames; i++)
		same = walk.frames[i].code == seen.frames[i].code &&
		       walk.frames[i].instr == seen.frames[i].instr;
	printf("%s 3.%u%s %s: %u frames, %u reads\n", same ? "PASS" : "FAIL", seen.minor,
	       seen.free_threaded ? "t" : "", name, walk.sample.frames, host_reads);
	if (same)
		return 0;
	printf("    flags %x\n", walk.sample.flags);
	for (unsigned i = 0; i < walk.sample.frames || i < seen.n_frames; i++)
		printf("    %llx+%x, not %llx+%x %s\n",
		       i < walk.sample.frames ? walk.frames[i].code : 0,
		       i < walk.sample.frames ? walk.frames[i].instr : 0,
		       i < seen.n_frames ? seen.frames[i].code : 0,
		       i < seen.n_frames ? seen.frames[i].instr : 0,
		       i < seen.n_frames ? names[i] : "-");
	return 1;
}

/* All runs of the interpreter, which a walk looks at when it is in doubt. */
static void runs_read(void)
{
	unsigned long long cframe = walk.cframe;

	for (int i = 0; i < IMAGE_FRAMES && cframe && runtime.tstate_cframe != PY_NONE; i++) {
		walk_u64(cframe + runtime.cframe_frame);
		cframe = walk_u64(cframe + runtime.cframe_previous);
	}
}

static int thread_walk(const char *name, const char *prefix, char names[][64])
{
	char path[4096];
	int differs;

	seen.n_spans = 0;
	host_walk(&walk, &seen.process, seen.self, 0);
	differs = thread_compare(name, names);
	/* And what it reads of a state that it knows. */
	host_walk(&walk, &seen.process, seen.self, walk.state);
	differs |= thread_compare(name, names);
	runs_read();
	snprintf(path, sizeof(path), "%s-%s.walk", prefix, name);
	return differs || (prefix && image_write(path, names));
}

static int threads_walk(const char *prefix)
{
	static char names[IMAGE_FRAMES][64];
	char line[256], thread[64] = "";
	int differ = 0, threads = 0;

	while (fgets(line, sizeof(line), stdin) && strcmp(line, "ready\n")) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "thread %llx %63s", &seen.self, thread) == 2) {
			seen.n_frames = 0;
		} else if (!strcmp(line, "end")) {
			differ |= thread_walk(thread, prefix, names);
			threads++;
		} else if (seen.n_frames < IMAGE_FRAMES) {
			sscanf(line, "%*s %*s %*s %63s", names[seen.n_frames]);
			image_line(&seen, line);
		}
	}
	return differ || !threads;
}

int main(int argc, char **argv)
{
	struct thread_roots roots;
	struct interpreter in;
	char path[64];
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;

	ungetc(getc(stdin), stdin); /* once it says something, it is Python */
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	memory_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (memory_fd < 0 || interpreter_find(pid, &in) ||
	    !host_python(in.minor, in.free_threaded)) {
		fprintf(stderr, "save: %d is no Python process that can be walked\n", pid);
		return 1;
	}
	printf("Python 3.%d%s, %s\n", in.minor, in.free_threaded ? "t" : "", in.target_path);
	thread_roots_find(&in, &runtime, &roots);
	host_read = process_read;
	seen.minor = in.minor;
	seen.free_threaded = in.free_threaded;
	seen.process = (struct wire_sampled){
		.interpreters = roots.interpreters,
		.current = roots.current,
		.collecting = roots.collecting,
		.code_type = in.code_type,
	};
	interpreter_clear(&in);
	return threads_walk(argc > 2 ? argv[2] : NULL);
}

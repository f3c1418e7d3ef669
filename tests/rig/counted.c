// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * counted instructions COMMAND [ARG...]: runs it and prints how many instructions
 * it and its children took in user mode, from exec to exit: the truth to compare
 * with, since nothing but the processor's own counter is in the way.
 * counted kernel COMMAND [ARG...]: the instructions that the kernel ran for them.
 * counted time COMMAND [ARG...]: the nanoseconds on a CPU, in the kernel too.
 * counted loop N: takes N turns of a loop of two instructions, to be counted.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void loop(unsigned long n)
{
#if defined(__aarch64__)
	asm volatile("1: subs %0, %0, #1\n b.ne 1b" : "+r"(n)::"cc");
#elif defined(__x86_64__)
	asm volatile("1: dec %0\n jnz 1b" : "+r"(n)::"cc");
#else
#error "which two instructions?"
#endif
}

static int counter_open(int is_time, int is_kernel, pid_t pid)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = is_time ? PERF_TYPE_SOFTWARE : PERF_TYPE_HARDWARE,
		.config = is_time ? PERF_COUNT_SW_TASK_CLOCK : PERF_COUNT_HW_INSTRUCTIONS,
		.disabled = 1,
		.enable_on_exec = 1,
		.inherit = 1,
		.exclude_kernel = !is_time && !is_kernel,
		.exclude_user = is_kernel,
		.exclude_hv = !is_time,
	};

	return syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int run(int is_time, int is_kernel, char **argv)
{
	int go[2], fd, status = 0;
	uint64_t count;
	pid_t pid;
	char word;

	if (pipe(go))
		return 2;
	pid = fork();
	if (pid < 0)
		return 2;
	if (!pid) {
		close(go[1]);
		if (read(go[0], &word, 1) == 1)
			execvp(argv[0], argv);
		_exit(127);
	}
	close(go[0]);
	fd = counter_open(is_time, is_kernel, pid);
	if (fd < 0)
		fprintf(stderr, "no such counter: %s\n", strerror(errno));
	else if (write(go[1], "", 1) != 1)
		return 2;
	close(go[1]);
	waitpid(pid, &status, 0);
	if (fd < 0 || status || read(fd, &count, sizeof(count)) != sizeof(count))
		return 1;
	printf("%llu\n", (unsigned long long)count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "loop")) {
		loop(strtoul(argv[2], NULL, 0));
		return 0;
	}
	if (argc < 3 || (strcmp(argv[1], "instructions") && strcmp(argv[1], "kernel") &&
			 strcmp(argv[1], "time"))) {
		fprintf(stderr, "usage: counted instructions|kernel|time COMMAND [ARG...]\n"
				"       counted loop N\n");
		return 2;
	}
	return run(!strcmp(argv[1], "time"), !strcmp(argv[1], "kernel"), argv + 2);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The truth to compare with: user instructions by the processor's own counter, with
 * nothing else in the way.
 *
 * counted instructions|time|kernel CMD...  runs it and prints what it and its children took
 *                        from exec to exit; time: nanoseconds on a CPU, in the kernel too;
 *                        kernel: instructions, but the kernel's
 * counted exec PID       the same of a process that is yet to call exec
 * counted rounds CMD...  a process that stops itself now and then (SIGSTOP): prints its
 *                        pid and its instructions until then at each stop, lets it go on
 *                        for each line read, and prints them once more at its end
 * counted fixed CMD...   runs it at the same addresses each time
 * counted loop N         takes N turns of a loop of two instructions
 * counted hog N [pin]    keeps N counters of instructions open on CPU 0 until its input
 *                        ends; pin: those that give way to nobody
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int loop(char **argv)
{
	unsigned long n = strtoul(argv[0], NULL, 0);

#if defined(__aarch64__)
	asm volatile("1: subs %0, %0, #1\n b.ne 1b" : "+r"(n)::"cc");
#elif defined(__x86_64__)
	asm volatile("1: dec %0\n jnz 1b" : "+r"(n)::"cc");
#else
#error "which two instructions?"
#endif
	return 0;
}

static int event_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd;

	attr->size = sizeof(*attr);
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		fprintf(stderr, "no such counter: %s\n", strerror(errno));
	return fd;
}

enum what { USER, KERNEL, TIME };

/* Of a task and its children to come, from its next exec on. */
static int counter_open(enum what what, pid_t pid)
{
	struct perf_event_attr attr = {
		.type = what == TIME ? PERF_TYPE_SOFTWARE : PERF_TYPE_HARDWARE,
		.config = what == TIME ? PERF_COUNT_SW_TASK_CLOCK : PERF_COUNT_HW_INSTRUCTIONS,
		.disabled = 1,
		.enable_on_exec = 1,
		.inherit = 1,
		.exclude_user = what == KERNEL,
		.exclude_kernel = what == USER,
		.exclude_hv = what != TIME,
	};

	return event_open(&attr, pid, -1);
}

static int counter_print(int fd, const char *before)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return 1;
	printf("%s%llu\n", before, (unsigned long long)count);
	return fflush(stdout) ? 1 : 0;
}

/* The command's process, counted from its exec on; 0: it cannot be. */
static pid_t start(enum what what, char **argv, int *ret_fd)
{
	int go[2];
	pid_t pid;
	char word;

	if (pipe(go))
		return 0;
	pid = fork();
	if (pid < 0)
		return 0;
	if (!pid) {
		close(go[1]);
		if (read(go[0], &word, 1) == 1)
			execvp(argv[0], argv);
		_exit(127);
	}
	close(go[0]);
	*ret_fd = counter_open(what, pid);
	if (*ret_fd >= 0 && write(go[1], "", 1) != 1)
		*ret_fd = -1;
	close(go[1]);
	return *ret_fd < 0 ? 0 : pid;
}

static int run(enum what what, char **argv)
{
	int fd, status = 0;
	pid_t pid = start(what, argv, &fd);

	if (!pid || waitpid(pid, &status, 0) != pid || status)
		return 1;
	return counter_print(fd, "");
}

static int instructions(char **argv)
{
	return run(USER, argv);
}

static int in_kernel(char **argv)
{
	return run(KERNEL, argv);
}

static int on_cpu(char **argv)
{
	return run(TIME, argv);
}

static int rounds(char **argv)
{
	int fd, status = 0;
	pid_t pid = start(USER, argv, &fd);
	char line[64], before[32];

	snprintf(before, sizeof(before), "%d ", pid);
	while (pid && waitpid(pid, &status, WUNTRACED) == pid) {
		if (counter_print(fd, before))
			break;
		if (!WIFSTOPPED(status))
			return status != 0;
		if (!fgets(line, sizeof(line), stdin))
			break;
		kill(pid, SIGCONT);
	}
	if (pid)
		kill(pid, SIGKILL);
	return 1;
}

static int exec_of(char **argv)
{
	pid_t pid = atoi(argv[0]);
	struct pollfd end = {.fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	int fd = counter_open(USER, pid);

	if (fd < 0 || end.fd < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	/* It has ended once its parent could wait for it: its counter is complete. */
	return poll(&end, 1, -1) == 1 ? counter_print(fd, "") : 1;
}

static int fixed(char **argv)
{
	if (personality(ADDR_NO_RANDOMIZE) >= 0)
		execvp(argv[0], argv);
	perror(argv[0]);
	return 127;
}

static int hog(char **argv)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.pinned = argv[1] && !strcmp(argv[1], "pin"),
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int opened = 0;

	while (opened < atoi(argv[0]) && event_open(&attr, -1, 0) >= 0)
		opened++;
	printf("%d\n", opened);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **argv);
} commands[] = {
	{"instructions", instructions}, {"time", on_cpu}, {"rounds", rounds}, {"exec", exec_of},
	{"kernel", in_kernel},
	{"fixed", fixed}, {"loop", loop}, {"hog", hog},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	fprintf(stderr, "usage: counted instructions|time|kernel|rounds|fixed COMMAND [ARG...]\n"
			"       counted exec PID | loop N | hog N [pin]\n");
	return 2;
}

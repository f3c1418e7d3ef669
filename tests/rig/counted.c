// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The truth to compare with: user instructions by the processor's own counter, with
 * nothing else in the way.
 *
 * counted instructions|kernel|time CMD...  runs it and prints what it and its children took
 *                        from exec to exit; kernel: what it ran for them;
 *                        time: nanoseconds on a CPU, in the kernel too
 * counted children FILE CMD...  runs it; at its end, writes to FILE the pid of each child
 *                        that it forked and its instructions from the child's exec on
 * counted rounds CMD...  a process that stops itself now and then (SIGSTOP): prints its
 *                        pid and its instructions until then at each stop, lets it go on
 *                        for each line read, and prints them once more at its end
 * counted late PERIOD CMD...  runs it with an interrupt each PERIOD instructions; prints
 *                        how many came, how many of them in kernel mode, and how many
 *                        instructions late they were: on average and at most
 * counted fixed CMD...   runs it at the same addresses each time
 * counted loop N         takes N turns of a loop of two instructions
 * counted ticks NS       interrupts CPU 0 each NS nanoseconds until its input ends
 * counted hog share|pin  uses all of CPU 0's counters until its input ends, and prints how
 *                        many they are; pin: gives way to nobody
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
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

static int event_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group)
{
	int fd;

	attr->size = sizeof(*attr);
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, group, PERF_FLAG_FD_CLOEXEC);
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

	return event_open(&attr, pid, -1, -1);
}

static int counter_print(int fd, const char *before)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return 1;
	printf("%s%llu\n", before, (unsigned long long)count);
	return fflush(stdout) ? 1 : 0;
}

/* The command's process, which waits for a word before its exec; 0: none. */
static pid_t spawn(char **argv, int *ret_go)
{
	int go[2];
	pid_t pid;
	char word;

	if (pipe(go))
		return 0;
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (read(go[0], &word, 1) == 1)
			execvp(argv[0], argv);
		_exit(127);
	}
	close(go[0]);
	*ret_go = go[1];
	return pid < 0 ? 0 : pid;
}

static int let_go(int go)
{
	int written = write(go, "", 1);

	close(go);
	return written == 1;
}

/* Counted from its exec on; 0: it cannot be. */
static pid_t start(enum what what, char **argv, int *ret_fd)
{
	int go;
	pid_t pid = spawn(argv, &go);

	*ret_fd = pid ? counter_open(what, pid) : -1;
	return *ret_fd >= 0 && let_go(go) ? pid : 0;
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

#define CHILDREN 64
#define HOGGED 64

static struct {
	pid_t pid;
	int fd;
} children[CHILDREN];

static int children_print(const char *path)
{
	FILE *out = fopen(path, "w");
	uint64_t count;

	for (int i = 0; out && i < CHILDREN && children[i].pid; i++)
		if (read(children[i].fd, &count, sizeof(count)) == sizeof(count))
			fprintf(out, "%d %llu\n", children[i].pid, (unsigned long long)count);
	return !out || fclose(out);
}

/* A new child stands still until it is let go, so its counter is in time. */
static void child_take(pid_t pid)
{
	for (int i = 0; i < CHILDREN; i++) {
		if (children[i].pid)
			continue;
		children[i].pid = pid;
		children[i].fd = counter_open(USER, pid);
		break;
	}
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

static int children_of(char **argv)
{
	int go, status;
	pid_t pid = spawn(argv + 1, &go), some;

	if (!pid || ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL) ||
	    !let_go(go))
		return 1;
	signal(SIGINT, SIG_IGN);
	while ((some = waitpid(-1, &status, __WALL)) > 0) {
		if (some == pid && !WIFSTOPPED(status))
			return children_print(argv[0]) || status;
		if (!WIFSTOPPED(status))
			continue;
		if (some != pid)
			child_take(some);
		else /* A signal is passed on, all else is for us. */
			ptrace(PTRACE_CONT, pid, 0, status >> 16 ? 0 : WSTOPSIG(status));
	}
	return 1;
}

#define LATE_PAGES 256 /* a power of 2; room for so many samples of 32 bytes */

/* One interrupt: the header, then PERF_SAMPLE_READ. */
struct late_sample {
	struct perf_event_header header;
	uint64_t count;
};

/* How far the counter was beyond a whole period when its interrupt came. */
static int late_print(const struct perf_event_mmap_page *ring, uint64_t period)
{
	const char *data = (const char *)ring + sysconf(_SC_PAGESIZE);
	uint64_t n = 0, in_kernel = 0, sum = 0, most = 0, size;

	for (uint64_t at = 0; at < ring->data_head; at += size) {
		const struct late_sample *s = (const void *)(data + at);
		uint64_t late = s->count % period;

		size = s->header.size;
		if (!size || s->header.type != PERF_RECORD_SAMPLE)
			continue;
		n++;
		in_kernel += (s->header.misc & PERF_RECORD_MISC_CPUMODE_MASK) ==
			     PERF_RECORD_MISC_KERNEL;
		sum += late;
		most = late > most ? late : most;
	}
	printf("%llu %llu %llu %llu\n", (unsigned long long)n, (unsigned long long)in_kernel,
	       (unsigned long long)(n ? sum / n : 0), (unsigned long long)most);
	return fflush(stdout) ? 1 : 0;
}

static int late(char **argv)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.sample_period = strtoull(argv[0], NULL, 0),
		.sample_type = PERF_SAMPLE_READ,
		.disabled = 1,
		.enable_on_exec = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int go, status = 0, fd;
	pid_t pid = spawn(argv + 1, &go);
	void *ring;

	fd = pid ? event_open(&attr, pid, -1, -1) : -1;
	if (fd < 0)
		return 1;
	ring = mmap(NULL, (LATE_PAGES + 1) * sysconf(_SC_PAGESIZE),
		    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED) {
		perror("ring");
		return 1;
	}
	if (!let_go(go) || waitpid(pid, &status, 0) != pid || status)
		return 1;
	return late_print(ring, attr.sample_period);
}

static int wait_for_end(void)
{
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

static int ticks(char **argv)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = strtoull(argv[0], NULL, 0),
	};

	printf("%d\n", event_open(&attr, -1, 0, -1) >= 0);
	return wait_for_end();
}

static int fixed(char **argv)
{
	if (personality(ADDR_NO_RANDOMIZE) >= 0)
		execvp(argv[0], argv);
	perror(argv[0]);
	return 127;
}

/* One group, which the kernel refuses to let grow larger than the processor is. */
static int hog(char **argv)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.pinned = !strcmp(argv[0], "pin"),
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int leader = event_open(&attr, -1, 0, -1), held = leader >= 0;

	attr.pinned = 0;
	attr.config = PERF_COUNT_HW_INSTRUCTIONS;
	while (held && held < HOGGED && event_open(&attr, -1, 0, leader) >= 0)
		held++;
	printf("%d\n", held);
	return wait_for_end();
}

static const struct {
	const char *name;
	int (*run)(char **argv);
} commands[] = {
	{"instructions", instructions}, {"time", on_cpu}, {"rounds", rounds}, {"children", children_of},
	{"kernel", in_kernel}, {"fixed", fixed}, {"loop", loop}, {"hog", hog}, {"late", late},
	{"ticks", ticks},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	fprintf(stderr, "usage: counted instructions|kernel|time|rounds|children|fixed COMMAND [ARG...]\n"
			"       counted late PERIOD COMMAND [ARG...]\n"
			"       counted loop N | ticks NS | hog share|pin\n");
	return 2;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * instructions COMMAND [ARG...]: runs it and prints how many instructions it and
 * its children took in user mode, from exec to exit: the truth to compare with,
 * since nothing but the processor's own counter is in the way.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.disabled = 1,
		.enable_on_exec = 1,
		.inherit = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int go[2], fd, status = 0;
	uint64_t count;
	pid_t pid;
	char word;

	if (argc < 2 || pipe(go))
		return 2;
	pid = fork();
	if (pid < 0)
		return 2;
	if (!pid) {
		close(go[1]);
		if (read(go[0], &word, 1) == 1)
			execvp(argv[1], argv + 1);
		_exit(127);
	}
	close(go[0]);
	fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		fprintf(stderr, "no counter of instructions: %s\n", strerror(errno));
	else if (write(go[1], "", 1) != 1)
		return 2;
	close(go[1]);
	waitpid(pid, &status, 0);
	if (fd < 0 || status || read(fd, &count, sizeof(count)) != sizeof(count))
		return 1;
	printf("%llu\n", (unsigned long long)count);
	return 0;
}

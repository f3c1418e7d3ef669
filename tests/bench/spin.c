// SPDX-License-Identifier: GPL-2.0-or-later
/* A program that is no Python, steered like spin.py: "loop N", "echo N" or "ask N" a line. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Arithmetic that no compiler can shorten. */
static void loop(uint64_t times)
{
	volatile uint64_t state = 1;

	while (times--)
		state = state * 6364136223846793005ull + 1442695040888963407ull;
}

/* Two context switches each: a byte to a child and back. */
static void echo(uint64_t times, int to, int from)
{
	char byte = 0;

	while (times--)
		if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
			_exit(1);
}

/* System calls that do next to nothing. */
static void ask(uint64_t times)
{
	while (times--)
		syscall(SYS_getppid);
}

int main(void)
{
	int to[2], from[2];
	uint64_t times, begin;
	char what[8];

	if (pipe(to) || pipe(from))
		return 1;
	if (!fork()) {
		char byte;

		close(to[1]);
		while (read(to[0], &byte, 1) == 1 && write(from[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	while (scanf("%7s %" SCNu64, what, &times) == 2) {
		begin = cpu_ns();
		if (!strcmp(what, "loop"))
			loop(times);
		else if (!strcmp(what, "ask"))
			ask(times);
		else
			echo(times, to[1], from[0]);
		printf("%" PRIu64 "\n", cpu_ns() - begin);
		fflush(stdout);
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/commands.h"
#include "userspace/text.h"

#define EXIT_USAGE 2
#define COMMAND_WIDTH 12

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
	{ "record", cmd_record, "measure running processes, or a command" },
	{ "report", cmd_report, "show or export what a recording holds" },
	{ "top", cmd_top, "watch what functions cost, live" },
	{ "requests", cmd_requests, "show what requests cost: live, or of a recording" },
	{ "imports", cmd_imports, "show what imports cost, by endpoint, function and module" },
	{ "gc", cmd_gc, "show what collections of garbage cost, likewise" },
	{ "doctor", cmd_doctor, "say what this machine and a target allow" },
	{ "calibrate", cmd_calibrate, "measure what the probes themselves cost" },
#ifdef PYCOST_FLEET
	{ "agent", cmd_agent, "measure this host's services all the time, for a collector" },
	{ "push", cmd_push, "send recordings to a collector" },
	{ "query", cmd_query, "ask what functions, requests and users of a fleet cost" },
	{ "serve", cmd_serve, "collect what agents measure, and answer questions about it" },
#endif
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

static void usage(FILE *out)
{
	fputs("Usage: pycost COMMAND [OPTION...]\n"
	      "Says exactly what each Python function costs.\n\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-*s%s\n", COMMAND_WIDTH, commands[i].name, commands[i].summary);
	fputs("\npycost COMMAND --help tells more about one; pycost --version about all.\n", out);
}

static int unknown_command(const char *name)
{
	const struct command *nearest = commands;

	for (size_t i = 1; i < COMMAND_COUNT; i++)
		if (text_distance(name, commands[i].name) < text_distance(name, nearest->name))
			nearest = &commands[i];
	fprintf(stderr, "pycost: unknown command '%s': did you mean '%s'? See pycost --help.\n",
		name, nearest->name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	char name[64];

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("pycost " PYCOST_VERSION);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(argv[1], commands[i].name)) {
			/* argp shows this as the program's name. */
			snprintf(name, sizeof(name), "pycost %s", commands[i].name);
			argv[1] = name;
			return commands[i].run(argc - 1, argv + 1);
		}
	return unknown_command(argv[1]);
}

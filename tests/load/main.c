// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/load/load.h"

static const char usage[] =
	"usage: load [OPTION]... SERVER...\n"
	"Sends requests of a mix to SERVER (PORT, ADDRESS:PORT or /PATH), counts what comes back.\n"
	"  -m FILE   the mix, a kind a line: WEIGHT METHOD PATH [WORD]... (default: GET /)\n"
	"            body=N[-N] chunked expect close trickle=MS field=NAME:VALUE\n"
	"            abort=head|body|sent|answer; {n} and {id} in PATH\n"
	"  -n N      requests in all (1000)\n"
	"  -c N      connections at once (10)\n"
	"  -k N      requests on each connection (0: as many as the server allows)\n"
	"  -d N      requests sent ahead of answers (1)\n"
	"  -r RATE   requests a second, of all (0: as fast as it goes)\n"
	"  -t S      seconds to begin requests in (0: no limit)\n"
	"  -w S      seconds that an answer is waited for (30)\n"
	"  -s SEED   of all that is random (1)\n"
	"  -i TEXT   that ids begin with\n"
	"  -u        the uwsgi protocol\n"
	"  -l FILE   a line for each request: ID METHOD PATH STATUS OUTCOME NS\n"
	"Prints one line of JSON. The server is to send " LOAD_ID_FIELD " back.\n";

static int wrong(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	return 2;
}

static int read_mix(struct mix *m, const char *path)
{
	char plain[] = "1 GET /\n";
	FILE *file = path ? fopen(path, "r") : fmemopen(plain, strlen(plain), "r");
	unsigned line = 0;
	int err;

	if (!file) {
		fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
		return -EINVAL;
	}
	err = mix_read(m, file, &line);
	fclose(file);
	if (err)
		fprintf(stderr, "load: %s: line %u: %s\n", path, line, strerror(-err));
	return err;
}

static bool read_options(struct load_options *o, int argc, char **argv, const char **mix,
			 const char **log)
{
	int c;

	while ((c = getopt(argc, argv, "m:n:c:k:d:r:t:w:s:i:ul:")) != -1) {
		switch (c) {
		case 'm': *mix = optarg; break;
		case 'n': o->requests = strtoull(optarg, NULL, 10); break;
		case 'c': o->connections = atoi(optarg); break;
		case 'k': o->per_connection = atoi(optarg); break;
		case 'd': o->depth = atoi(optarg); break;
		case 'r': o->rate = atof(optarg); break;
		case 't': o->seconds = atof(optarg); break;
		case 'w': o->patience = atof(optarg); break;
		case 's': o->seed = strtoull(optarg, NULL, 10); break;
		case 'i': o->prefix = optarg; break;
		case 'u': o->uwsgi = true; break;
		case 'l': *log = optarg; break;
		default: return false;
		}
	}
	o->servers = (const char *const *)argv + optind;
	o->server_count = argc - optind;
	return o->server_count && o->connections && o->depth && o->depth <= LOAD_DEPTH_MAX &&
	       strlen(o->prefix) < 12;
}

int main(int argc, char **argv)
{
	struct load_options o = {
		.connections = 10, .depth = 1, .requests = 1000, .patience = 30, .seed = 1, .prefix = "r",
	};
	const char *mix_path = NULL, *log_path = NULL;
	struct rlimit files;
	FILE *log = NULL;
	struct mix mix;
	double seconds;
	int err;

	if (!read_options(&o, argc, argv, &mix_path, &log_path)) {
		fputs(usage, stderr);
		return 2;
	}
	if (read_mix(&mix, mix_path))
		return 2;
	if (log_path && !(log = fopen(log_path, "w")))
		return wrong("cannot write the log");
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGPIPE, SIG_IGN);
	o.mix = &mix;
	o.tally = tally_new(&mix, log);
	err = load_run(&o, &seconds);
	tally_print(o.tally, stdout, seconds);
	tally_free(o.tally);
	mix_free(&mix);
	if (log && fclose(log))
		return wrong("cannot write the log");
	return err ? wrong("the servers have ceased to answer") : 0;
}

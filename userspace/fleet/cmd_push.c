/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pycost push: recordings -> a collector. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/commands.h"
#include "userspace/fleet/push.h"
#include "userspace/fleet/web.h"

#define ERROR_SIZE 512
#define EXIT_USAGE 2
#define KEYS_MAX 32
#define ATTEMPTS 6 /* with the waits between them, half a minute */

enum option_key {
	OPTION_TOKEN_FILE = 256,
	OPTION_SERVICE,
	OPTION_TAG,
	OPTION_KEEP,
	OPTION_USER,
	OPTION_CA,
	OPTION_CERTIFICATE,
	OPTION_KEY,
	OPTION_PARTIAL,
};

static const struct argp_option options[] = {
	{ "to", 't', "URL", 0, "The collector: http://127.0.0.1:7680, for example" },
	{ "service", OPTION_SERVICE, "NAME", 0,
	  "What the recordings are of, when they do not say it (record --tag service=NAME)" },
	{ "tag", OPTION_TAG, "KEY=VALUE", 0,
	  "A tag of all of it, such as version=1.2; goes before what the recordings say; as often "
	  "as wanted" },
	{ "keep", OPTION_KEEP, "KEY", 0,
	  "Keep requests apart by this tag of theirs, too; as often as wanted" },
	{ "user", OPTION_USER, "KEY", 0,
	  "The tag that stands for a user (default: user, or else user_hash)" },
	{ "token-file", OPTION_TOKEN_FILE, "FILE", 0, "Its first line is the token to push with" },
	{ "ca", OPTION_CA, "FILE", 0, "Who signs the collector's certificate" },
	{ "certificate", OPTION_CERTIFICATE, "FILE", 0, "This side's certificate, for mTLS" },
	{ "cert", OPTION_CERTIFICATE, "FILE", OPTION_ALIAS | OPTION_HIDDEN, NULL },
	{ "key", OPTION_KEY, "FILE", 0, "Its key" },
	{ "partial", OPTION_PARTIAL, NULL, 0,
	  "Push what there is of a recording that is under way, was cut off or is damaged; push it "
	  "again for what comes later" },
	{ "quiet", 'q', NULL, 0, "Say nothing unless something fails" },
	{ 0 },
};

static const char doc[] =
	"Push recordings to a collector, minute by minute.\n"
	"FILE is what pycost record wrote; - reads standard input.\n"
	"What is pushed again counts once: whatever failed half way may be repeated.\v"
	"Tags of the whole recording are kept, and those that function costs were split by. "
	"Function costs are corrected as in a report, minute by minute.\n\n"
	"Examples:\n"
	"  pycost push run.pycost --to http://127.0.0.1:7680 --service shop\n"
	"  pycost push *.pycost --to https://collector:7680 --token-file /etc/pycost/token\n"
	"  pycost push run.pycost --to URL --service shop --tag version=1.2 --keep tenant\n";

struct arguments {
	char *files[4096];
	size_t file_count;
	struct batch_tag tags[KEYS_MAX];
	const char *keep[KEYS_MAX], *users[KEYS_MAX];
	size_t tag_count, keep_count, user_count;
	struct post_options post;
	const char *token_file;
	bool partial, quiet;
};

static void add_key(struct argp_state *state, const char *option, const char **keys, size_t *count,
		    const char *key)
{
	if (!*key)
		argp_error(state, "%s takes the key of a tag", option);
	if (*count == KEYS_MAX)
		argp_error(state, "%s may be given %d times", option, KEYS_MAX);
	keys[(*count)++] = key;
}

static void add_tag(struct argp_state *state, struct arguments *a, const char *key,
		    const char *value)
{
	static const char *const own[] = { TAG_KEY_METRIC, TAG_KEY_MODE, TAG_KEY_ENDPOINT,
					   TAG_KEY_STATUS };

	if (!*value)
		argp_error(state, "the tag %s has no value", key);
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (!strcmp(key, own[i]))
			argp_error(state, "the tag %s is measured, and not to be told", key);
	for (size_t i = 0; i < a->tag_count; i++)
		if (!strcmp(key, a->tags[i].key))
			argp_error(state, "the tag %s is given twice", key);
	if (a->tag_count == KEYS_MAX)
		argp_error(state, "--tag may be given %d times", KEYS_MAX);
	a->tags[a->tag_count++] = (struct batch_tag){ key, value };
}

static void parse_tag(struct argp_state *state, struct arguments *a, char *arg)
{
	char *sign = strchr(arg, '=');

	if (!sign || sign == arg)
		argp_error(state, "--tag takes KEY=VALUE, not '%s'", arg);
	*sign = 0;
	add_tag(state, a, arg, sign + 1);
}

static void check_arguments(struct argp_state *state, const struct arguments *a)
{
	if (!a->file_count)
		argp_error(state, "name the recordings to push (- for standard input)");
	if (!a->post.url)
		argp_error(state, "name the collector with --to, as http://127.0.0.1:7680");
	if (!a->post.certificate != !a->post.key)
		argp_error(state, "--certificate and --key go together");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 't': a->post.url = arg; break;
	case 'q': a->quiet = true; break;
	case OPTION_SERVICE: add_tag(state, a, TAG_KEY_SERVICE, arg); break;
	case OPTION_TAG: parse_tag(state, a, arg); break;
	case OPTION_KEEP: add_key(state, "--keep", a->keep, &a->keep_count, arg); break;
	case OPTION_USER: add_key(state, "--user", a->users, &a->user_count, arg); break;
	case OPTION_TOKEN_FILE: a->token_file = arg; break;
	case OPTION_CA: a->post.ca = arg; break;
	case OPTION_CERTIFICATE: a->post.certificate = arg; break;
	case OPTION_KEY: a->post.key = arg; break;
	case OPTION_PARTIAL: a->partial = true; break;
	case ARGP_KEY_ARG:
		if (a->file_count == sizeof(a->files) / sizeof(*a->files))
			argp_error(state, "too many files at once");
		a->files[a->file_count++] = arg;
		break;
	case ARGP_KEY_END: check_arguments(state, a); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void show_progress(void *arg, uint64_t minute, uint64_t minutes)
{
	fprintf(stderr, "\r%s: minute %" PRIu64 " of %" PRIu64 "\033[K", (const char *)arg, minute,
		minutes);
}

static int push_one(const struct arguments *a, const char *file, struct post *to)
{
	const char *name = strcmp(file, "-") ? file : "standard input";
	bool shows = !a->quiet && isatty(STDERR_FILENO);
	struct push_options o = {
		.tags = a->tags,
		.tag_count = a->tag_count,
		.keep = a->keep,
		.keep_count = a->keep_count,
		.users = a->user_count ? a->users : NULL,
		.user_count = a->user_count,
		.partial = a->partial,
		.attempts = ATTEMPTS,
		.progress = shows ? show_progress : NULL,
		.arg = (void *)name,
	};
	char err[ERROR_SIZE] = "";
	struct push_result r;
	int result = push_file(file, to, &o, &r, err, sizeof(err));

	if (shows && r.batches)
		fputs("\r\033[K", stderr);
	if (result) {
		fprintf(stderr, "pycost push: %s: %s\n", name, err);
		return result;
	}
	if (r.incomplete || r.corrupt)
		fprintf(stderr, "pycost push: %s: warning: %s\n", name,
			r.corrupt ? "damaged: only a part of it could be read"
				  : "incomplete: recorder did not finish");
	if (r.left)
		fprintf(stderr, "pycost push: %s: its last minute may grow and was left out: push it again "
				"later\n", name);
	if (!a->quiet)
		printf("%s: %" PRIu64 " minute%s pushed, %" PRIu64 " of them there already, %" PRIu64
		       " bytes\n",
		       name, r.batches, r.batches == 1 ? "" : "s", r.duplicates, r.bytes);
	return 0;
}

static int push_all(struct arguments *a)
{
	char token[POST_TOKEN_SIZE], err[ERROR_SIZE] = "";
	struct post *to;
	int result = 0, failed = 0;

	if (a->token_file) {
		result = web_token_read(a->token_file, token, sizeof(token), err, sizeof(err));
		a->post.token = token;
	}
	if (!result)
		result = post_open(&a->post, &to, err, sizeof(err));
	explicit_bzero(token, sizeof(token));
	if (result) {
		fprintf(stderr, "pycost push: %s\n", err);
		return EXIT_FAILURE;
	}
	/* Where the collector is away, or does not want any, others fare no better. */
	for (size_t i = 0; i < a->file_count && result != -EAGAIN && result != -EPERM; i++) {
		result = push_one(a, a->files[i], to);
		failed |= result;
	}
	post_close(to);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_push(int argc, char **argv)
{
	static const struct argp argp = { options, parse_option, "FILE...", doc };
	static struct arguments a;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return push_all(&a);
}

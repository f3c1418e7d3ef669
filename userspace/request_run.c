/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/request_run.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "userspace/output.h"

#define WAIT_MS 200
/* A moment that is late by less than this is not left for the next drain. */
#define EARLY_NS 100000000ull

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	stopping = sig;
}

static void signals_catch(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

struct report_style request_run_style(const struct request_run *r)
{
	struct report_style style = {.exact = r->exact, .limit = r->limit};

	style.color = output_is_colored(r->out, &style.width);
	return style;
}

static int complain(const struct request_run *r, const char *what)
{
	if (r->file)
		fprintf(stderr, "%s: %s: %s\n", r->command,
			strcmp(r->file, "-") ? r->file : "standard input", what);
	else
		fprintf(stderr, "%s: %s\n", r->command, what);
	return EXIT_FAILURE;
}

static int complain_of_output(const struct request_run *r, int err)
{
	/* Whoever read it has seen enough. */
	if (!err || err == -EPIPE)
		return EXIT_SUCCESS;
	fprintf(stderr, "%s: cannot write %s: %s\n", r->command, r->out ? r->out : "standard output",
		strerror(-err));
	return EXIT_FAILURE;
}

static int show_file(struct request_run *r, struct profile *p)
{
	struct recording_status status;
	struct output output;
	char message[512];
	int err = recording_read(r->file, &p->sink, &status, message, sizeof(message));

	if (err)
		return complain(r, message);
	if (!p->has_meta)
		return complain(r, status.corrupt ? "it is damaged from the start"
						  : "the recorder did not get to its first flush");
	if (!p->meta.requests)
		return complain(r, "recorded without requests: record with --requests");
	/* The table says it itself. */
	if (r->format != REQUEST_TABLE && (status.corrupt || status.incomplete))
		complain(r, status.corrupt ? "warning: damaged: only a part of it could be read"
					   : "warning: incomplete: recorder did not finish");
	err = output_open(r->out, &output);
	if (!err) {
		err = r->show(r, p, &status, true, output.file);
		if (err)
			output_discard(&output);
		else
			err = output_commit(&output);
	}
	return complain_of_output(r, err);
}

/* ---- measured now ---- */

/* One PID that cannot be measured is an error; one of many is a warning. */
static int attach_all(const struct request_run *r, struct session *s)
{
	unsigned attached = 0;
	char why[512];
	int err = -ESRCH;

	if (r->options.everyone) {
		err = session_everyone(s, why, sizeof(why));
		if (err)
			complain(r, why);
		return err;
	}
	if (!r->targets.n)
		complain(r, "no process matches");
	for (size_t i = 0; i < r->targets.n && !stopping; i++) {
		err = session_attach(s, r->targets.v[i], why, sizeof(why));
		if (!err)
			attached++;
		else
			fprintf(stderr, "%s: %d: %s\n", r->command, r->targets.v[i], why);
	}
	return attached ? 0 : err;
}

static void notices(const struct request_run *r, struct session *s)
{
	const char *note;

	while ((note = session_notice(s)))
		complain(r, note);
}

static void begin_tell(const struct request_run *r, struct session *s)
{
	struct session_status st;

	session_status(s, &st);
	if (st.fallback_reason)
		fprintf(stderr, "%s: the metric is %s: %s\n", r->command, metric_name(st.metric),
			st.fallback_reason);
	if (st.caution)
		complain(r, st.caution);
	if (!r->seconds)
		fprintf(stderr, "%s: measuring %u process%s; Ctrl-C stops\n", r->command, st.targets,
			st.targets == 1 ? "" : "es");
}

/* Each line is there at once, for whoever reads along. */
static int stream_flush(FILE *out)
{
	errno = 0;
	if (fflush(out) || ferror(out))
		return errno ? -errno : -EIO;
	return 0;
}

static int serve(struct request_run *r, struct session *s, const struct profile *p, FILE *out)
{
	static const struct recording_status complete;
	uint64_t shown = 0;
	struct session_status st;
	int err = 0;

	session_status(s, &st);
	while (!err && !stopping && (st.targets || r->options.everyone)) {
		double left = r->seconds ? r->seconds - st.duration_ns / 1e9 : 1;

		if (left <= 0)
			break;
		err = session_poll(s, left < 0.2 ? (int)ceil(left * 1000) : WAIT_MS);
		notices(r, s);
		session_status(s, &st);
		/* Figures are those of the last drain, which are once a second. */
		if (!err && r->interval && p->duration_ns + EARLY_NS >= shown + r->interval * 1e9) {
			shown = p->duration_ns;
			err = r->show(r, p, &complete, false, out);
		}
		if (!err && (r->interval || r->each))
			err = stream_flush(out);
	}
	return err;
}

static int measure(struct request_run *r, struct profile *p, struct session *s, FILE *out)
{
	static const struct recording_status complete;
	int err = serve(r, s, p, out), late = session_finish(s);

	notices(r, s);
	if (!err)
		err = late;
	if (!err)
		err = r->show(r, p, &complete, true, out);
	return err;
}

static int show_live(struct request_run *r, struct profile *p, FILE *out, int *ret_err)
{
	struct session *s = NULL;
	char why[512] = "";
	int err, code = EXIT_FAILURE;

	r->options.requests = &r->config;
	r->options.each = r->each;
	r->options.each_arg = r;
	err = session_open(&r->options, &p->sink, &s, why, sizeof(why));
	if (err)
		return complain(r, *why ? why : strerror(-err));
	if (r->each)
		r->each_begin(r, p, out);
	if (!attach_all(r, s)) {
		begin_tell(r, s);
		*ret_err = measure(r, p, s, out);
		code = EXIT_SUCCESS;
	}
	session_close(s);
	return code;
}

static int show_measured(struct request_run *r, struct profile *p)
{
	struct output output;
	int err = output_open(r->out, &output), code;

	if (err)
		return complain_of_output(r, err);
	signals_catch();
	code = show_live(r, p, output.file, &err);
	if (code || err)
		output_discard(&output);
	else
		err = output_commit(&output);
	return code ? code : complain_of_output(r, err);
}

int request_run(struct request_run *r)
{
	struct profile *p = NULL;
	int err, code;

	/* Names are UTF-8 whatever the locale, and wcwidth() has to know them. */
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8"))
		setlocale(LC_CTYPE, "C.UTF-8");
	err = profile_create(&p);
	if (err) {
		code = complain(r, strerror(-err));
	} else if (r->file) {
		code = show_file(r, p);
	} else {
		code = show_measured(r, p);
	}
	profile_free(p);
	targets_clear(&r->targets);
	request_config_clear(&r->config);
	return code;
}

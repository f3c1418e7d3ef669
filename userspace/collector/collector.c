/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/collector.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "userspace/clock.h"
#include "userspace/collector/collector_parts.h"
#include "userspace/collector/keeper.h"
#include "userspace/collector/serve_tls.h"
#include "userspace/fleet/daemon_log.h"

#define SECOND_NS 1000000000ull
#define BACKLOG 1024
#define DRAIN_S 30
#define STUCK_S 300
#define UNREADY_S 10 /* after the store failed */
#define HEAD_MEMORY 32768 /* of a connection */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

bool collector_is_ready(const struct collector *c)
{
	uint64_t failed = __atomic_load_n(&c->failed_ns, __ATOMIC_RELAXED);

	return !collector_is_draining(c) && (!failed || clock_ns() - failed > UNREADY_S * SECOND_NS);
}

void collector_failed(struct collector *c)
{
	__atomic_store_n(&c->failed_ns, clock_ns(), __ATOMIC_RELAXED);
}

uint16_t collector_port(const struct collector *c)
{
	return c->port;
}

/* ---- beginning ---- */

static int fail(char *err, size_t errlen, int error, const char *what)
{
	snprintf(err, errlen, "%s: %s", what, strerror(-error));
	return error;
}

/* The first line of a file. */
static int read_password(const char *path, char *buf, size_t size, char *err, size_t errlen)
{
	FILE *f = fopen(path, "re");
	char what[256];

	snprintf(what, sizeof(what), "cannot read %.200s", path);
	if (!f)
		return fail(err, errlen, -errno, what);
	setvbuf(f, NULL, _IONBF, 0);
	if (!fgets(buf, size, f))
		*buf = 0;
	buf[strcspn(buf, "\n")] = 0;
	fclose(f);
	return 0;
}

static int open_store(struct collector *c, char *err, size_t errlen)
{
	const struct serve_config *config = c->config;
	char password[256] = "";
	struct store_options o = {
		.minute_days = config->minute_days,
		.hour_days = config->hour_days,
		.day_days = config->day_days,
		/* What may still come has to be known when it comes again. */
		.ledger_days = (config->expiry_s + config->skew_s) / 86400 + 1,
		.memory = config->store_memory,
		.cluster = config->cluster,
		.user = config->store_user,
		.password = config->store_password_file ? password : NULL,
		.ca = config->store_ca,
	};
	int error = 0;

	if (config->store_password_file)
		error = read_password(config->store_password_file, password, sizeof(password), err, errlen);
	if (!error)
		error = store_open(config->store, &o, &c->store, err, errlen);
	explicit_bzero(password, sizeof(password));
	return error;
}

static int read_access(const struct serve_config *config, struct access **ret, char *err, size_t errlen)
{
	if (config->tokens)
		return access_read(config->tokens, ret, err, errlen);
	*ret = access_open();
	return *ret ? 0 : fail(err, errlen, -ENOMEM, "cannot begin");
}

static int load_tls(const struct serve_config *config, char *err, size_t errlen)
{
	if (!config->tls_certificate)
		return 0;
	return serve_tls_load(config->tls_certificate, config->tls_key, config->tls_client_ca, err, errlen);
}

static int open_listener(struct collector *c, char *err, size_t errlen)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int yes = 1, no = 0, fd;
	char what[256];
	bool local;
	int error = serve_config_address(c->config, &address, &local, err, errlen);

	if (error)
		return error;
	snprintf(what, sizeof(what), "cannot listen at %.200s", c->config->listen);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(err, errlen, -errno, what);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, (struct sockaddr *)&address,
		 address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					       : sizeof(struct sockaddr_in)) ||
	    listen(fd, BACKLOG) || getsockname(fd, (struct sockaddr *)&address, &size)) {
		error = fail(err, errlen, -errno, what);
		close(fd);
		return error;
	}
	/* The port is at the same place in both. */
	c->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	c->listener = fd;
	return 0;
}

static void log_http(void *cls, const char *fmt, va_list ap)
{
	char text[256], value[LOG_VALUE_SIZE];

	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = 0;
	daemon_log_some(LOG_INFO, "http", "text=%s", daemon_log_value(value, text));
}

static int start_daemon(struct collector *c, char *err, size_t errlen)
{
	const struct serve_config *config = c->config;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, (intptr_t)serve_tls_choose, NULL },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, PRIORITIES },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
			 MHD_USE_ERROR_LOG | (c->tls ? MHD_USE_TLS : 0);

	tls[0].ptr_value = (void *)serve_tls_choose;
	c->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, door_request, c, MHD_OPTION_EXTERNAL_LOGGER, log_http, NULL,
		MHD_OPTION_LISTEN_SOCKET, c->listener, MHD_OPTION_NOTIFY_COMPLETED, door_completed, c,
		MHD_OPTION_NOTIFY_CONNECTION, door_connection, c, MHD_OPTION_THREAD_POOL_SIZE,
		(unsigned)config->threads, MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->connections,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)config->connections_per_address,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_ARRAY, c->tls ? tls : none, MHD_OPTION_END);
	if (c->daemon)
		return 0;
	snprintf(err, errlen, "the HTTP server does not start%s", c->tls ? ": are certificate and key good?" : "");
	return -EIO;
}

/* As many files as connections, where that is allowed. */
static void raise_files(const struct serve_config *config)
{
	struct rlimit limit;
	rlim_t wanted = config->connections + 256;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int start_threads(struct collector *c)
{
	int err = -pthread_create(&c->grouper, NULL, intake_group, c);

	c->has_grouper = !err;
	while (!err && c->unpacker_count < c->config->threads && c->unpacker_count < UNPACKERS_MAX) {
		err = -pthread_create(&c->unpackers[c->unpacker_count], NULL, intake_unpack, c);
		c->unpacker_count += !err;
	}
	if (!err)
		err = asking_start(c, &c->asking);
	return err ? err : keeper_start(c);
}

static struct collector *collector_new(const struct serve_config *config)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->config = config;
	c->listener = -1;
	c->tls = config->tls_certificate != NULL;
	c->started_s = time(NULL);
	visitors_init(&c->visitors);
	pthread_rwlock_init(&c->access_lock, NULL);
	pthread_mutex_init(&c->status_lock, NULL);
	exchange_queue_init(&c->unpacking);
	exchange_queue_init(&c->grouping);
	keeper_init(c);
	return c;
}

int collector_start(const struct serve_config *config, struct collector **ret, char *err, size_t errlen)
{
	struct collector *c = collector_new(config);
	int error;

	if (!c)
		return fail(err, errlen, -ENOMEM, "cannot begin");
	raise_files(config);
	error = read_access(config, &c->access, err, errlen);
	if (!error)
		error = load_tls(config, err, errlen);
	/* Another that has the address is found before the store is opened. */
	if (!error)
		error = open_listener(c, err, errlen);
	if (!error)
		error = open_store(c, err, errlen);
	if (!error) {
		c->rates = sender_rates_new(config->sender_batches, config->sender_bytes);
		error = c->rates ? start_threads(c) : -ENOMEM;
		if (error)
			fail(err, errlen, error, "cannot begin");
	}
	if (!error)
		error = otlp_start(c, &c->otlp, err, errlen);
	if (!error)
		error = start_daemon(c, err, errlen);
	if (error)
		collector_stop(c);
	else
		*ret = c;
	return error;
}

/* ---- living ---- */

int collector_reload(struct collector *c, char *err, size_t errlen)
{
	struct access *fresh, *old;
	int error = read_access(c->config, &fresh, err, errlen);

	if (!error) {
		error = load_tls(c->config, err, errlen);
		if (error)
			access_put(fresh);
	}
	metrics_count(&c->metrics, error ? COUNT_RELOAD_ERRORS : COUNT_RELOADS, 1);
	if (error)
		return error;
	pthread_rwlock_wrlock(&c->access_lock);
	old = c->access;
	c->access = fresh;
	pthread_rwlock_unlock(&c->access_lock);
	access_put(old);
	return 0;
}

int collector_check(const struct serve_config *config, char *err, size_t errlen)
{
	struct access *access;
	int error = read_access(config, &access, err, errlen);

	if (error)
		return error;
	access_put(access);
	error = load_tls(config, err, errlen);
	serve_tls_free();
	return error;
}

void collector_tick(struct collector *c)
{
	uint64_t now = clock_ns();
	size_t cut = visitors_cut(&c->visitors, now);
	int64_t senders = sender_rates_count(c->rates);

	if (cut) {
		metrics_count(&c->metrics, COUNT_CUT, cut);
		daemon_log_some(LOG_INFO, "connections_cut", "count=%zu", cut);
	}
	metrics_gauge(&c->metrics, GAUGE_SENDERS,
		      senders - metrics_level(&c->metrics, GAUGE_SENDERS));
	asking_tick(c->asking, now);
}

bool collector_is_alive(struct collector *c)
{
	uint64_t since = __atomic_load_n(&c->writing_since_ns, __ATOMIC_RELAXED);

	return !since || clock_ns() - since < STUCK_S * SECOND_NS;
}

void collector_summary(struct collector *c, char *buf, size_t size)
{
	const struct serve_metrics *m = &c->metrics;

	snprintf(buf, size,
		 "%" PRIu64 " batches stored, %" PRIu64 " came twice, %" PRId64 " wait; %" PRId64
		 " connections; %s",
		 __atomic_load_n(&m->batches[BATCH_NEW], __ATOMIC_RELAXED),
		 __atomic_load_n(&m->batches[BATCH_DUPLICATE], __ATOMIC_RELAXED),
		 metrics_level(m, GAUGE_WAITING), metrics_level(m, GAUGE_CONNECTIONS),
		 collector_is_ready(c) ? "ready" : "the store does not take anything");
}

/* ---- the end ---- */

/* Until all that came is answered; after a while what did not come is cut off. */
static void drain(struct collector *c)
{
	uint64_t until = clock_ns() + DRAIN_S * SECOND_NS;

	while (__atomic_load_n(&c->exchanges, __ATOMIC_SEQ_CST)) {
		uint64_t now = clock_ns();

		/* Those that wait for an answer of ours have no time at which they are cut. */
		visitors_cut(&c->visitors, now > until ? UINT64_MAX : now);
		asking_tick(c->asking, now);
		usleep(10000);
	}
}

static void stop_intake(struct collector *c)
{
	exchange_queue_close(&c->unpacking);
	for (unsigned i = 0; i < c->unpacker_count; i++)
		pthread_join(c->unpackers[i], NULL);
	exchange_queue_close(&c->grouping);
	if (c->has_grouper)
		pthread_join(c->grouper, NULL);
}

static void collector_free(struct collector *c)
{
	store_close(c->store);
	sender_rates_free(c->rates);
	access_put(c->access);
	serve_tls_free();
	exchange_queue_free(&c->grouping);
	exchange_queue_free(&c->unpacking);
	pthread_mutex_destroy(&c->status_lock);
	pthread_rwlock_destroy(&c->access_lock);
	visitors_free(&c->visitors);
	keeper_free(c);
	free(c);
}

int collector_stop(struct collector *c)
{
	__atomic_store_n(&c->draining, true, __ATOMIC_SEQ_CST);
	if (c->daemon) {
		MHD_quiesce_daemon(c->daemon);
		/* It must stay open until the threads are gone, but nobody is to wait in it. */
		shutdown(c->listener, SHUT_RD);
		drain(c);
		MHD_stop_daemon(c->daemon);
	}
	if (c->listener >= 0)
		close(c->listener);
	stop_intake(c);
	keeper_stop(c);
	otlp_stop(c->otlp);
	if (asking_stop(c->asking))
		return -EBUSY;
	collector_free(c);
	return 0;
}

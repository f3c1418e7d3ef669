/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/clock.h"
#include "userspace/store/clickhouse_http.h"

#define CONNECT_MS 5000L
#define INSERT_MS 60000L
#define OTHER_MS 300000L
#define LATE_MS 1000L	   /* that a server may take to tell that the time is over */
#define IDLE_MAX 16	   /* connections kept for the next call */
#define COMPLAINT_MAX 4096 /* bytes of an error that are looked at */

/*
 * Answers as text with names and types; subqueries over Distributed tables are sent to the
 * shards once (the default is to refuse them); long lists of ids are no mistake.
 */
#define SETTINGS                                                                     \
	"wait_end_of_query=1&default_format=TabSeparatedWithNamesAndTypes"           \
	"&distributed_product_mode=global&max_query_size=16777216"                   \
	"&max_ast_elements=2000000&max_expanded_ast_elements=4000000"

struct handle {
	CURL *curl;
	struct handle *next;
};

struct clickhouse_http {
	pthread_mutex_t lock;
	struct handle *idle;
	unsigned idle_count;
	char *user, *password, *ca;
};

/* What comes back of one call. */
struct reply {
	const struct clickhouse_call *call;
	CURL *curl;
	int taken; /* what take() returned */
	char complaint[COMPLAINT_MAX];
	size_t complaint_size;
	char tls[CURL_ERROR_SIZE]; /* what is wrong with the connection */
};

int clickhouse_http_new(const char *user, const char *password, const char *ca,
			struct clickhouse_http **ret)
{
	struct clickhouse_http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	pthread_mutex_init(&h->lock, NULL);
	if ((user && !(h->user = strdup(user))) ||
	    (password && !(h->password = strdup(password))) || (ca && !(h->ca = strdup(ca)))) {
		clickhouse_http_free(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

void clickhouse_http_free(struct clickhouse_http *h)
{
	if (!h)
		return;
	for (struct handle *i = h->idle, *next; i; i = next) {
		next = i->next;
		curl_easy_cleanup(i->curl);
		free(i);
	}
	pthread_mutex_destroy(&h->lock);
	free(h->user);
	if (h->password)
		explicit_bzero(h->password, strlen(h->password));
	free(h->password);
	free(h->ca);
	free(h);
}

static struct handle *borrow(struct clickhouse_http *h)
{
	struct handle *i;

	pthread_mutex_lock(&h->lock);
	i = h->idle;
	if (i) {
		h->idle = i->next;
		h->idle_count--;
	}
	pthread_mutex_unlock(&h->lock);
	if (i)
		return i;
	i = calloc(1, sizeof(*i));
	if (i)
		i->curl = curl_easy_init();
	if (i && !i->curl) {
		free(i);
		i = NULL;
	}
	return i;
}

static void give_back(struct clickhouse_http *h, struct handle *i)
{
	bool keep;

	curl_easy_reset(i->curl); /* its connections stay */
	pthread_mutex_lock(&h->lock);
	keep = h->idle_count < IDLE_MAX;
	if (keep) {
		i->next = h->idle;
		h->idle = i;
		h->idle_count++;
	}
	pthread_mutex_unlock(&h->lock);
	if (!keep) {
		curl_easy_cleanup(i->curl);
		free(i);
	}
}

static size_t on_bytes(char *bytes, size_t one, size_t size, void *arg)
{
	struct reply *r = arg;
	long status = 0;

	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200) {
		if (r->call->take)
			r->taken = r->call->take(r->call->arg, bytes, size);
		return r->taken ? 0 : size;
	}
	if (size > COMPLAINT_MAX - 1 - r->complaint_size)
		one = COMPLAINT_MAX - 1 - r->complaint_size;
	else
		one = size;
	memcpy(r->complaint + r->complaint_size, bytes, one);
	r->complaint_size += one;
	return size;
}

static long left_ms(uint64_t until_ns)
{
	uint64_t now = clock_ns();

	return until_ns > now ? (long)((until_ns - now) / 1000000) : 0;
}

/* Where to: a statement that has rows is in the URL, as the body is theirs. */
static char *make_url(CURL *curl, const struct clickhouse_call *call)
{
	const char *database = call->database ? call->database : call->at->database;
	char *sql = call->rows ? curl_easy_escape(curl, call->sql, 0) : NULL, *url = NULL;
	char limit[64] = "";

	if (call->rows && !sql)
		return NULL;
	if (call->until_ns)
		snprintf(limit, sizeof(limit), "&max_execution_time=%ld",
			 left_ms(call->until_ns) / 1000 + 1);
	if (asprintf(&url, "%s?database=%s&" SETTINGS "%s%s%s", call->at->base, database, limit,
		     sql ? "&query=" : "", sql ? sql : "") < 0)
		url = NULL;
	curl_free(sql);
	return url;
}

static struct curl_slist *make_headers(bool rows)
{
	static const char *const all[] = { "Expect:", "Content-Type: text/plain",
					   "Content-Encoding: gzip" };
	struct curl_slist *list = NULL, *longer;

	for (size_t i = 0; i < (rows ? 3 : 2); i++) {
		longer = curl_slist_append(list, all[i]);
		if (!longer) {
			curl_slist_free_all(list);
			return NULL;
		}
		list = longer;
	}
	return list;
}

static long patience_ms(const struct clickhouse_call *call)
{
	long left = call->until_ns ? left_ms(call->until_ns) + LATE_MS : OTHER_MS;

	return call->rows ? INSERT_MS : left < OTHER_MS ? left : OTHER_MS;
}

static void set_up(CURL *curl, const struct clickhouse_http *h, const struct clickhouse_call *call,
		   const char *url, const struct curl_slist *headers, struct reply *r)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, patience_ms(call));
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->rows ? call->rows : call->sql);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)(call->rows ? call->row_bytes : strlen(call->sql)));
	/*
	 * libcurl sends a request again when a connection that it had kept turns out to be
	 * closed (Curl_retry_request() in lib/transfer.c), and the rows may be in already.
	 */
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, call->rows ? 1L : 0L);
	if (h->user)
		curl_easy_setopt(curl, CURLOPT_USERNAME, h->user);
	if (h->password)
		curl_easy_setopt(curl, CURLOPT_PASSWORD, h->password);
	if (h->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, h->ca);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, r->tls);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, r);
}

/* Of dbms/src/Common/ErrorCodes.cpp (18.16); numbers never change. */
static int kind_of(int code)
{
	switch (code) {
	case 32:  /* ATTEMPT_TO_READ_AFTER_EOF */
	case 75:  /* CANNOT_WRITE_TO_FILE_DESCRIPTOR */
	case CLICKHOUSE_TIMEOUT_EXCEEDED:
	case 198: /* DNS_ERROR */
	case 202: /* TOO_MUCH_SIMULTANEOUS_QUERIES */
	case 203: /* NO_FREE_CONNECTION */
	case 209: /* SOCKET_TIMEOUT */
	case 210: /* NETWORK_ERROR */
	case 225: /* NO_ZOOKEEPER */
	case 236: /* ABORTED */
	case 241: /* MEMORY_LIMIT_EXCEEDED */
	case 242: /* TABLE_IS_READ_ONLY */
	case 243: /* NOT_ENOUGH_SPACE */
	case 244: /* UNEXPECTED_ZOOKEEPER_ERROR */
	case 252: /* TOO_MANY_PARTS */
	case 279: /* ALL_CONNECTION_TRIES_FAILED */
	case 285: /* TOO_LESS_LIVE_REPLICAS */
	case 286: /* UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE */
	case 319: /* UNKNOWN_STATUS_OF_INSERT */
	case 394: /* QUERY_WAS_CANCELLED: the server is stopping */
	case 999: /* KEEPER_EXCEPTION */
		return -EAGAIN;
	case 192: /* UNKNOWN_USER */
	case 193: /* WRONG_PASSWORD */
	case 194: /* REQUIRED_PASSWORD */
	case 195: /* IP_ADDRESS_NOT_ALLOWED */
	case 291: /* DATABASE_ACCESS_DENIED */
	case 497: /* ACCESS_DENIED */
	case 516: /* AUTHENTICATION_FAILED */
		return -EACCES;
	default:
		return -EIO;
	}
}

/* "Code: 60, e.displayText() = DB::Exception: Table p.x doesn't exist., e.what() = ..." */
static int complain(struct reply *r, long status, int *code, char *err, size_t errlen)
{
	static const char mark[] = "DB::Exception: ";
	const char *name = r->call->at->name;
	char *text = r->complaint, *at, *end;

	text[r->complaint_size] = '\0';
	if (sscanf(text, "Code: %d", code) != 1) {
		*code = 0;
		snprintf(err, errlen, "ClickHouse at %s answers HTTP %ld: is that ClickHouse?", name,
			 status);
		/* Of a balancer before it, whose servers are away. */
		return status == 429 || (status >= 502 && status <= 504) ? -EAGAIN : -EIO;
	}
	at = strstr(text, mark);
	if (at)
		text = at + sizeof(mark) - 1;
	end = strstr(text, ", e.what()");
	if (!end)
		end = strstr(text, " (version ");
	if (end)
		*end = '\0';
	for (at = text; *at; at++)
		if (*at == '\n' || *at == '\r' || *at == '\t')
			*at = ' ';
	snprintf(err, errlen, "ClickHouse at %s: %.600s (its error %d)", name, text, *code);
	/* A question that may take only so long; of rows it is not known what became of them. */
	return *code == CLICKHOUSE_TIMEOUT_EXCEEDED && !r->call->rows ? -ETIMEDOUT : kind_of(*code);
}

/* Before it was asked: what waiting does not mend is -EIO. */
static int not_reached(struct reply *r, const char *ca, CURLcode result, char *err, size_t errlen)
{
	const char *name = r->call->at->name;

	switch (result) {
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_PEER_FAILED_VERIFICATION:
		snprintf(err, errlen, "ClickHouse at %s: its certificate is refused (%s): engine.ca is "
			 "who should have signed it, now %s", name, r->tls, ca ? ca : "the system's");
		return -EIO;
	case CURLE_SSL_CACERT_BADFILE:
		snprintf(err, errlen, "%s, of engine.ca, holds no certificates or cannot be read",
			 ca ? ca : "the system's file");
		return -EIO;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		return -EIO;
	case CURLE_OPERATION_TIMEDOUT:
		return r->call->until_ns && !left_ms(r->call->until_ns) ? -ETIMEDOUT : -EAGAIN;
	default:
		return -EAGAIN;
	}
}

static int judge(struct reply *r, const char *ca, CURLcode result, int *code, char *err,
		 size_t errlen)
{
	const char *name = r->call->at->name;
	long status = 0;

	if (r->taken)
		return r->taken;
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_OK && status == 200)
		return 0;
	if (result == CURLE_OK)
		return complain(r, status, code, err, errlen);
	snprintf(err, errlen, "ClickHouse at %s: %s", name, curl_easy_strerror(result));
	return not_reached(r, ca, result, err, errlen);
}

int clickhouse_call(struct clickhouse_http *h, const struct clickhouse_call *call, int *ret_code,
		    char *err, size_t errlen)
{
	struct handle *handle = borrow(h);
	struct reply r = { .call = call };
	struct curl_slist *headers = NULL;
	char *url = NULL;
	int error = -ENOMEM, code = 0;

	if (!handle)
		return -ENOMEM;
	r.curl = handle->curl;
	url = make_url(r.curl, call);
	headers = make_headers(call->rows != NULL);
	if (url && headers) {
		set_up(r.curl, h, call, url, headers, &r);
		error = judge(&r, h->ca, curl_easy_perform(r.curl), &code, err, errlen);
	}
	give_back(h, handle);
	curl_slist_free_all(headers);
	free(url);
	if (ret_code)
		*ret_code = code;
	return error;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/process_tags.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/cgroup.h"
#include "userspace/request_config.h"
#include "userspace/tag_sets.h"

#define FILE_MAX (256u << 10)

static void tag_text(struct tag_list *to, const char *key, const char *value, size_t length)
{
	tag_list_set(to, key, strlen(key), value, length);
}

void environment_tags(const struct request_config *c, const char *environment, size_t size,
		      struct tag_list *to)
{
	const char *at = environment, *end = environment + size;

	while (at < end) {
		const char *next = memchr(at, 0, end - at);
		const char *sign;

		if (!next)
			return; /* it was cut */
		sign = memchr(at, '=', next - at);
		for (unsigned i = 0; sign && i < c->tag_count; i++)
			if (c->tags[i].source == TAG_ENVIRONMENT &&
			    strlen(c->tags[i].value) == (size_t)(sign - at) &&
			    !memcmp(c->tags[i].value, at, sign - at))
				tag_text(to, c->tags[i].key, sign + 1, next - sign - 1);
		at = next + 1;
	}
}

void cgroup_tags(const char *text, struct tag_list *to)
{
	struct cgroup c;

	cgroup_parse(text, &c);
	if (*c.path)
		tag_text(to, "cgroup", c.path, strlen(c.path));
	if (*c.container)
		tag_text(to, "container", c.container, CGROUP_CONTAINER_SHORT);
	if (*c.pod)
		tag_text(to, "pod", c.pod, strlen(c.pod));
}

/* A word of a command line that says which server it is: a file's, a module's or a title's. */
static const char *server_of(const char *word)
{
	static const char *const servers[] = { "gunicorn", "uwsgi", "waitress", "uvicorn", "hypercorn",
					       "daphne", "granian", "celery", "mod_wsgi", "apache2",
					       "httpd", "bjoern", "cheroot", "gevent" };
	const char *slash = strrchr(word, '/');

	if (slash)
		word = slash + 1;
	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
		size_t n = strlen(servers[i]);

		if (!strncmp(word, servers[i], n) && !isalnum((unsigned char)word[n]))
			return servers[i];
	}
	return NULL;
}

/* The program, the script or the module behind -m; and no argument after these. */
const char *server_name(const char *command_line, size_t size)
{
	const char *at = command_line, *end = command_line + size, *server = NULL;

	for (int words = 0; at < end && words < 8 && !server; words++) {
		const char *next = memchr(at, 0, end - at);

		if (!next)
			return NULL;
		server = server_of(at);
		/* "-mwaitress" */
		if (!server && !strncmp(at, "-m", 2))
			server = server_of(at + 2);
		at = next + 1;
	}
	return server;
}

/* What there is of a file of /proc, terminated; NULL: nothing. */
static char *proc_read(pid_t pid, const char *name, size_t *ret_size)
{
	char path[64], *text = NULL;
	size_t size = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		text = malloc(FILE_MAX + 1);
	while (text && size < FILE_MAX) {
		ssize_t n = read(fd, text + size, FILE_MAX - size);

		if (n <= 0)
			break;
		size += n;
	}
	if (fd >= 0)
		close(fd);
	if (!size) {
		free(text);
		return NULL;
	}
	text[size] = 0;
	*ret_size = size;
	return text;
}

static bool command_read(pid_t pid, struct tag_list *to)
{
	size_t size;
	char *text = proc_read(pid, "cmdline", &size);
	const char *server = text ? server_name(text, size) : NULL;

	bool found = text != NULL;

	if (server)
		tag_text(to, "server", server, strlen(server));
	free(text);
	return found;
}

static bool cgroup_read(pid_t pid, struct tag_list *to)
{
	size_t size;
	char *text = proc_read(pid, "cgroup", &size);

	if (!text)
		return false;
	cgroup_tags(text, to);
	free(text);
	return true;
}

static void environment_read(const struct request_config *c, pid_t pid, struct tag_list *to)
{
	size_t size;
	char *text = proc_read(pid, "environ", &size);

	if (!text)
		return;
	environment_tags(c, text, size, to);
	explicit_bzero(text, size); /* secrets are kept in there */
	free(text);
}

bool process_tags(const struct request_config *c, pid_t pid, const char *python,
		  struct tag_list *ret)
{
	bool found;

	ret->count = 0;
	if (python && *python)
		tag_text(ret, "python", python, strlen(python));
	found = command_read(pid, ret);
	found |= cgroup_read(pid, ret);
	for (unsigned i = 0; i < c->tag_count; i++)
		if (c->tags[i].source == TAG_ENVIRONMENT) {
			environment_read(c, pid, ret);
			break;
		}
	return found;
}

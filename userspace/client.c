/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/client.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX 20

struct word {
	const char *in, *is;
};

/* The first that is met holds: iPads call themselves like a Mac, Android is a Linux. */
static const struct word platforms[] = {
	{ "bot", "bot" },	  { "spider", "bot" },	     { "crawl", "bot" },
	{ "Android", "android" }, { "iPhone", "ios" },	     { "iPad", "ios" },
	{ "iPod", "ios" },	  { "Windows", "windows" },  { "CrOS", "chromeos" },
	{ "Macintosh", "macos" }, { "Mac OS X", "macos" },   { "CFNetwork", "ios" },
	{ "Linux", "linux" },	  { "X11", "linux" },
};

/* Likewise: most of them claim to be Chrome, and Chrome to be Safari. */
static const struct word browsers[] = {
	{ "Edg/", "edge" },	{ "EdgA/", "edge" },	  { "EdgiOS/", "edge" },
	{ "OPR/", "opera" },	{ "SamsungBrowser/", "samsung" }, { "FxiOS/", "firefox" },
	{ "Firefox/", "firefox" }, { "CriOS/", "chrome" }, { "Chrome/", "chrome" },
	{ "Version/", "safari" },
};

/* Up to `parts` numbers, "." between. */
static size_t number_length(const char *at, int parts)
{
	size_t n = 0;

	for (;;) {
		size_t digits = strspn(at + n, "0123456789");

		n += digits;
		if (!digits || !--parts || at[n] != '.' || !isdigit((unsigned char)at[n + 1]))
			return n;
		n++;
	}
}

static void version_set(struct client *ret, const char *name, int name_length, const char *number,
			int parts)
{
	int length = number_length(number, parts);

	if (length > 8)
		length = 8; /* no version; and no more of it than that */
	snprintf(ret->version, sizeof(ret->version), "%.*s%s%.*s", name_length, name,
		 length ? " " : "", length, number);
}

static bool browser_find(const char *agent, struct client *ret)
{
	if (strncmp(agent, "Mozilla/", 8))
		return false;
	for (size_t i = 0; i < sizeof(browsers) / sizeof(*browsers); i++) {
		const char *at = strstr(agent, browsers[i].in);

		if (!at)
			continue;
		version_set(ret, browsers[i].is, NAME_MAX, at + strlen(browsers[i].in), 1);
		return true;
	}
	return false;
}

/* "Shop/5.12.3 (...)", "Shop 5.12.3 Android (...)": its first word, and its number. */
static bool product_find(const char *agent, struct client *ret)
{
	char name[NAME_MAX + 1];
	size_t n = 0;

	while (n < NAME_MAX && (isalnum((unsigned char)agent[n]) || (agent[n] && strchr("._-", agent[n])))) {
		name[n] = agent[n];
		n++;
	}
	if (!n || isdigit((unsigned char)*name) || !strncmp(agent, "Mozilla/", 8))
		return false;
	version_set(ret, name, n, agent[n] == '/' || agent[n] == ' ' ? agent + n + 1 : "", 2);
	return true;
}

void client_parse(const char *agent, size_t length, struct client *ret)
{
	char text[256];

	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	memcpy(text, agent, length);
	text[length] = 0;
	strcpy(ret->platform, "other");
	strcpy(ret->version, "other");
	for (size_t i = 0; i < sizeof(platforms) / sizeof(*platforms); i++)
		if (i < 3 ? strcasestr(text, platforms[i].in) : strstr(text, platforms[i].in)) {
			strcpy(ret->platform, platforms[i].is);
			break;
		}
	if (!browser_find(text, ret))
		product_find(text, ret);
}

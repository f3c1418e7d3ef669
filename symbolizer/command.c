/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/command.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/elf_file.h"

/* fs/exec.c of Linux gives up at five interpreters of interpreters. */
#define SCRIPT_DEPTH 5
/* BINPRM_BUF_SIZE: what Linux reads of a "#!" line. */
#define SCRIPT_HEAD 256

static bool is_executable(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* The first directory of a ':' list that has the file, as "DIR/NAME". */
static bool search_list(const char *list, const char *name, bool (*accept)(const char *),
			char ret[PATH_MAX])
{
	char path[PATH_MAX];

	while (list && *list) {
		int len = (int)strcspn(list, ":");
		int n = snprintf(path, sizeof(path), "%.*s/%s", len ? len : 1, len ? list : ".", name);

		if (n > 0 && n < PATH_MAX && accept(path)) {
			memcpy(ret, path, (size_t)n + 1);
			return true;
		}
		list += len;
		list += *list == ':';
	}
	return false;
}

static int command_find(const char *command, const char *search_path, char ret[PATH_MAX])
{
	if (!strchr(command, '/'))
		return search_list(search_path, command, is_executable, ret) ? 0 : -ENOENT;
	if (strlen(command) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(ret, command);
	if (is_executable(command))
		return 0;
	return access(command, F_OK) ? -errno : -EACCES;
}

static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " \t");
	char *end = word + strcspn(word, " \t");

	if (!*word)
		return NULL;
	*line = *end ? end + 1 : end;
	*end = 0;
	return word;
}

/* The command that env's arguments name: options and assignments are skipped. */
static char *env_command(char *arguments)
{
	char *word;

	while ((word = next_word(&arguments))) {
		if (!strcmp(word, "-u") || !strcmp(word, "--unset") || !strcmp(word, "-C"))
			next_word(&arguments);
		else if (!strncmp(word, "-S", 2) && word[2])
			return word + 2;
		else if (word[0] != '-' && !strchr(word, '='))
			return word;
	}
	return NULL;
}

/* What a file's first bytes make of it: 1 ELF, 0 a script run by ret, or an error. */
static int read_head(const char *path, char ret[SCRIPT_HEAD])
{
	char head[SCRIPT_HEAD + 1], *line = head + 2, *word;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, head, SCRIPT_HEAD);
	close(fd);
	if (n < 0)
		return -errno;
	head[n] = 0;
	if (n >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG))
		return 1;
	if (n < 2 || memcmp(head, "#!", 2))
		return -ENOEXEC;
	line[strcspn(line, "\n")] = 0;
	word = next_word(&line);
	if (word && strlen(word) >= 4 && !strcmp(word + strlen(word) - 4, "/env"))
		word = env_command(line);
	if (!word)
		return -ENOEXEC;
	strcpy(ret, word);
	return 0;
}

int command_executable(const char *command, const char *search_path, char **ret_path)
{
	char name[PATH_MAX], path[PATH_MAX];

	if (strlen(command) >= sizeof(name))
		return -ENAMETOOLONG;
	strcpy(name, command);
	for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		int err = command_find(name, search_path, path);

		if (err)
			return err;
		err = read_head(path, name);
		if (err < 0)
			return err;
		if (err == 1) {
			*ret_path = realpath(path, NULL);
			return *ret_path ? 0 : -errno;
		}
	}
	return -ELOOP;
}

static bool is_file(const char *path)
{
	return !access(path, R_OK);
}

/* One RPATH or RUNPATH, whose directories may start with $ORIGIN. */
static bool search_runpath(const char *list, const char *executable, const char *name,
			   char ret[PATH_MAX])
{
	int origin = (int)(strrchr(executable, '/') - executable);

	while (list && *list) {
		int len = (int)strcspn(list, ":");
		int skip = !strncmp(list, "$ORIGIN", 7) ? 7 : !strncmp(list, "${ORIGIN}", 9) ? 9 : 0;
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%.*s%.*s/%s", skip ? origin : 0, executable,
				 len - skip, list + skip, name);

		if (len > skip && n > 0 && n < PATH_MAX && is_file(path)) {
			memcpy(ret, path, (size_t)n + 1);
			return true;
		}
		list += len;
		list += *list == ':';
	}
	return false;
}

/* The directories that ldconfig was told of; its cache holds no others. */
static bool search_ld_conf(const char *name, char ret[PATH_MAX])
{
	glob_t files;
	bool found = false;
	char line[PATH_MAX];

	if (glob("/etc/ld.so.conf.d/*.conf", 0, NULL, &files))
		return false;
	for (size_t i = 0; i < files.gl_pathc && !found; i++) {
		FILE *f = fopen(files.gl_pathv[i], "re");

		while (f && !found && fgets(line, sizeof(line), f)) {
			line[strcspn(line, " \t\n#")] = 0;
			if (line[0] == '/')
				found = search_list(line, name, is_file, ret);
		}
		if (f)
			fclose(f);
	}
	globfree(&files);
	return found;
}

/* A name with a slash is a path, and not searched for. */
static bool library_find(struct elf_file *f, const char *executable, const char *name,
			 char ret[PATH_MAX])
{
	const char *usual = "/lib64:/usr/lib64:/lib:/usr/lib:/usr/local/lib";
	const char *slash = strrchr(name, '/');
	char directory[PATH_MAX];

	if (slash) {
		snprintf(directory, sizeof(directory), "%.*s", (int)(slash - name), name);
		return search_runpath(directory, executable, slash + 1, ret);
	}
	return search_runpath(elf_file_dynamic(f, DT_RPATH, 0), executable, name, ret) ||
	       search_list(getenv("LD_LIBRARY_PATH"), name, is_file, ret) ||
	       search_runpath(elf_file_dynamic(f, DT_RUNPATH, 0), executable, name, ret) ||
	       search_ld_conf(name, ret) || search_list(usual, name, is_file, ret);
}

int command_library(const char *executable, const char *prefix, char **ret_path)
{
	char path[PATH_MAX];
	struct elf_file *f;
	const char *name;
	int fd = open(executable, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = elf_file_open(fd, &f);
	close(fd);
	if (err)
		return err;
	err = -ENOENT;
	for (size_t i = 0; err && (name = elf_file_dynamic(f, DT_NEEDED, i)); i++) {
		const char *slash = strrchr(name, '/');

		if (!strncmp(slash ? slash + 1 : name, prefix, strlen(prefix)) &&
		    library_find(f, executable, name, path))
			err = 0;
	}
	elf_file_free(f);
	if (!err) {
		*ret_path = realpath(path, NULL);
		err = *ret_path ? 0 : -errno;
	}
	return err;
}

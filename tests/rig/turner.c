// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes the threads that a recorder measures work for one class of requests after the
 * other, at any moment: so that their stacks are moved amid whatever they do.
 *
 *	turner PID MICROSECONDS		until the recorder PID, with --requests, has ended
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/wire.h"

#define CLASSES 6 /* none, and some */

/* The number of the BPF map that a descriptor is of, or 0. */
static unsigned map_of(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[128];
	unsigned id = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "map_id: %u", &id) == 1)
			break;
	if (f)
		fclose(f);
	return id;
}

/* The recorder's map of threads; their number, or 0. */
static unsigned threads_of(pid_t pid, struct wire_thread **ret)
{
	char path[300];
	struct dirent *e;
	unsigned count = 0;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	fds = opendir(path);
	while (fds && !count && (e = readdir(fds))) {
		struct bpf_map_info info = {0};
		__u32 len = sizeof(info);
		unsigned id;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.20s", pid, e->d_name);
		id = map_of(path);
		fd = id ? bpf_map_get_fd_by_id(id) : -1;
		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, "threads") &&
		    info.value_size == sizeof(**ret)) {
			*ret = mmap(NULL, info.max_entries * sizeof(**ret), PROT_READ | PROT_WRITE,
				    MAP_SHARED, fd, 0);
			count = *ret == MAP_FAILED ? 0 : info.max_entries;
		}
		close(fd);
	}
	if (fds)
		closedir(fds);
	return count;
}

int main(int argc, char **argv)
{
	struct wire_thread *threads = NULL;
	unsigned long turns = 0;
	unsigned count;
	pid_t pid;

	if (argc != 3)
		return 2;
	pid = atoi(argv[1]);
	count = threads_of(pid, &threads);
	if (!count) {
		fprintf(stderr, "turner: %d measures no threads\n", pid);
		return 1;
	}
	printf("turning\n");
	fflush(stdout);
	while (!kill(pid, 0)) {
		for (unsigned i = 0; i < count; i++) {
			if (!threads[i].tgid)
				continue;
			__atomic_store_n(&threads[i].class_id, random() % CLASSES, __ATOMIC_RELAXED);
			turns++;
		}
		usleep(atoi(argv[2]));
	}
	printf("%lu turns\n", turns);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a process is among control groups, and which container and pod that means, by
 * /proc/PID/cgroup: lines of ID:CONTROLLERS:PATH (cgroups(7)).
 */
#ifndef PYCOST_CGROUP_H
#define PYCOST_CGROUP_H

#define CGROUP_PATH_SIZE 512
#define CGROUP_CONTAINER_SIZE 65
#define CGROUP_CONTAINER_SHORT 12 /* as much of its digits as people use */
#define CGROUP_POD_SIZE 37

struct cgroup {
	/* Of v2; before it that of systemd, of memory, or the first; "" where it is the root. */
	char path[CGROUP_PATH_SIZE];
	/* 64 hexadecimal digits, as all engines have them; of containers in containers that of
	 * the outermost, which is the one that this host's engine knows; "": it is in none. */
	char container[CGROUP_CONTAINER_SIZE];
	/* Of Kubernetes: "pod" and a UUID, in which systemd has '_'; here with '-'; "" */
	char pod[CGROUP_POD_SIZE];
};

/* text: foreign, as is all of ret. */
void cgroup_parse(const char *text, struct cgroup *ret);

#endif

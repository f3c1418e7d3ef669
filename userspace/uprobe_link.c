/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/uprobe_link.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* enum bpf_attach_type of include/uapi/linux/bpf.h, which is newer than Debian 12's. */
#define TRACE_UPROBE_MULTI 48

/* The members of union bpf_attr that make such a link; likewise. */
struct link_create {
	uint32_t program, target, attach_type, flags;
	uint64_t path, offsets, semaphores, cookies;
	uint32_t count, multi_flags, pid, zero;
};

int uprobe_link_nothing(void)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, o);
	int fd;

	o.expected_attach_type = TRACE_UPROBE_MULTI;
	fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "pycost_nothing", "GPL", nothing,
			   sizeof(nothing) / sizeof(*nothing), &o);
	return fd < 0 ? -errno : fd;
}

bool uprobe_links_work(void)
{
	struct utsname host;
	unsigned major, minor;
	int fd;

	if (uname(&host) || sscanf(host.release, "%u.%u", &major, &minor) != 2 ||
	    major < 6 || (major == 6 && minor < 12))
		return false;
	fd = uprobe_link_nothing();
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

void uprobe_links_prepare(struct bpf_object *object)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, object)
		if (bpf_program__type(p) == BPF_PROG_TYPE_KPROBE)
			bpf_program__set_expected_attach_type(p, TRACE_UPROBE_MULTI);
}

int uprobe_link_open(int program_fd, const char *path, uint64_t offset, uint64_t semaphore,
		     pid_t pid)
{
	uint64_t offsets[] = {offset}, semaphores[] = {semaphore};
	struct link_create attr = {
		.program = program_fd,
		.attach_type = TRACE_UPROBE_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.semaphores = semaphore ? (uintptr_t)semaphores : 0,
		.count = 1,
		.pid = pid,
	};
	int fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

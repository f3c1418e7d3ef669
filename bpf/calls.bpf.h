/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which system calls tell of requests.  Numbers: arch/x86/entry/syscalls/syscall_64.tbl,
 * include/uapi/asm-generic/unistd.h.  What goes through io_uring is not seen.
 */
#ifndef PYCOST_CALLS_BPF_H
#define PYCOST_CALLS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum call_kind {
	CALL_OTHER,
	CALL_TRIVIAL, /* the kernel answers at once: not even its time is taken */
	CALL_READ,	 /* fd, buffer, size */
	CALL_RECEIVE,	 /* and flags */
	CALL_RECEIVE_V,	 /* fd, iovec, how many */
	CALL_RECEIVE_MESSAGE, /* fd, msghdr, flags */
	CALL_SEND, /* fd, buffer */
	CALL_SEND_V,
	CALL_SEND_MESSAGE,
	CALL_SEND_FILE, /* to fd */
	CALL_SPLICE,	/* from fd, position, to fd */
	CALL_ACCEPT,
	CALL_CONNECT,
	CALL_CLOSE,
	CALL_SHUTDOWN, /* fd, how */
	CALL_EPOLL,
	CALL_POLL,
	CALL_SELECT,
	CALL_FUTEX,
};

#define CALL_NUMBERS 512 /* a power of 2 */

const volatile __u8 call_kinds[CALL_NUMBERS] = {
#ifdef __TARGET_ARCH_arm64
	[63] = CALL_READ,
	[65] = CALL_RECEIVE_V,	      /* readv */
	[207] = CALL_RECEIVE,	      /* recvfrom */
	[212] = CALL_RECEIVE_MESSAGE, /* recvmsg */
	[64] = CALL_SEND,	      /* write */
	[66] = CALL_SEND_V,	      /* writev */
	[206] = CALL_SEND,	      /* sendto */
	[211] = CALL_SEND_MESSAGE,    /* sendmsg */
	[71] = CALL_SEND_FILE,
	[76] = CALL_SPLICE,
	[202] = CALL_ACCEPT,
	[242] = CALL_ACCEPT, /* accept4 */
	[203] = CALL_CONNECT,
	[57] = CALL_CLOSE,
	[210] = CALL_SHUTDOWN,
	[22] = CALL_EPOLL,  /* epoll_pwait */
	[441] = CALL_EPOLL, /* epoll_pwait2 */
	[73] = CALL_POLL,   /* ppoll */
	[72] = CALL_SELECT, /* pselect6 */
	[98] = CALL_FUTEX,
	[25] = CALL_TRIVIAL, /* fcntl */
	[29] = CALL_TRIVIAL, /* ioctl */
	[52] = CALL_TRIVIAL, /* fchmod */
	[62] = CALL_TRIVIAL, /* lseek */
	[113] = CALL_TRIVIAL, /* clock_gettime */
	[135] = CALL_TRIVIAL, /* rt_sigprocmask */
	[172] = CALL_TRIVIAL, /* getpid */
	[173] = CALL_TRIVIAL, /* getppid */
	[178] = CALL_TRIVIAL, /* gettid */
	[204] = CALL_TRIVIAL, /* getsockname */
	[205] = CALL_TRIVIAL, /* getpeername */
	[208] = CALL_TRIVIAL, /* setsockopt */
	[209] = CALL_TRIVIAL, /* getsockopt */
#else
	[0] = CALL_READ,
	[19] = CALL_RECEIVE_V,	     /* readv */
	[45] = CALL_RECEIVE,	     /* recvfrom */
	[47] = CALL_RECEIVE_MESSAGE, /* recvmsg */
	[1] = CALL_SEND,	     /* write */
	[20] = CALL_SEND_V,	     /* writev */
	[44] = CALL_SEND,	     /* sendto */
	[46] = CALL_SEND_MESSAGE,    /* sendmsg */
	[40] = CALL_SEND_FILE,
	[275] = CALL_SPLICE,
	[43] = CALL_ACCEPT,
	[288] = CALL_ACCEPT, /* accept4 */
	[42] = CALL_CONNECT,
	[3] = CALL_CLOSE,
	[48] = CALL_SHUTDOWN,
	[232] = CALL_EPOLL, /* epoll_wait */
	[281] = CALL_EPOLL, /* epoll_pwait */
	[441] = CALL_EPOLL, /* epoll_pwait2 */
	[7] = CALL_POLL,
	[271] = CALL_POLL, /* ppoll */
	[23] = CALL_SELECT,
	[270] = CALL_SELECT, /* pselect6 */
	[202] = CALL_FUTEX,
	[8] = CALL_TRIVIAL,  /* lseek */
	[14] = CALL_TRIVIAL, /* rt_sigprocmask */
	[16] = CALL_TRIVIAL, /* ioctl */
	[39] = CALL_TRIVIAL, /* getpid */
	[51] = CALL_TRIVIAL, /* getsockname */
	[52] = CALL_TRIVIAL, /* getpeername */
	[54] = CALL_TRIVIAL, /* setsockopt */
	[55] = CALL_TRIVIAL, /* getsockopt */
	[72] = CALL_TRIVIAL, /* fcntl */
	[91] = CALL_TRIVIAL, /* fchmod */
	[110] = CALL_TRIVIAL, /* getppid */
	[186] = CALL_TRIVIAL, /* gettid */
	[228] = CALL_TRIVIAL, /* clock_gettime */
#endif
};
/* The registers at a system call's entry: of the kernel's own struct, by CO-RE. */
#ifdef __TARGET_ARCH_arm64
struct pt_regs___kernel {
	unsigned long long regs[31];
	int syscallno;
} __attribute__((preserve_access_index));
#define CALL_NUMBER syscallno

static __always_inline void call_arguments(const struct pt_regs___kernel *r, __u64 args[4])
{
	args[0] = r->regs[0];
	args[1] = r->regs[1];
	args[2] = r->regs[2];
	args[3] = r->regs[3];
}
#else
struct pt_regs___kernel {
	unsigned long di, si, dx, r10, orig_ax;
} __attribute__((preserve_access_index));
#define CALL_NUMBER orig_ax

static __always_inline void call_arguments(const struct pt_regs___kernel *r, __u64 args[4])
{
	args[0] = r->di;
	args[1] = r->si;
	args[2] = r->dx;
	args[3] = r->r10;
}
#endif

static __always_inline __u32 call_kind(long nr)
{
	return call_kinds[nr & (CALL_NUMBERS - 1)];
}

#endif

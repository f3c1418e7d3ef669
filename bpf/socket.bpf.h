/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a descriptor of the current task stands for: which socket, of what family, and
 * to whom it is connected.
 */
#ifndef PYCOST_SOCKET_BPF_H
#define PYCOST_SOCKET_BPF_H

#include "bpf/current.bpf.h"
#include "bpf/losses.bpf.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define S_IFMT 0170000
#define S_IFSOCK 0140000

struct sock_common {
	unsigned short skc_family;
	unsigned int skc_daddr; /* network byte order */
	struct {
		__u8 bytes[16];
	} skc_v6_daddr;
	unsigned short skc_dport; /* network byte order */
	unsigned short skc_num;	  /* the local port, host byte order */
} __attribute__((preserve_access_index));

struct socket_lock_t___kernel {
	int owned; /* by a task: what happens to it is that task's doing */
} __attribute__((preserve_access_index));

struct sock {
	struct sock_common __sk_common;
	struct socket_lock_t___kernel sk_lock;
	unsigned short sk_protocol;
	unsigned char sk_shutdown; /* for what is received, sent: bits */
	struct socket *sk_socket; /* NULL: of no process any more, or not yet */
} __attribute__((preserve_access_index));

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
} __attribute__((preserve_access_index));

/* bytes_acked: from the first sequence number of its own on, which who connects begins with. */
struct tcp_sock {
	__u64 bytes_sent, bytes_acked;
} __attribute__((preserve_access_index));

struct sockaddr_un___kernel {
	unsigned short sun_family;
	char sun_path[108];
} __attribute__((preserve_access_index));

struct unix_address {
	int len;
	struct sockaddr_un___kernel name[0];
} __attribute__((preserve_access_index));

struct unix_sock {
	struct unix_address *addr; /* of the listener, where it was accepted */
	struct sock *peer;
} __attribute__((preserve_access_index));

/*
 * One open socket, whatever descriptors and processes it is open in.  Its file's
 * address is used again once it is closed, but hardly ever with the same inode number:
 * these count up, through all sockets and pipes of the system, until they wrap.
 */
struct connection_key {
	__u64 file;
	__u32 inode;
	__u32 pad;
};

/* To whom a socket is connected. */
struct peer {
	__u16 family; /* 0: not a stream, or one that two descriptors of one process make */
	__u16 port;   /* of AF_INET and AF_INET6, host byte order */
	__u8 accepted; /* by the looks of it: it has the name and the other has none, */
	__u8 connected; /* or the other way round */
	__u8 pad[2];
	__u64 path;   /* of AF_UNIX: its path's hash, see path_hash(); 0: none */
	__u32 host[4]; /* of AF_INET (the first) and AF_INET6 */
};

static __always_inline struct file *file_of(__u32 fd)
{
	struct task_struct *task = task_here();
	struct fdtable *table = HAS_TASK_BTF ? task->files->fdt : BPF_CORE_READ(task, files, fdt);
	struct file *file = 0, **files;

	if (!table || fd >= (HAS_TASK_BTF ? table->max_fds : BPF_CORE_READ(table, max_fds)))
		return 0;
	files = HAS_TASK_BTF ? table->fd : BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

/* As socket_key(), of what a tracepoint tells of: from 6.3 on. */
static __always_inline int socket_key_of(struct sock *sk, struct connection_key *ret)
{
	struct socket *socket = sk->sk_socket;
	struct file *file = socket ? socket->file : 0;

	if (!file)
		return -1;
	ret->file = (__u64)file;
	ret->inode = file->f_inode->i_ino;
	ret->pad = 0;
	return 0;
}

/* 0 when this is an open socket. */
static __always_inline int socket_key(__u32 fd, struct connection_key *ret)
{
	struct file *file = file_of(fd);
	struct inode *inode = file ? BPF_CORE_READ(file, f_inode) : 0;

	if (!inode || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return -1;
	ret->file = (__u64)file;
	ret->inode = BPF_CORE_READ(inode, i_ino);
	ret->pad = 0;
	return 0;
}

static __always_inline int key_is(const struct connection_key *a, const struct connection_key *b)
{
	return a->file == b->file && a->inode == b->inode;
}

/* The current process has this socket open as `fd`. */
static __always_inline int socket_is(__u32 fd, const struct connection_key *key)
{
	struct connection_key now = {};

	return !socket_key(fd, &now) && key_is(&now, key);
}

#define SEND_SHUTDOWN 2 /* include/net/sock.h */

/* Nothing can be sent through this open socket any more. */
static __always_inline int socket_is_shut(const struct connection_key *key)
{
	struct file *file = (void *)key->file;
	struct socket *socket = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk, sk_shutdown) & SEND_SHUTDOWN;
}

/* Closing it now would end it: no other descriptor or process has it open. */
static __always_inline int socket_is_last(const struct connection_key *key)
{
	struct file *file = (void *)key->file;

	if (bpf_core_field_exists(file->f_ref))
		return BPF_CORE_READ(file, f_ref.refcnt.counter) <= 0;
	return BPF_CORE_READ(file, f_count.counter) <= 1;
}

/* FNV-1a, as user space has it of a configured path: up to its first NUL. */
static __always_inline __u64 path_hash(const struct sockaddr_un___kernel *name, int len)
{
	struct sockaddr_un___kernel copy = {};
	__u64 hash = 0xcbf29ce484222325ull;

	bpf_probe_read_kernel(&copy, sizeof(copy), name);
	for (int i = 0; i < (int)sizeof(copy.sun_path); i++) {
		if (i + 2 >= len || !copy.sun_path[i])
			break;
		hash = (hash ^ (__u8)copy.sun_path[i]) * 0x100000001b3ull;
	}
	return hash;
}

static __always_inline __u64 path_of(const struct unix_sock *sk)
{
	struct unix_address *addr = sk ? BPF_CORE_READ(sk, addr) : 0;
	int len = addr ? BPF_CORE_READ(addr, len) : 0;

	if (len <= 2)
		return 0;
	return path_hash((void *)__builtin_preserve_access_index(&addr->name), len);
}

/* Neither end of a socketpair() has a name. */
static __always_inline void peer_of_unix(const struct unix_sock *sk, struct peer *ret)
{
	__u64 own = path_of(sk);

	ret->path = path_of((void *)BPF_CORE_READ(sk, peer));
	ret->accepted = own && !ret->path;
	ret->connected = !own && ret->path;
	if (ret->path || own)
		ret->family = AF_UNIX;
}

/* An IPv4 address may come as an IPv6 one: ::ffff:1.2.3.4. */
static __always_inline void peer_of_inet(const struct sock *sk, __u16 family, struct peer *ret)
{
	ret->family = family;
	ret->port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (family == AF_INET6)
		BPF_CORE_READ_INTO(&ret->host, sk, __sk_common.skc_v6_daddr);
	else
		ret->host[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	if (family == AF_INET6 && !ret->host[0] && !ret->host[1] &&
	    ret->host[2] == __builtin_bswap32(0xffff)) {
		ret->family = AF_INET;
		ret->host[0] = ret->host[3];
		ret->host[2] = ret->host[3] = 0;
	}
}

/*
 * Which side of a TCP connection it is, as long as little was sent: the acknowledgement of
 * its SYN counts as a byte for the side that connects (tcp_rcv_synsent_state_process()
 * calls tcp_ack()), and not for the other (tcp_create_openreq_child()).
 */
static __always_inline void tcp_side(const struct sock *sk, struct peer *ret)
{
	const struct tcp_sock *tcp = (const void *)sk;
	__u64 sent, acked;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return;
	sent = BPF_CORE_READ(tcp, bytes_sent);
	acked = BPF_CORE_READ(tcp, bytes_acked);
	ret->accepted = !sent && !acked;
	ret->connected = acked == sent + 1 || (acked == 1 && sent > 1);
}

static __always_inline void peer_of(const struct connection_key *key, struct peer *ret)
{
	struct file *file = (void *)key->file;
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(socket, sk);
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	__builtin_memset(ret, 0, sizeof(*ret));
	if (BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return;
	if (family == AF_UNIX)
		peer_of_unix((void *)sk, ret);
	else if (family == AF_INET || family == AF_INET6)
		peer_of_inet(sk, family, ret);
	if (family != AF_UNIX)
		tcp_side(sk, ret);
}

#endif

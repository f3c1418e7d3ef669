// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls of libssl in served processes, at their first instructions and at their returns.
 * The functions: include/openssl/ssl.h of OpenSSL 1.1.1, 3.0 and 3.3.
 */
#include <stdbool.h>

#include "bpf/losses.bpf.h"
#include "bpf/wire_request.h"

const volatile struct wire_field request_fields[WIRE_FIELDS];

#include <linux/ptrace.h>
#include <bpf/bpf_tracing.h>
#include "bpf/tls.bpf.h"

/* int SSL_read(SSL *, void *buf, int num) */
SEC("uprobe")
int on_tls_read(struct pt_regs *ctx)
{
	return tls_enter(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), 0, 0);
}

/* int SSL_read_ex(SSL *, void *buf, size_t num, size_t *readbytes) */
SEC("uprobe")
int on_tls_read_ex(struct pt_regs *ctx)
{
	return tls_enter(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), PT_REGS_PARM4(ctx), 0);
}

/* int SSL_write(SSL *, const void *buf, int num) */
SEC("uprobe")
int on_tls_write(struct pt_regs *ctx)
{
	return tls_enter(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), 0, 1);
}

/* int SSL_write_ex(SSL *, const void *buf, size_t num, size_t *written) */
SEC("uprobe")
int on_tls_write_ex(struct pt_regs *ctx)
{
	return tls_enter(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), PT_REGS_PARM4(ctx), 1);
}

/* int SSL_write_ex2(SSL *, const void *buf, size_t num, uint64_t flags, size_t *written) */
SEC("uprobe")
int on_tls_write_ex2(struct pt_regs *ctx)
{
	return tls_enter(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), PT_REGS_PARM5(ctx), 1);
}

SEC("uprobe")
int on_tls_return(struct pt_regs *ctx)
{
	return tls_leave(PT_REGS_RC(ctx));
}

char LICENSE[] SEC("license") = "GPL";

// SPDX-License-Identifier: GPL-2.0-or-later
/* Probes that do nothing: what the kernel itself takes for being called. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("uprobe")
int on_entry(void *ctx)
{
	return 0;
}

SEC("uprobe")
int on_return(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

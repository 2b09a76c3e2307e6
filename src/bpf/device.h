/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device policy of a cgroup on cgroup2: a program of type BPF_PROG_TYPE_CGROUP_DEVICE, which
 * the kernel asks about every open and mknod of a device node. Built as instructions here, without
 * a compiler. bpf(2); Documentation/admin-guide/cgroup-v2.rst, "Device controller".
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BPF_DEVICE_ANY UINT32_MAX

enum { BPF_DEVICE_MKNOD = 1, BPF_DEVICE_READ = 2, BPF_DEVICE_WRITE = 4 };

/* A device, or with BPF_DEVICE_ANY many, and what the exception is about. */
struct bpf_device {
	char type; /* b c */
	uint32_t major, minor;
	unsigned int access; /* BPF_DEVICE_* */
};

/*
 * The policy's instructions. With @allow everything is allowed but accesses that an exception names
 * in part; else nothing but accesses that one exception names in full. *ret is the caller's (free).
 */
int bpf_device_program(bool allow, const struct bpf_device *exceptions, size_t n,
	struct bpf_insn **ret, size_t *ret_n);

/* Loads the policy and attaches it to the cgroup2 directory in place of kist's earlier one. */
int bpf_device_attach(
	int cgroup_fd, bool allow, const struct bpf_device *exceptions, size_t n, struct err *err);

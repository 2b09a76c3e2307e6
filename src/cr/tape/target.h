/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task (thread group) that is being dumped or restored, as every part of cr/ sees it: stopped by
 * ptrace, reached by fds. Owned by cr/dump and cr/restore; the parts below only borrow it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct target {
	uint32_t id; /* number of the task in the image, from 1; the root of the tree is 1 */
	pid_t pid;   /* as we see it */
	pid_t vpid;  /* in its own pid namespace */
	int pidfd;
	int procfd; /* O_PATH directory /proc/PID */
	char comm[64];
	void *tape; /* private to cr/tape: the injected area */
};

/*
 * Runs one system call in the target's main thread, now, and gives its raw result (-errno
 * included) in *ret_result. ptrace(2). Fails only when the target cannot be driven any more.
 */
int target_syscall(
	struct target *t, long nr, const uint64_t args[6], int64_t *ret_result, struct err *err);
/* Scratch memory inside the target, valid for system calls that it runs; at least 16 KiB. */
int target_scratch(struct target *t, uint64_t *ret_addr, size_t *ret_size, struct err *err);
int target_read(struct target *t, uint64_t addr, void *data, size_t len, struct err *err);
int target_write(struct target *t, uint64_t addr, const void *data, size_t len, struct err *err);

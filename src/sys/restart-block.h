/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When an interrupted system call will end. A thread that was stopped in nanosleep, poll or a futex
 * wait finds -516 (ERESTART_RESTARTBLOCK) in its result register, and the kernel keeps the end of
 * the wait in task_struct.restart_block, which no file of /proc and no ptrace request shows. A BPF
 * task iterator does (BPF_TRACE_ITER, Linux 5.8); its program is put together here from the
 * offsets in the kernel's own type information, /sys/kernel/btf/vmlinux.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum restart_kind {
	RESTART_NONE, /* no interrupted wait, or the thread is gone */
	RESTART_NANOSLEEP,
	RESTART_POLL,
	RESTART_FUTEX,
	RESTART_OTHER, /* a function that is not known here: restart_info.function */
};

struct restart_info {
	pid_t tid;
	enum restart_kind kind;
	clockid_t clock;     /* of expires_ns; of the host, without a time namespace's offset */
	uint64_t expires_ns; /* absolute; UINT64_MAX: never */
	uint64_t user_ptr;   /* rmtp (0: none), pollfds, or the futex, in the thread's memory */
	uint32_t nfds;	     /* of a poll */
	uint32_t val, bitset, flags; /* of a futex, flags as kernel/futex has them */
	bool compat;		     /* rmtp is a 32-bit struct timespec */
	char function[64];	     /* the kernel's name of what goes on with the call */
};

/*
 * Finds the offsets (7-20 ms, or at once from the file that an earlier call has left in the
 * directory @cache; NULL: none), loads the program, attaches it. -EOPNOTSUPP with its text where
 * the kernel has no BPF iterator or type information, -EPERM without the rights.
 */
struct restart_reader;
int restart_reader_new(const char *cache, struct restart_reader **ret, struct err *err);
void restart_reader_free(struct restart_reader *reader);
/*
 * Reads the restart blocks of @n threads (ids as our pid namespace has them) in one pass over all
 * tasks, about 1 µs each; @ret has room for @n and is filled in the same order. A block may be a
 * left-over of an earlier wait: it holds only for a stopped thread whose result register is -516.
 */
int restart_reader_read(struct restart_reader *reader, const pid_t *tids, size_t n,
	struct restart_info *ret, struct err *err);
/* All of it for one thread. */
int restart_block_read(pid_t tid, struct restart_info *ret, struct err *err);

/*
 * The time that is left of the wait: 0 when it is over, UINT64_MAX for one without an end. The
 * caller must be in the host's time namespace.
 */
uint64_t restart_left_ns(const struct restart_info *info);

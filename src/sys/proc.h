/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsers of procfs, proc(5). The proc_read_* functions take an fd of a /proc directory (proc_open)
 * and a pid; the parse functions take (text, length) only, and are fuzzed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* An fd of /proc, checked to be procfs (fstatfs). The caller's to close. Returns it, or -errno. */
int proc_open(struct err *err);
/*
 * A procfs for the caller's pid namespace that is mounted nowhere, so that nothing can cover a part
 * of it; where the kernel refuses one (user namespaces with a masked /proc), proc_open, checked to
 * be the root of a procfs. For writes (sysctls, labels) from inside a hostile rootfs.
 */
int proc_open_private(struct err *err);
/* An fd of /proc/PID (or /proc/PID/task/TID by proc_open_task). -ESRCH when it is gone. */
int proc_open_pid(int procfd, pid_t pid);
int proc_open_task(int procfd, pid_t pid, pid_t tid);
/* Reads the file @name below a directory fd, whole (at most 64 MiB), replacing @b's content. */
int proc_read(int dirfd, const char *name, struct buf *b);
/* The target of a link below a directory fd, as an allocated string. */
int proc_readlink(int dirfd, const char *name, char **ret);
/* All numeric entries of the directory @name below @dirfd, ascending; the caller frees *ret. */
int proc_list_ids(int dirfd, const char *name, int **ret, size_t *ret_n);

struct proc_stat {
	pid_t pid, ppid, pgid, sid;
	char comm[64];
	char state; /* R S D T t Z X I */
	int tty_nr, tty_pgrp, exit_signal, nice;
	unsigned int flags;
	uint32_t exit_code; /* as wait(2) */
	uint64_t num_threads, start_time, vsize, rss;
	uint64_t start_code, end_code, start_stack, start_data, end_data, start_brk;
	uint64_t arg_start, arg_end, env_start, env_end;
};
/* -EINVAL when the text is not a stat line. */
int proc_parse_stat(const char *text, size_t len, struct proc_stat *ret);

/* The value of "KEY:\tVALUE\n" in /proc/PID/status or fdinfo, copied; -ENOENT without it. */
int proc_field(const char *text, size_t len, const char *key, char *ret, size_t size);
int proc_field_u64(const char *text, size_t len, const char *key, int base, uint64_t *ret);
/* Pid namespaces nest at most this deep, the first one included; pid_namespaces(7). */
#define PROC_NS_MAX 33
/*
 * The numbers of "NSpid", "NSpgid" or "NSsid" (@key) in /proc/PID/status, ours first, the innermost
 * namespace's last. Returns how many (>= 1), or -errno.
 */
int proc_ns_ids(const char *text, size_t len, const char *key, pid_t ret[PROC_NS_MAX]);
/* The last of them. */
int proc_inner_id(const char *text, size_t len, const char *key, pid_t *ret);

/* SPDX-License-Identifier: Apache-2.0 */
/* The attempts behind the rows of probe.c: each 0 when the feature is there, else -errno. */
#pragma once

#include <stdint.h>

int probe_clone3(void);
int probe_clone_into_cgroup(void);
int probe_set_tid(void);
int probe_pidfd_getfd(void);
int probe_kcmp(void);
int probe_ptrace_rseq(void);
int probe_seccomp_read(void);
int probe_seccomp_notify(void);
int probe_timer_ids(void);
int probe_proc_children(void);
int probe_sys_resource(void);

int probe_process_vm(void);
int probe_set_mm_map(void);
int probe_pagemap_scan(void);
int probe_guard_pages(void);
int probe_userfaultfd(void);
int probe_uffd_minor(void);
int probe_uffd_wp_async(void);

int probe_namespaces(void);
int probe_user_ns(void);
int probe_time_ns(void);
int probe_overlay(void);
int probe_fsopen(void);
int probe_idmapped_mount(void);
int probe_statmount(void);
int probe_fuse(void);
int probe_ipc_next_id(void);
int probe_keyring(void);
int probe_landlock(void);

int probe_tcp_repair(void);
int probe_sock_diag(void);
int probe_nft(void);
int probe_veth(void);
int probe_bridge(void);
int probe_cgroup_bpf(void);
int probe_psi(void);

/* Runs @func in a forked child and gives its result; whatever it changes ends with the child. */
int probe_in_child(int (*func)(void));

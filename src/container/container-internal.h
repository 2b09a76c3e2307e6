/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/container share. */
#pragma once

#include <signal.h>

#include "base/buf.h"
#include "cgroup/cgroup.h"
#include "container/agent.h"
#include "container/container.h"
#include "container/tiny/start.h"
#include "security/security.h"

#define STATE_FILE  "state.json"
#define PARAMS_FILE "params.json" /* container_params; written before the first state */
#define EXIT_FILE   "exit"	  /* status as the monitor saw it, until it is in the state */

/* create.c: closes and frees what only the creating process has (c->making). */
void container_making_free(struct container *c);

/* signals.c: those that are passed on to the container; *ret_old: the mask before. */
void container_signals_set(sigset_t *ret);
void container_signals_block(sigset_t *ret_old);

/* detach.c: where `attach` connects to the monitor. Returns the address' length. */
struct sockaddr_un;
int container_attach_address(const struct container *c, struct sockaddr_un *ret);

/* hooks.c: runs the hooks of this kind, with the state (as @status) on their stdin. */
int container_hooks(
	const struct container *c, enum spec_hook_kind kind, const char *status, struct err *err);

/* end.c: cgroup and network of a container that has no process any more. */
int container_release(struct container *c, struct err *err);

/* create.c: seccomp_compile with the compiled filters kept below KIST_ROOT. */
int container_seccomp_compile(
	const struct spec_seccomp *sc, struct seccomp_prog *ret, struct err *err);

/* net.c: connects c to the bridge; gives its address back, or keeps it for a restore (@park). */
int container_net_attach(struct container *c, const char *guard, struct err *err);
int container_net_leave(struct container *c, bool park, struct err *err);

/* state.c */
/* Does the state on disk still speak of c's process? Else it was started anew, or removed. */
bool container_is_current(const struct container *c);
/* Locked, and also when its state is damaged: to be removed. */
int container_open_any(const char *name, struct container **ret, struct err *err);

/* The cgroup of @c, with its host. Both are the caller's. -ENOENT when it is not there. */
struct container_cgroup {
	struct cgroup_host *host;
	struct cgroup *cg;
};
int container_cgroup_open(const struct container *c, struct container_cgroup *ret, struct err *err);
void container_cgroup_done(struct container_cgroup *cg);
#define autocgroup __attribute__((cleanup(container_cgroup_done)))

/* sync.c: messages between kist and a process that it starts, over a SOCK_SEQPACKET pair. */
struct start_msg {
	int type; /* enum start_type */
	union {
		struct err err;
		pid_t pid;
		int code;
	};
};
int start_send(int sock, int type, pid_t pid, int fd);
/* Sends @err. The result is of no use: who could be told? */
void start_send_err(int sock, const struct err *err);
/*
 * Receives one message; *ret_fd is the fd that came with it or -EBADF (may be NULL). Returns its
 * type, -EPIPE at the end, or the error that the other side sent, in @err.
 */
int start_recv(int sock, struct start_msg *ret, int *ret_fd, struct err *err);

/*
 * A stage process clones the next one and then tells kist its pid. The gate keeps the new process
 * from saying anything before that. Both are to call pass; the stage process when it has spoken.
 */
struct start_gate {
	int fds[2];
};
int start_gate_make(struct start_gate *ret, struct err *err);
void start_gate_pass(struct start_gate *g, bool stage);

/* process.c: the last steps of every process that kist starts in a container. */
struct process_plan {
	const struct spec_process *process;
	const struct seccomp_prog *seccomp; /* NULL: none */
	struct container_agent agent;
	const struct container_params *params;
	int init_fd; /* memfd of kist-init */
	bool init;   /* as pid 1 of the container, with the command as its child */
	int sync;
	int preserve_fds; /* so many from 3 on go into the command */
};
/* Is the command there? Fails as process_become will, if root may not execute it either. */
int process_check(const struct spec_process *p, struct err *err);
/* rlimits, credentials, …, exec. Returns only to fail. */
int process_become(const struct process_plan *p, struct err *err);
/* sched.c: of a process that waits, by its pid; in the process itself. */
int container_sched_apply(const struct spec_process *p, pid_t pid, struct err *err);
int container_memory_policy(const struct spec_linux *l, struct err *err);
int container_personality(const struct spec_linux *l, struct err *err);
/* @pid (0: the caller) may run on the CPUs of this list only. */
int container_affinity(const char *list, pid_t pid, struct err *err);
/* Kist's side: until the command has been executed, which closes the other end of @sock, or has
 * failed. */
int process_wait_exec(const char *command, int sock, struct err *err);
/* Says that @command cannot be executed, with the exit status that shells use for it. */
int process_exec_error(int code, const char *command, struct err *err);
/* Sets oom_score_adj of @pid, a number of the caller's pid namespace; SPEC_UNSET: leaves it. */
int process_oom_score(pid_t pid, int64_t adj, struct err *err);
/* A new pty of the devpts at /dev/pts: *ret_slave and *ret_master. */
int process_pty(const struct spec_process *p, int *ret_master, int *ret_slave, struct err *err);
/* Puts @fds (-EBADF: leave as it is) at 0-2. */
int process_stdio(const int fds[3], struct err *err);

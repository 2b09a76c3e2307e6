/* SPDX-License-Identifier: Apache-2.0 */
/* What a process gives up before it becomes the container's command; one file for each part. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "spec/spec.h"

/* caps.c, capabilities(7). Names as in the OCI spec, "CAP_CHOWN". -EINVAL when unknown. */
int caps_from_name(const char *name, int *ret);
const char *caps_name(int cap);			      /* NULL beyond the last known */
uint64_t caps_default(void);			      /* podman's default set */
int caps_get(struct spec_caps *ret, struct err *err); /* the caller's */
/* Before the change of uid: bounding set, keepcaps. After it: the other sets. Names what fails. */
int caps_apply_bounding(const struct spec_caps *caps, struct err *err);
int caps_apply(const struct spec_caps *caps, struct err *err);

/* seccomp.c, seccomp(2). Compiles in the parent (malloc), loads in the child (two syscalls). */
struct seccomp_prog {
	struct sock_filter *filter;
	unsigned short len;
	unsigned int flags; /* SECCOMP_FILTER_FLAG_* */
};
int seccomp_compile(const struct spec_seccomp *sc, struct seccomp_prog *ret, struct err *err);
/*
 * The same; the program is looked for in, and kept in, the directory @dir_fd (-EBADF: none), which
 * only the caller may write. Compiling takes some 20 ms.
 */
int seccomp_compile_cached(
	const struct spec_seccomp *sc, int dir_fd, struct seccomp_prog *ret, struct err *err);
void seccomp_prog_done(struct seccomp_prog *p);
/* Loads it into the caller; *ret_listener is the notify fd when asked for by flags, else -EBADF. */
int seccomp_prog_load(const struct seccomp_prog *p, int *ret_listener, struct err *err);
/* podman's default profile for the given capabilities, into @ret (owned by the spec). */
int seccomp_default(uint64_t caps, struct spec_seccomp *ret, struct err *err);

/* rlimit.c, setrlimit(2): "RLIMIT_NOFILE" → number. Without CAP_SYS_RESOURCE hard limits only sink.
 */
int rlimit_from_name(const char *name, int *ret);
int rlimit_apply(const struct spec_rlimit *limits, size_t n, struct err *err);

/* creds.c: groups, gid, uid (setgroups may be denied in a user namespace), umask. */
int creds_apply(const struct spec_process *p, struct err *err);
int creds_no_new_privileges(struct err *err);

/*
 * lsm.c: AppArmor profile and SELinux label of the program that the caller executes next. Without
 * the module the parent's check warns, and nothing is set, as with other runtimes.
 */
int lsm_check(const struct spec *spec, struct err *err);
int lsm_apply(const struct spec_process *p, struct err *err);

/*
 * listener.c: a filter's notify fd for the agent that listens on @path, seccomp_unotify(2).
 * Connected early and outside; when the filter is loaded, a thread that it does not hold sends the
 * @state (the specification's containerProcessState) with the fd, so that the agent can answer from
 * the first call on. Without NEW_LISTENER among the program's flags nothing is sent.
 */
int listener_connect(const char *path, struct err *err);
int listener_load(const struct seccomp_prog *p, int sock, const char *state, struct err *err);

/* keyring.c, keyrings(7): a new session keyring "_ses.ID". */
int keyring_new_session(const char *id, struct err *err);

/* sysctl.c: writes namespaced sysctls by an allow-list, through a verified procfs fd. */
int sysctl_check(const struct spec *spec, struct err *err);
int sysctl_apply(const struct spec *spec, struct err *err);

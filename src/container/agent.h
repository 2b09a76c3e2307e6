/* SPDX-License-Identifier: Apache-2.0 */
/* Who decides the system calls that the seccomp filter leaves to an agent (listenerPath). */
#pragma once

#include "container/container.h"
#include "security/security.h"

/* Its socket, and a memfd with what it is told of the process; both -EBADF: nobody. */
struct container_agent {
	int sock, state;
};
/* In the parent: connects to it when @prog wants it; then, when the pid is known, describes it. */
int container_agent_connect(const struct spec_seccomp *sc, const struct seccomp_prog *prog,
	struct container_agent *ret, struct err *err);
int container_agent_describe(const struct container_agent *a, const struct container *c, pid_t pid,
	const char *status, struct err *err);
/* In the process itself: loads the filter. */
int container_agent_load(
	const struct container_agent *a, const struct seccomp_prog *prog, struct err *err);
void container_agent_done(struct container_agent *a);

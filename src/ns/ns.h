/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces of a container: which are new, which are joined, and entering those of a running one.
 * namespaces(7), setns(2), user_namespaces(7), time_namespaces(7).
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "spec/spec.h"

/* CLONE_NEW* of the namespaces that @l wants new. */
int ns_new_flags(const struct spec_linux *l);
/* Has @l a namespace of this type that is joined by path? */
bool ns_is_joined(const struct spec_linux *l, enum spec_ns ns);

/*
 * Enters the namespaces that @l names by path and whose CLONE_NEW* is in @mask, in the order that
 * keeps the rights for the next (user first, mount last). A path of another type is refused.
 */
int ns_join(const struct spec_linux *l, int mask, struct err *err);

/* CLONE_NEW* of the namespaces in which process @pid differs from the caller. */
int ns_differing(pid_t pid, int *ret_flags, struct err *err);
/* Enters these namespaces of the process behind @pidfd, at once (setns(2) with a pidfd). */
int ns_enter(int pidfd, int flags, struct err *err);

/*
 * Writes uid_map and gid_map of @pid, a child that has just made its user namespace. The caller
 * must have CAP_SETUID and CAP_SETGID over the ids.
 */
int ns_write_idmaps(pid_t pid, const struct spec_linux *l, struct err *err);
/* The offsets of the time namespace that @pid has made for its children, before it has any. */
int ns_write_time_offsets(pid_t pid, const struct spec_linux *l, struct err *err);

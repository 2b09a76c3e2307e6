/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work inside another network namespace, by the calling thread, which comes back afterwards.
 * Sockets belong to the namespace in which they were made, and /proc/sys/net shows the caller's.
 * setns(2), network_namespaces(7).
 */
#pragma once

#include "base/err.h"

/* The namespace to come back to. */
struct netns_visit {
	int home; /* -EBADF: not away */
};

/* Enters the namespace @fd; -EBADF stays where we are (netns_leave is then a no-op). */
int netns_enter(struct netns_visit *v, int fd, struct err *err);
/* Goes back. Ends the process when that fails: it would go on in the wrong network. */
void netns_leave(struct netns_visit *v);

/* A new, empty namespace that lives as long as the fd returned. */
int netns_new(struct err *err);

/* socket(2), made inside the namespace @fd (-EBADF: here), close-on-exec. */
int netns_socket(int fd, int domain, int type, int protocol, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The id maps of a user namespace, user_namespaces(7): /proc and stat(2) show ids as we see them,
 * whoever lives in the namespace knows others.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define IDMAP_MAX 340 /* the kernel's limit */

struct idmap {
	struct {
		uint32_t inside, outside, count;
	} row[IDMAP_MAX];
	size_t n;
};
struct idmaps {
	struct idmap uid, gid;
};

#define IDMAP_NONE UINT32_MAX /* there is no such id on the other side */

/* The text of uid_map or gid_map. -EINVAL. */
int idmap_parse(const char *text, struct idmap *ret);
uint32_t idmap_inside(const struct idmap *m, uint32_t outside);
uint32_t idmap_outside(const struct idmap *m, uint32_t inside);
/* Of the process whose /proc/PID is @proc_pid_fd. */
int idmaps_read(int proc_pid_fd, struct idmaps *ret, struct err *err);

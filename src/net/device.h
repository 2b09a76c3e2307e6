/* SPDX-License-Identifier: Apache-2.0 */
/* linux.netDevices: devices of the host in a container's network namespace. rtnetlink(7). */
#pragma once

#include "base/err.h"

/*
 * Moves @name of the namespace @from_ns (-EBADF: ours) into @to_ns, where it is called @new_name,
 * is up, and has its permanent addresses of global scope. -EEXIST when there is such a name
 * already. The kernel gives a physical device back when the namespace ends, and ends a virtual one.
 */
int net_device_move(
	int from_ns, int to_ns, const char *name, const char *new_name, struct err *err);

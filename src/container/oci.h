/* SPDX-License-Identifier: Apache-2.0 */
/* What only the front of an OCI runtime needs of a container. */
#pragma once

#include "container/container.h"

/* The specification's state document, with this status. The caller's (json_decref). */
int container_oci_state(
	const struct container *c, const char *status, json_t **ret, struct err *err);
/* In the process that has made it: the master of its terminal (borrowed), or -EBADF. */
int container_console(const struct container *c);

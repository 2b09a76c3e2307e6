/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoint of a container of kist: its tree, its namespaces, and how it was made. */
#pragma once

#include "cr/dump/dump.h"

/*
 * Dumps the container @name into the empty directory @dirfd. @opts: only what concerns its tree
 * (the container's own fields are filled here). Afterwards it is stopped, or runs on.
 */
int dump_container(const char *name, int dirfd, const struct dump_opts *opts,
	struct dump_result *ret, struct err *err);

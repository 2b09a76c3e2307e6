/* SPDX-License-Identifier: Apache-2.0 */
/* Restore of a container: created anew, with the tree of the image in the place of a command. */
#pragma once

#include "container/container.h"
#include "cr/restore/restore.h"

/*
 * Restores the container of the image in directory @dirfd as @name (NULL: the name it had). A
 * stopped container of that name gives way. Returns when it runs, with a monitor of its own.
 */
int restore_container(
	const struct image *img, const char *name, struct restore_result *ret, struct err *err);
/*
 * The same by this very process, as @params say and not the image; they become the container's,
 * also on failure. It runs when this returns, without a monitor; also if it was frozen, for
 * engines pause what they checkpoint. *ret is the caller's.
 */
int restore_container_here(const struct image *img, struct container_params *params,
	struct container **ret_container, struct restore_result *ret, struct err *err);
/*
 * Restores whatever the image holds: its container, as @name; or its tree with @opts (-EINVAL if a
 * name is given for one).
 */
int restore_image(const struct image *img, const char *name, const struct restore_opts *opts,
	struct restore_result *ret, struct err *err);
/* Whether the image is of a container. */
bool restore_is_container(const struct image *img);

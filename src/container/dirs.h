/* SPDX-License-Identifier: Apache-2.0 */
/* The directories of containers (dir.c, data.c), and the names that follow from where they are. */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct container;

/*
 * As cgroups and leases, which are the host's, know a container: by its name, and by its state
 * directory unless that is the usual one.
 */
#define CONTAINER_HOST_NAME_MAX 80
void container_host_name(const char *name, char *ret, size_t size);
/* An empty container with this name: nothing of it on disk yet. NULL without memory. */
struct container *container_new(const char *name);
/* The fd of KIST_ROOT/containers. */
int container_dirs_open(bool create, struct err *err);
/* Makes c's directory, locked; -EEXIST when the name is taken. Undo: container_dir_remove. */
int container_dir_make(struct container *c, struct err *err);
int container_dir_lock(struct container *c, struct err *err);
void container_unlock(struct container *c);
/* Removes the directory and all in it. */
int container_dir_remove(struct container *c, struct err *err);
/* data.c: sets c->data_fd; makes the directory, or empties what is left there, when @create. */
int container_data_open(struct container *c, bool create, struct err *err);
int container_data_remove(struct container *c, struct err *err);
/* Removes everything below @fd; does not follow links; any depth. */
int container_tree_clear(int fd, struct err *err);

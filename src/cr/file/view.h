/* SPDX-License-Identifier: Apache-2.0 */
/* Making fd_views (for file-dump.c and table.c), and what they say of an owner. */
#pragma once

#include "cr/file/file-internal.h"

void view_done(struct fd_view *v);
#define autoview __attribute__((cleanup(view_done)))

/*
 * Slot @fd below a /proc/PID directory (of @t, or our own for a local duplicate). Opens nothing:
 * `local` stays -EBADF. -ENOENT when there is no such fd.
 */
int view_slot(int procpid, struct target *t, int fd, struct fd_view *ret, struct err *err);
/* A link of @t ("exe", "map_files/1-2") opened with @flags into `local`. @what: for messages. */
int view_link(struct target *t, const char *link, const char *what, int flags, struct fd_view *ret,
	struct err *err);
/* The owner in @st as the view's task knows it; 2^32-1 when its user namespace has none such. */
int file_view_owner(const struct fd_view *v, const struct stat *st, uint32_t *ret_uid,
	uint32_t *ret_gid, struct err *err);

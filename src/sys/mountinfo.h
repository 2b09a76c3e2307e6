/* SPDX-License-Identifier: Apache-2.0 */
/* Parser of /proc/PID/mountinfo, proc(5). Takes text only; every string is unescaped in place. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct mountinfo {
	int id, parent;
	unsigned int major, minor;
	char *root, *mountpoint, *options;
	char *optional; /* "shared:1 master:2", "" without any */
	char *fstype, *source, *super_options;
};

/*
 * Takes the next line off *@text (a writable, NUL-terminated text of @text's owner; *@text moves
 * behind the line). @ret's strings point into it. Returns 1, 0 at the end, -EINVAL for a line that
 * is none.
 */
int mountinfo_next(char **text, struct mountinfo *ret);

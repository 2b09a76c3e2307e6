/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be undone even if kist is killed by SIGKILL meanwhile: a forked child waits for the
 * end of its parent, and does it.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct guard {
	pid_t pid;
	int fd; /* our end of a socket; that it is closed tells the child */
};

/* From now on, @act(@arg) is called in the child if the caller dies before guard_done. */
int guard_start(void (*act)(void *arg), void *arg, struct guard *ret, struct err *err);
/* The child ends without doing anything. Fine for a zeroed guard. */
void guard_done(struct guard *g);

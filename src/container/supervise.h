/* SPDX-License-Identifier: Apache-2.0 */
/* The foreground relay, shared by run and exec. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct supervised {
	int pidfd;	  /* a child of ours */
	int console;	  /* master of its pty, non-blocking; or -EBADF */
	bool interactive; /* the caller's input goes to the console, its terminal is raw */
	bool leave;	  /* do not reap it: that tells others that its end is on record */
};

/*
 * Until the process has ended; *ret_status as kist gives it (128+N for a signal). The signals of
 * container_signals_set must be blocked. The caller's terminal is restored, whatever happens.
 */
int supervise(const struct supervised *s, int *ret_status, struct err *err);

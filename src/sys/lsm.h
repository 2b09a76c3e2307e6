/* SPDX-License-Identifier: Apache-2.0 */
/* Which Linux security modules with labels this host runs. */
#pragma once

#include <stdbool.h>

enum lsm {
	LSM_APPARMOR,
	LSM_SELINUX,
};

/* @procfd: of proc_open or proc_open_private. What cannot be found out counts as not there. */
bool lsm_active(int procfd, enum lsm lsm);

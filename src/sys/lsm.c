// SPDX-License-Identifier: Apache-2.0
/* See lsm.h. A module that is built but off leaves its files in procfs, which then do not answer.
 */
#include "sys/lsm.h"

#include "base/util.h"
#include "sys/proc.h"

bool lsm_active(int procfd, enum lsm lsm)
{
	autobuf struct buf b = {0};

	if (lsm == LSM_APPARMOR)
		return proc_read(procfd, "self/attr/apparmor/current", &b) >= 0 && b.len > 0;
	return proc_read(procfd, "filesystems", &b) >= 0 && strstr(buf_str(&b), "\tselinuxfs\n");
}

// SPDX-License-Identifier: Apache-2.0
/* A session keyring of the container's own, so that it does not see the caller's keys. */
#include <linux/keyctl.h>
#include <stdio.h>

#include "base/log.h"
#include "base/util.h"
#include "security/security.h"
#include "sys/syscall.h"

int keyring_new_session(const char *id, struct err *err)
{
	char name[256];
	int r;

	if (snprintf(name, sizeof(name), "_ses.%s", id) >= (int)sizeof(name))
		return err_setx(err, -ENAMETOOLONG, "the name '%s' is too long for a keyring", id);
	r = sys_keyctl(KEYCTL_JOIN_SESSION_KEYRING, (unsigned long)name, 0, 0, 0);
	if (r == -ENOSYS) { /* a kernel without keyrings has no keys to protect */
		log_debug("no session keyring: this kernel has no keyrings");
		return 0;
	}
	if (r < 0) {
		err_set(err, r, "cannot make the session keyring '%s'", name);
		if (r == -EDQUOT)
			err_hint(err, "the user has too many keys: see /proc/key-users, and raise "
				      "kernel.keys.maxkeys or kernel.keys.root_maxkeys");
		return r;
	}
	return 0;
}

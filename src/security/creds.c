// SPDX-License-Identifier: Apache-2.0
/* Who the process is: groups, gid, uid, umask; and that it can't become more. */
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "security/security.h"

#define UMASK_DEFAULT 022

int creds_apply(const struct spec_process *p, struct err *err)
{
	int r;

	/* without privilege over the parent namespace, setgroups(2) is denied: then there is none
	 */
	if (setgroups(p->n_additional_gids, p->additional_gids) < 0 &&
		(errno != EPERM || p->n_additional_gids)) {
		err_set(err, r = -errno, "cannot set the supplementary groups");
		if (r == -EPERM)
			err_hint(err,
				"a user namespace made without privilege denies setgroups(2); "
				"leave the additional groups out");
		return r;
	}
	if (setresgid(p->gid, p->gid, p->gid) < 0) {
		err_set(err, r = -errno, "cannot become group %u", p->gid);
		if (r == -EINVAL)
			err_hint(err, "the user namespace does not map this gid");
		return r;
	}
	if (setresuid(p->uid, p->uid, p->uid) < 0) {
		err_set(err, r = -errno, "cannot become user %u", p->uid);
		if (r == -EINVAL)
			err_hint(err, "the user namespace does not map this uid");
		return r;
	}
	(void)umask(p->umask == SPEC_UNSET ? UMASK_DEFAULT : (mode_t)p->umask); /* can't fail */
	return 0;
}

int creds_no_new_privileges(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot set no_new_privs");
	return 0;
}

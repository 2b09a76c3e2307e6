// SPDX-License-Identifier: Apache-2.0
/* Labels of Linux security modules, which take hold at execve(2). */
#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "security/security.h"
#include "sys/lsm.h"
#include "sys/proc.h"
#include "sys/syscall.h"

int lsm_check(const struct spec *spec, struct err *err)
{
	autoclose int proc = -EBADF;
	const struct spec_process *p = &spec->process;

	if (!p->apparmor_profile && !p->selinux_label && !spec->linux_.mount_label)
		return 0;
	proc = proc_open(err);
	if (proc < 0)
		return proc;
	if (p->apparmor_profile && *p->apparmor_profile && !lsm_active(proc, LSM_APPARMOR))
		log_warn("the profile '%s' has no effect: this host has no AppArmor",
			p->apparmor_profile);
	if (p->selinux_label && *p->selinux_label && !lsm_active(proc, LSM_SELINUX))
		log_warn(
			"the label '%s' has no effect: this host has no SELinux", p->selinux_label);
	if (spec->linux_.mount_label && *spec->linux_.mount_label && !lsm_active(proc, LSM_SELINUX))
		log_warn("the mount label '%s' has no effect: this host has no SELinux",
			spec->linux_.mount_label);
	return 0;
}

static int write_attr(int proc, const char *file, const char *text, struct err *err)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	autoclose int fd = sys_openat2(proc, file, &how);
	int r = fd < 0 ? fd : io_write(fd, text, strlen(text));

	return r < 0 ? err_set(err, r, "cannot set '%s' for the next execve", text) : 0;
}

int lsm_apply(const struct spec_process *p, struct err *err)
{
	autoclose int proc = -EBADF;
	char text[4096];
	int r = 0;

	if (!p->apparmor_profile && !p->selinux_label)
		return 0;
	proc = proc_open_private(err);
	if (proc < 0)
		return proc;
	if (p->apparmor_profile && *p->apparmor_profile && lsm_active(proc, LSM_APPARMOR)) {
		snprintf(text, sizeof(text), "exec %s", p->apparmor_profile);
		r = write_attr(proc, "self/attr/apparmor/exec", text, err);
		if (r == -ENOENT)
			err_hint(err, "load the profile by apparmor_parser(8) first");
	}
	if (r == 0 && p->selinux_label && *p->selinux_label && lsm_active(proc, LSM_SELINUX))
		r = write_attr(proc, "self/attr/exec", p->selinux_label, err);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Capability sets of the calling thread. The order in which a process sinks: bounding set while
 * CAP_SETPCAP is there, then the user (keeping capabilities), then the other sets.
 */
#include <linux/capability.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/util.h"
#include "security/security.h"
#include "sys/syscall.h"

static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

#define CAP(n)	    (UINT64_C(1) << (n))
#define LAST_BEYOND 63 /* the sets have 64 bits */

int caps_from_name(const char *name, int *ret)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(names[i], name) || !strcasecmp(names[i] + 4, name)) {
			*ret = (int)i;
			return 0;
		}
	return -EINVAL;
}

const char *caps_name(int cap)
{
	return cap >= 0 && cap < (int)ARRAY_SIZE(names) ? names[cap] : NULL;
}

static const char *show(int cap)
{
	return caps_name(cap) ? caps_name(cap) : "of this newer kernel";
}

uint64_t caps_default(void)
{
	return SPEC_CAPS_DEFAULT;
}

int caps_get(struct spec_caps *ret, struct err *err)
{
	struct spec_caps caps = {.set = true};
	uint64_t e, p, i;
	int cap, r;

	r = sys_capget(0, &e, &p, &i);
	if (r < 0)
		return err_set(err, r, "cannot read the capabilities of this process");
	caps.effective = e;
	caps.permitted = p;
	caps.inheritable = i;
	for (cap = 0; cap <= LAST_BEYOND; cap++) {
		r = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		if (r < 0)
			break; /* the first number that the kernel does not know */
		if (r > 0)
			caps.bounding |= CAP(cap);
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) > 0)
			caps.ambient |= CAP(cap);
	}
	*ret = caps;
	return 0;
}

int caps_apply_bounding(const struct spec_caps *caps, struct err *err)
{
	int cap, r;

	for (cap = 0; cap <= LAST_BEYOND; cap++) {
		r = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		if (r < 0)
			break;
		if (r == 0 || caps->bounding & CAP(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_set(err, -errno,
				"cannot drop the capability %s from the bounding set", show(cap));
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot keep capabilities over the change of user");
	return 0;
}

static int apply_ambient(uint64_t ambient, struct err *err)
{
	int cap;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot clear the ambient capabilities");
	for (cap = 0; cap <= LAST_BEYOND; cap++)
		if (ambient & CAP(cap) &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_set(
				err, -errno, "cannot make the capability %s ambient", show(cap));
	return 0;
}

int caps_apply(const struct spec_caps *caps, struct err *err)
{
	uint64_t e, have, i, permitted, inheritable;
	int cap, r;

	r = sys_capget(0, &e, &have, &i);
	if (r < 0)
		return err_set(err, r, "cannot read the capabilities of this process");
	/* what the caller does not have can't be given: the OCI specification wants no failure */
	permitted = caps->permitted & have;
	for (cap = 0; cap <= LAST_BEYOND; cap++)
		if (caps->permitted & ~have & CAP(cap))
			log_info("the capability %s can't be given, it is missing here", show(cap));
	/* inheritable ones must be in the bounding set or held already */
	inheritable = caps->inheritable & (caps->bounding | i) & (have | i);
	r = sys_capset(caps->effective & permitted, permitted, inheritable);
	if (r < 0)
		return err_set(err, r, "cannot set the capabilities");
	return apply_ambient(caps->ambient & permitted & inheritable, err);
}

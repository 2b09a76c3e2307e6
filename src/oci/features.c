// SPDX-License-Identifier: Apache-2.0
/* `features`: what this runtime can do, as the specification's features document. */
#include <errno.h>

#include "base/util.h"
#include "cgroup/cgroup.h"
#include "oci/oci-internal.h"
#include "security/security.h"
#include "sys/probe.h"

extern const struct verb oci_features;

static const char *const hooks[] = {"prestart", "createRuntime", "createContainer",
	"startContainer", "poststart", "poststop", NULL};

static const char *const mount_options[] = {"async", "atime", "bind", "defaults", "dev", "diratime",
	"dirsync", "exec", "idmap", "iversion", "lazytime", "loud", "mand", "noatime", "nodev",
	"nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime",
	"nosuid", "nosymfollow", "private", "ratime", "rbind", "rdev", "rdiratime", "relatime",
	"remount", "rexec", "ridmap", "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime",
	"rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw",
	"rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared",
	"silent", "slave", "strictatime", "suid", "symfollow", "sync", "tmpcopyup", "unbindable",
	NULL};

static const char *const actions[] = {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
	"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY",
	"SCMP_ACT_TRACE", "SCMP_ACT_TRAP", NULL};

static const char *const filter_flags[] = {"SECCOMP_FILTER_FLAG_LOG",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL};

static const char *const policies[] = {"MPOL_BIND", "MPOL_DEFAULT", "MPOL_INTERLEAVE", "MPOL_LOCAL",
	"MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE", NULL};

static const char *const policy_flags[] = {
	"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES", NULL};

static const char *const archs[] = {"SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", NULL};

static const char *const namespaces[] = {
	"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts", NULL};

static json_t *strings(const char *const *v)
{
	json_t *list = json_array();

	for (; *v; v++)
		(void)json_array_append_new(list, json_string(*v)); /* missing without memory */
	return list;
}

static json_t *capabilities(void)
{
	json_t *list = json_array();
	const char *name;
	int i;

	for (i = 0; (name = caps_name(i)); i++)
		(void)json_array_append_new(list, json_string(name)); /* the same */
	return list;
}

static json_t *cgroups(void)
{
	struct cgroup_host *host = NULL;
	bool v1 = false, v2 = false;

	if (cgroup_host_open(&host, NULL) == 0) {
		v1 = cgroup_host_mode(host) != CGROUP_V2;
		v2 = cgroup_host_mode(host) != CGROUP_V1;
	}
	cgroup_host_free(host);
	return json_pack("{s:b, s:b, s:b, s:b, s:b}", "v1", v1, "v2", v2, "systemd", 0,
		"systemdUser", 0, "rdma", 1);
}

static int features_run(int argc, char **argv, struct err *err)
{
	json_t *linux_ = json_pack(
		"{s:o, s:o, s:o, s:{s:b, s:o, s:o, s:o}, s:{s:b}, s:{s:b}, s:{s:{s:b}}, s:{s:b}, "
		"s:{s:b}, s:{s:o, s:o}}",
		"namespaces", strings(namespaces), "capabilities", capabilities(), "cgroup",
		cgroups(), "seccomp", "enabled", 1, "actions", strings(actions), "archs",
		strings(archs), "supportedFlags", strings(filter_flags), "apparmor", "enabled", 1,
		"selinux", "enabled", 1, "mountExtensions", "idmap", "enabled",
		(int)probe_has(PROBE_IDMAPPED_MOUNT), "netDevices", "enabled", 1, "intelRdt",
		"enabled", 0, "memoryPolicy", "modes", strings(policies), "flags",
		strings(policy_flags));
	json_t *j = json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:s, s:s}}", "ociVersionMin", "1.0.0",
		"ociVersionMax", SPEC_OCI_VERSION, "hooks", strings(hooks), "mountOptions",
		strings(mount_options), "linux", linux_, "annotations",
		"org.opencontainers.runc.checkpoint.enabled", "true", "kist.version", KIST_VERSION);

	return j ? oci_print_json(j, err) : err_oom(err);
}

const struct verb oci_features = {
	.name = "features",
	.summary = "print what this runtime can do",
	.run = features_run,
};

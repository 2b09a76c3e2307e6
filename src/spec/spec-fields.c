// SPDX-License-Identifier: Apache-2.0
/* The rows of config.json, from the leaves up to the document. See spec-internal.h. */
#include <stddef.h>

#include "base/util.h"
#include "spec/spec-internal.h"

#define ROW(kind, member_name, struct_, field, ...)                                           \
	{                                                                                     \
		.name = member_name, .type = kind, .offset = offsetof(struct struct_, field), \
		__VA_ARGS__                                                                   \
	}
#define ROW_N(kind, member_name, struct_, field, ...)                                      \
	ROW(kind, member_name, struct_, field, .aux = offsetof(struct struct_, n_##field), \
		__VA_ARGS__)
#define ROW_ARRAY(member_name, struct_, field, rows)    \
	ROW_N(FIELD_ARRAY, member_name, struct_, field, \
		.size = sizeof(*((struct struct_ *)0)->field), .sub = rows)
/* A nested object whose rows count from the start of the same struct. */
#define ROW_SAME(member_name, rows, ...)                                            \
	{                                                                           \
		.name = member_name, .type = FIELD_OBJECT, .sub = rows, __VA_ARGS__ \
	}

static const struct field idmap_fields[] = {
	ROW(FIELD_U32, "containerID", spec_idmap, container_id, .flags = FIELD_ALWAYS),
	ROW(FIELD_U32, "hostID", spec_idmap, host_id, .flags = FIELD_ALWAYS),
	ROW(FIELD_U32, "size", spec_idmap, size, .flags = FIELD_ALWAYS),
	{0},
};

static const struct field mount_fields[] = {
	ROW(FIELD_STRING, "destination", spec_mount, destination),
	ROW(FIELD_STRING, "type", spec_mount, type),
	ROW(FIELD_STRING, "source", spec_mount, source),
	ROW(FIELD_STRV, "options", spec_mount, options),
	ROW_ARRAY("uidMappings", spec_mount, uid_maps, idmap_fields),
	ROW_ARRAY("gidMappings", spec_mount, gid_maps, idmap_fields),
	{0},
};

static const struct field hook_fields[] = {
	ROW(FIELD_STRING, "path", spec_hook, path),
	ROW(FIELD_STRV, "args", spec_hook, args),
	ROW(FIELD_STRV, "env", spec_hook, env),
	ROW(FIELD_I64, "timeout", spec_hook, timeout),
	{0},
};

#define ROW_HOOK(member_name, kind)                                                            \
	{                                                                                      \
		.name = member_name, .type = FIELD_ARRAY,                                      \
		.offset = offsetof(struct spec, hooks[kind]),                                  \
		.aux = offsetof(struct spec, n_hooks[kind]), .size = sizeof(struct spec_hook), \
		.sub = hook_fields                                                             \
	}

static const struct field hooks_fields[] = {
	ROW_HOOK("prestart", SPEC_HOOK_PRESTART),
	ROW_HOOK("createRuntime", SPEC_HOOK_CREATE_RUNTIME),
	ROW_HOOK("createContainer", SPEC_HOOK_CREATE_CONTAINER),
	ROW_HOOK("startContainer", SPEC_HOOK_START_CONTAINER),
	ROW_HOOK("poststart", SPEC_HOOK_POSTSTART),
	ROW_HOOK("poststop", SPEC_HOOK_POSTSTOP),
	{0},
};

static const struct field console_fields[] = {
	ROW(FIELD_U32, "height", spec_process, rows),
	ROW(FIELD_U32, "width", spec_process, columns),
	{0},
};

static const struct field user_fields[] = {
	ROW(FIELD_U32, "uid", spec_process, uid, .flags = FIELD_ALWAYS),
	ROW(FIELD_U32, "gid", spec_process, gid, .flags = FIELD_ALWAYS),
	ROW(FIELD_I64, "umask", spec_process, umask),
	ROW_N(FIELD_U32V, "additionalGids", spec_process, additional_gids),
	{0},
};

static const struct field caps_fields[] = {
	ROW(FIELD_CAPS, "bounding", spec_caps, bounding),
	ROW(FIELD_CAPS, "effective", spec_caps, effective),
	ROW(FIELD_CAPS, "inheritable", spec_caps, inheritable),
	ROW(FIELD_CAPS, "permitted", spec_caps, permitted),
	ROW(FIELD_CAPS, "ambient", spec_caps, ambient),
	{0},
};

static const struct field rlimit_fields[] = {
	ROW(FIELD_STRING, "type", spec_rlimit, type),
	ROW(FIELD_U64, "soft", spec_rlimit, soft, .flags = FIELD_ALWAYS),
	ROW(FIELD_U64, "hard", spec_rlimit, hard, .flags = FIELD_ALWAYS),
	{0},
};

static const struct field scheduler_fields[] = {
	ROW(FIELD_STRING, "policy", spec_process, scheduler),
	ROW(FIELD_I64, "nice", spec_process, nice),
	ROW(FIELD_I64, "priority", spec_process, priority),
	ROW(FIELD_STRV, "flags", spec_process, scheduler_flags),
	ROW(FIELD_I64, "runtime", spec_process, sched_runtime),
	ROW(FIELD_I64, "deadline", spec_process, sched_deadline),
	ROW(FIELD_I64, "period", spec_process, sched_period),
	{0},
};

static const struct field affinity_fields[] = {
	ROW(FIELD_STRING, "initial", spec_process, exec_cpu_initial),
	ROW(FIELD_STRING, "final", spec_process, exec_cpu_final),
	{0},
};

static const char *const io_classes[] = {
	"IOPRIO_CLASS_NONE", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE", NULL};

static const struct field io_priority_fields[] = {
	ROW(FIELD_ENUM, "class", spec_process, io_class, .names = io_classes),
	ROW(FIELD_I64, "priority", spec_process, io_priority),
	{0},
};

const struct field spec_process_fields[] = {
	ROW(FIELD_BOOL, "terminal", spec_process, terminal),
	ROW_SAME("consoleSize", console_fields),
	ROW_SAME("user", user_fields),
	ROW(FIELD_STRV, "args", spec_process, args),
	ROW(FIELD_STRV, "env", spec_process, env),
	ROW(FIELD_STRING, "cwd", spec_process, cwd),
	ROW(FIELD_OBJECT, "capabilities", spec_process, caps,
		.aux = offsetof(struct spec_process, caps.set), .sub = caps_fields),
	ROW_ARRAY("rlimits", spec_process, rlimits, rlimit_fields),
	ROW(FIELD_BOOL, "noNewPrivileges", spec_process, no_new_privileges),
	ROW(FIELD_STRING, "apparmorProfile", spec_process, apparmor_profile),
	ROW(FIELD_STRING, "selinuxLabel", spec_process, selinux_label),
	ROW(FIELD_I64, "oomScoreAdj", spec_process, oom_score_adj),
	ROW_SAME("scheduler", scheduler_fields),
	ROW_SAME("ioPriority", io_priority_fields),
	ROW_SAME("execCPUAffinity", affinity_fields),
	{0},
};

static const struct field monotonic_fields[] = {
	ROW(FIELD_I64, "secs", spec_linux, time_monotonic_sec, .flags = FIELD_ZERO),
	ROW(FIELD_I64, "nanosecs", spec_linux, time_monotonic_nsec, .flags = FIELD_ZERO),
	{0},
};

static const struct field boottime_fields[] = {
	ROW(FIELD_I64, "secs", spec_linux, time_boottime_sec, .flags = FIELD_ZERO),
	ROW(FIELD_I64, "nanosecs", spec_linux, time_boottime_nsec, .flags = FIELD_ZERO),
	{0},
};

static const struct field time_fields[] = {
	ROW_SAME("monotonic", monotonic_fields),
	ROW_SAME("boottime", boottime_fields),
	{0},
};

static const struct field device_fields[] = {
	ROW(FIELD_STRING, "path", spec_device, path),
	ROW(FIELD_CHAR, "type", spec_device, type),
	ROW(FIELD_I64, "major", spec_device, major, .flags = FIELD_ZERO),
	ROW(FIELD_I64, "minor", spec_device, minor, .flags = FIELD_ZERO),
	ROW(FIELD_I64, "fileMode", spec_device, file_mode),
	ROW(FIELD_U32, "uid", spec_device, uid),
	ROW(FIELD_U32, "gid", spec_device, gid),
	{0},
};

static const struct field device_rule_fields[] = {
	ROW(FIELD_BOOL, "allow", spec_device_rule, allow, .flags = FIELD_ALWAYS),
	ROW(FIELD_CHAR, "type", spec_device_rule, type),
	ROW(FIELD_I64, "major", spec_device_rule, major, .flags = FIELD_ANY),
	ROW(FIELD_I64, "minor", spec_device_rule, minor, .flags = FIELD_ANY),
	ROW(FIELD_ACCESS, "access", spec_device_rule, access),
	{0},
};

/* Limits are printed as "unified", where every key fits; the last row, so that it wins. */
static const struct field resource_fields[] = {
	ROW_ARRAY("devices", spec_linux, device_rules, device_rule_fields),
	{.name = "memory", .type = FIELD_CUSTOM, .parse = parse_memory},
	{.name = "cpu", .type = FIELD_CUSTOM, .parse = parse_cpu},
	{.name = "pids", .type = FIELD_CUSTOM, .parse = parse_pids},
	{.name = "blockIO", .type = FIELD_CUSTOM, .parse = parse_block_io},
	{.name = "hugepageLimits", .type = FIELD_CUSTOM, .parse = parse_hugepages},
	{.name = "network", .type = FIELD_CUSTOM, .parse = parse_network},
	{.name = "rdma", .type = FIELD_CUSTOM, .parse = parse_rdma},
	ROW_N(FIELD_MAP, "unified", spec_linux, limits),
	{0},
};

static const struct field seccomp_arg_fields[] = {
	ROW(FIELD_U32, "index", spec_seccomp_arg, index, .flags = FIELD_ALWAYS),
	ROW(FIELD_U64, "value", spec_seccomp_arg, value, .flags = FIELD_ALWAYS),
	ROW(FIELD_U64, "valueTwo", spec_seccomp_arg, value_two),
	ROW(FIELD_STRING, "op", spec_seccomp_arg, op),
	{0},
};

static const struct field seccomp_rule_fields[] = {
	ROW(FIELD_STRV, "names", spec_seccomp_rule, names),
	ROW(FIELD_STRING, "action", spec_seccomp_rule, action),
	ROW(FIELD_I64, "errnoRet", spec_seccomp_rule, errno_ret),
	ROW_ARRAY("args", spec_seccomp_rule, args, seccomp_arg_fields),
	{0},
};

const struct field spec_seccomp_fields[] = {
	ROW(FIELD_STRING, "defaultAction", spec_seccomp, default_action),
	ROW(FIELD_I64, "defaultErrnoRet", spec_seccomp, default_errno),
	ROW(FIELD_STRV, "architectures", spec_seccomp, architectures),
	ROW(FIELD_STRV, "flags", spec_seccomp, flags),
	ROW(FIELD_STRING, "listenerPath", spec_seccomp, listener_path),
	ROW(FIELD_STRING, "listenerMetadata", spec_seccomp, listener_metadata),
	ROW_ARRAY("syscalls", spec_seccomp, rules, seccomp_rule_fields),
	{0},
};

static const char *const personalities[] = {"LINUX", "LINUX32", NULL};

static const struct field personality_fields[] = {
	ROW(FIELD_ENUM, "domain", spec_linux, personality, .names = personalities),
	ROW(FIELD_STRV, "flags", spec_linux, personality_flags),
	{0},
};

static const struct field memory_policy_fields[] = {
	ROW(FIELD_STRING, "mode", spec_memory_policy, mode),
	ROW(FIELD_STRING, "nodes", spec_memory_policy, nodes),
	ROW(FIELD_STRV, "flags", spec_memory_policy, flags),
	{0},
};

/* Refused where it is applied: only its presence matters. */
static const struct field no_fields[] = {{0}};

static const struct field linux_fields[] = {
	{.name = "namespaces",
		.type = FIELD_CUSTOM,
		.parse = parse_namespaces,
		.print = print_namespaces},
	ROW_ARRAY("uidMappings", spec_linux, uid_maps, idmap_fields),
	ROW_ARRAY("gidMappings", spec_linux, gid_maps, idmap_fields),
	ROW_SAME("timeOffsets", time_fields),
	ROW_ARRAY("devices", spec_linux, devices, device_fields),
	ROW(FIELD_STRING, "cgroupsPath", spec_linux, cgroups_path),
	ROW_SAME("resources", resource_fields),
	ROW(FIELD_OBJECT, "seccomp", spec_linux, seccomp,
		.aux = offsetof(struct spec_linux, seccomp.set), .sub = spec_seccomp_fields),
	ROW(FIELD_OBJECT, "memoryPolicy", spec_linux, memory_policy,
		.aux = offsetof(struct spec_linux, memory_policy.set), .sub = memory_policy_fields),
	ROW_N(FIELD_MAP, "sysctl", spec_linux, sysctls),
	ROW(FIELD_STRV, "maskedPaths", spec_linux, masked_paths),
	ROW(FIELD_STRV, "readonlyPaths", spec_linux, readonly_paths),
	ROW(FIELD_STRING, "rootfsPropagation", spec_linux, rootfs_propagation),
	ROW(FIELD_STRING, "mountLabel", spec_linux, mount_label),
	ROW_SAME("personality", personality_fields),
	{.name = "intelRdt",
		.type = FIELD_OBJECT,
		.aux = offsetof(struct spec_linux, intel_rdt),
		.sub = no_fields},
	ROW_N(FIELD_MAP, "netDevices", spec_linux, net_devices, .flags = FIELD_NAMED),
	{0},
};

static const struct field root_fields[] = {
	ROW(FIELD_STRING, "path", spec, root_path),
	ROW(FIELD_BOOL, "readonly", spec, root_readonly),
	{0},
};

const struct field spec_fields[] = {
	ROW(FIELD_STRING, "ociVersion", spec, oci_version),
	ROW_SAME("root", root_fields),
	ROW(FIELD_STRING, "hostname", spec, hostname),
	ROW(FIELD_STRING, "domainname", spec, domainname),
	ROW(FIELD_OBJECT, "process", spec, process, .aux = offsetof(struct spec, has_process),
		.sub = spec_process_fields),
	ROW_ARRAY("mounts", spec, mounts, mount_fields),
	ROW_SAME("hooks", hooks_fields),
	ROW_N(FIELD_MAP, "annotations", spec, annotations),
	ROW(FIELD_OBJECT, "linux", spec, linux_, .sub = linux_fields),
	{0},
};

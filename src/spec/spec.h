/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The description of a container, as the OCI runtime specification's config.json has it. `kist run`
 * fills one from its options; `kist-oci` parses one; a checkpoint image carries one. All strings
 * and arrays are the spec's own (spec_free). Absent numbers are the SPEC_UNSET of their type.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define SPEC_UNSET INT64_MIN
/* What we write into documents that do not say theirs. */
#define SPEC_OCI_VERSION "1.2.0"

enum spec_ns { /* in the order in which they are entered */
	SPEC_NS_USER,
	SPEC_NS_CGROUP,
	SPEC_NS_IPC,
	SPEC_NS_UTS,
	SPEC_NS_NET,
	SPEC_NS_PID,
	SPEC_NS_TIME,
	SPEC_NS_MNT,
	SPEC_NS_COUNT,
};

struct spec_namespace {
	bool enabled; /* a new one, or the one at @path */
	char *path;   /* join this one */
};

struct spec_idmap {
	uint32_t container_id, host_id, size;
};

struct spec_mount {
	char *destination, *type, *source;
	char **options;
	struct spec_idmap *uid_maps, *gid_maps; /* idmapped mount */
	size_t n_uid_maps, n_gid_maps;
};

struct spec_rlimit {
	char *type; /* RLIMIT_NOFILE … */
	uint64_t soft, hard;
};

struct spec_caps { /* masks, bit = capability number of capabilities(7) */
	bool set;  /* false: the field was absent */
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

/*
 * podman's default set: chown dac_override fowner fsetid kill setgid setuid setpcap
 * net_bind_service sys_chroot setfcap.
 */
#define SPEC_CAPS_DEFAULT UINT64_C(0x800405fb)

struct spec_process {
	bool terminal;
	unsigned int rows, columns; /* 0: unset */
	uint32_t uid, gid;
	int64_t umask; /* SPEC_UNSET */
	uint32_t *additional_gids;
	size_t n_additional_gids;
	char **args, **env;
	char *cwd;
	struct spec_caps caps;
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	char *apparmor_profile, *selinux_label;
	int64_t oom_score_adj;				     /* SPEC_UNSET */
	char *scheduler;				     /* SCHED_OTHER …, NULL: unset */
	char **scheduler_flags;				     /* SCHED_FLAG_… */
	int64_t nice, priority;				     /* SPEC_UNSET */
	int64_t sched_runtime, sched_deadline, sched_period; /* ns, SPEC_UNSET */
	int64_t io_class, io_priority;			     /* SPEC_UNSET; IOPRIO_CLASS_* */
	char *exec_cpu_initial, *exec_cpu_final;
};

struct spec_hook {
	char *path;
	char **args, **env;
	int64_t timeout; /* seconds, SPEC_UNSET */
};

enum spec_hook_kind {
	SPEC_HOOK_PRESTART,
	SPEC_HOOK_CREATE_RUNTIME,
	SPEC_HOOK_CREATE_CONTAINER,
	SPEC_HOOK_START_CONTAINER,
	SPEC_HOOK_POSTSTART,
	SPEC_HOOK_POSTSTOP,
	SPEC_HOOK_COUNT,
};

struct spec_device {
	char *path;
	char type; /* c b u p */
	int64_t major, minor;
	int64_t file_mode; /* SPEC_UNSET: 0666 */
	uint32_t uid, gid;
};

struct spec_device_rule {
	bool allow;
	char type;	      /* a b c */
	int64_t major, minor; /* SPEC_UNSET: any */
	char access[4];	      /* of "rwm" */
};

/* One limit, by its cgroup v2 (or kist) key and value text, as the key table of src/cgroup takes
 * it. */
struct spec_limit {
	char *key, *value;
};

struct spec_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	char *op; /* SCMP_CMP_… */
};

struct spec_seccomp_rule {
	char **names;
	char *action; /* SCMP_ACT_… */
	int64_t errno_ret;
	struct spec_seccomp_arg *args;
	size_t n_args;
};

struct spec_seccomp {
	bool set;
	char *default_action;
	int64_t default_errno;
	char **architectures, **flags;
	char *listener_path, *listener_metadata;
	struct spec_seccomp_rule *rules;
	size_t n_rules;
};

struct spec_sysctl {
	char *key, *value;
};

/* A device of the host's network namespace that moves into the container's. */
struct spec_net_device {
	char *host, *name; /* @name "": as it is called already */
};

struct spec_memory_policy {
	bool set;
	char *mode, *nodes; /* MPOL_…; "0-3,5" */
	char **flags;	    /* MPOL_F_… */
};

struct spec_linux {
	struct spec_namespace ns[SPEC_NS_COUNT];
	struct spec_idmap *uid_maps, *gid_maps;
	size_t n_uid_maps, n_gid_maps;
	int64_t time_monotonic_sec, time_monotonic_nsec; /* offsets; 0: none */
	int64_t time_boottime_sec, time_boottime_nsec;
	struct spec_device *devices; /* nodes to make in /dev beside the default ones */
	size_t n_devices;
	char *cgroups_path;
	struct spec_limit *limits; /* linux.resources, in key-table form; later ones win */
	size_t n_limits;
	struct spec_device_rule *device_rules;
	size_t n_device_rules;
	struct spec_seccomp seccomp;
	struct spec_memory_policy memory_policy;
	struct spec_sysctl *sysctls;
	size_t n_sysctls;
	char **masked_paths, **readonly_paths;
	char *rootfs_propagation; /* "private" when NULL */
	char *mount_label;
	int64_t personality; /* SPEC_UNSET; index of LINUX, LINUX32 */
	char **personality_flags;
	bool intel_rdt; /* asked for */
	struct spec_net_device *net_devices;
	size_t n_net_devices;
};

struct spec_annotation {
	char *key, *value;
};

struct spec {
	char *oci_version;
	char *root_path; /* NULL: the host's own files (kist run without --rootfs) */
	bool root_readonly;
	char *hostname, *domainname;
	bool has_process; /* without one, a container may be created, but not started */
	struct spec_process process;
	struct spec_mount *mounts;
	size_t n_mounts;
	struct spec_hook *hooks[SPEC_HOOK_COUNT];
	size_t n_hooks[SPEC_HOOK_COUNT];
	struct spec_annotation *annotations;
	size_t n_annotations;
	struct spec_linux linux_;
};

/* An empty description with every number unset. NULL without memory. */
struct spec *spec_new(void);
void spec_free(struct spec *spec);

/* Frees one part, which is then as in a new spec. */
void spec_seccomp_done(struct spec_seccomp *sc);

/*
 * Makes @spec what `kist run` and `kist-oci spec` start from: all namespaces but user and time, the
 * standard mounts (proc, dev tmpfs, devpts, shm, mqueue, sysfs ro, cgroup), podman's default
 * capabilities, devices, masked and read-only paths, rlimits as inherited, PATH and TERM, cwd "/".
 * The default seccomp profile depends on the final capabilities: add it by seccomp_default
 * (security).
 */
int spec_defaults(struct spec *spec, struct err *err);
/*
 * Adds, as every OCI runtime does, the rules that let a container use its own terminals and the
 * harmless nodes of /dev, and make (not use) any node; and before them, if @deny_all, that nothing
 * else is allowed. Part of spec_defaults.
 */
int spec_add_device_rules(struct spec *spec, bool deny_all, struct err *err);

/* Parses config.json. A wrong field is refused with its JSON path; unknown fields are ignored. */
int spec_parse(const char *json, size_t len, struct spec **ret, struct err *err);
/* Parses a process document (exec --process) alone into spec->process, replacing it. */
int spec_parse_process(const char *json, size_t len, struct spec *spec, struct err *err);
/* Writes the document that spec_parse reads back to the same spec. *ret is the caller's (free). */
int spec_print(const struct spec *spec, char **ret, struct err *err);
/* Checks what the types cannot say: args not empty, cwd absolute, duplicate namespaces, … */
int spec_validate(const struct spec *spec, struct err *err);

/* Names as in config.json ("mount", "network", …) and CLONE_NEW* flags of a namespace. */
const char *spec_ns_name(enum spec_ns ns);
int spec_ns_clone_flag(enum spec_ns ns);

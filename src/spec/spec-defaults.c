// SPDX-License-Identifier: Apache-2.0
/*
 * What a container gets when nobody says otherwise: the mounts, paths and capabilities that users
 * of podman expect.
 */
#include <stdio.h>

#include "base/util.h"
#include "spec/spec-internal.h"

#define OPTIONS_MAX 6

static const struct {
	const char *destination, *type, *source, *options[OPTIONS_MAX];
} mounts[] = {
	{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{"/dev/pts", "devpts", "devpts",
		{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
	{"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
};

static const char *const masked[] = {
	"/proc/acpi",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/dev/block",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/fs/selinux",
};

static const char *const read_only[] = {
	"/proc/asound",
	"/proc/bus",
	"/proc/fs",
	"/proc/irq",
	"/proc/sys",
	"/proc/sysrq-trigger",
};

static const char *const env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm",
};

/* a row's number -1: any */
static const struct {
	char type;
	int major, minor;
	const char *access;
} devices[] = {
	{'c', -1, -1, "m"}, {'b', -1, -1, "m"}, {'c', 1, 3, "rwm"}, /* null */
	{'c', 1, 5, "rwm"},					    /* zero */
	{'c', 1, 7, "rwm"},					    /* full */
	{'c', 1, 8, "rwm"},					    /* random */
	{'c', 1, 9, "rwm"},					    /* urandom */
	{'c', 5, 0, "rwm"},					    /* tty */
	{'c', 5, 1, "rwm"},					    /* console */
	{'c', 5, 2, "rwm"},					    /* ptmx */
	{'c', 136, -1, "rwm"},					    /* pts/N */
};

static int add_all(char ***v, const char *const *s, size_t n)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n && s[i] && r == 0; i++)
		r = strv_push(v, s[i]);
	return r;
}

static int add_mounts(struct spec *spec)
{
	size_t i;

	spec->mounts = calloc(ARRAY_SIZE(mounts), sizeof(*spec->mounts));
	if (!spec->mounts)
		return -ENOMEM;
	spec->n_mounts = ARRAY_SIZE(mounts);
	for (i = 0; i < ARRAY_SIZE(mounts); i++) {
		struct spec_mount *m = &spec->mounts[i];

		m->destination = strdup(mounts[i].destination);
		m->type = strdup(mounts[i].type);
		m->source = strdup(mounts[i].source);
		if (!m->destination || !m->type || !m->source ||
			add_all(&m->options, mounts[i].options, OPTIONS_MAX) < 0)
			return -ENOMEM;
	}
	return 0;
}

int spec_add_device_rules(struct spec *spec, bool deny_all, struct err *err)
{
	struct spec_linux *l = &spec->linux_;
	struct spec_device_rule *r = reallocarray(
		l->device_rules, l->n_device_rules + ARRAY_SIZE(devices) + 1, sizeof(*r));
	size_t i;

	if (!r)
		return err_oom(err);
	l->device_rules = r;
	r += l->n_device_rules;
	if (deny_all)
		*r++ = (struct spec_device_rule){
			.type = 'a', .major = SPEC_UNSET, .minor = SPEC_UNSET, .access = "rwm"};
	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		*r = (struct spec_device_rule){
			.allow = true,
			.type = devices[i].type,
			.major = devices[i].major < 0 ? SPEC_UNSET : devices[i].major,
			.minor = devices[i].minor < 0 ? SPEC_UNSET : devices[i].minor,
		};
		memcpy(r->access, devices[i].access, strlen(devices[i].access));
		r++;
	}
	l->n_device_rules = (size_t)(r - l->device_rules);
	return 0;
}

int spec_defaults(struct spec *spec, struct err *err)
{
	struct spec_caps *caps = &spec->process.caps;
	struct spec_linux *l = &spec->linux_;
	size_t i;

	fields_free(spec_fields, spec);
	for (i = 0; i < SPEC_NS_COUNT; i++)
		free(l->ns[i].path);
	memset(spec, 0, sizeof(*spec));
	fields_unset(spec_fields, spec);

	spec->has_process = true;
	spec->oci_version = strdup(SPEC_OCI_VERSION);
	spec->process.cwd = strdup("/");
	if (!spec->oci_version || !spec->process.cwd || add_mounts(spec) < 0 ||
		add_all(&spec->process.env, env, ARRAY_SIZE(env)) < 0 ||
		add_all(&l->masked_paths, masked, ARRAY_SIZE(masked)) < 0 ||
		add_all(&l->readonly_paths, read_only, ARRAY_SIZE(read_only)) < 0)
		return err_oom(err);
	for (i = 0; i < SPEC_NS_COUNT; i++)
		l->ns[i].enabled = i != SPEC_NS_USER && i != SPEC_NS_TIME;
	caps->set = true;
	caps->bounding = caps->effective = caps->permitted = SPEC_CAPS_DEFAULT;
	return spec_add_device_rules(spec, true, err);
}

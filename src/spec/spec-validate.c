// SPDX-License-Identifier: Apache-2.0
/* What the types of config.json cannot say: which combinations make a container. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/util.h"
#include "spec/spec-internal.h"

static int bad(struct err *err, const char *text)
{
	return err_setx(err, -EINVAL, "config.json: %s", text);
}

/* "." and ".." make a path mean something else than it says. */
static bool has_dots(const char *path)
{
	const char *p = path;
	size_t n;

	while (*p) {
		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += n;
	}
	return false;
}

static int check_process(const struct spec_process *p, struct err *err)
{
	char *const *e;
	size_t i, j;

	if (!p->args || !p->args[0] || !*p->args[0])
		return bad(err, "'process.args' must name a command");
	if (!p->cwd || p->cwd[0] != '/')
		return bad(err, "'process.cwd' must be an absolute path");
	for (e = p->env; e && *e; e++)
		if (!strchr(*e, '=') || **e == '=')
			return err_setx(err, -EINVAL,
				"config.json: 'process.env' has '%s', which is not NAME=VALUE", *e);
	for (i = 0; i < p->n_rlimits; i++) {
		if (!p->rlimits[i].type)
			return bad(err, "'process.rlimits' has an entry without a type");
		if (p->rlimits[i].soft > p->rlimits[i].hard)
			return err_setx(err, -EINVAL,
				"config.json: the soft limit of '%s' is above the hard one",
				p->rlimits[i].type);
		for (j = 0; j < i; j++)
			if (!strcmp(p->rlimits[i].type, p->rlimits[j].type))
				return err_setx(err, -EINVAL,
					"config.json: 'process.rlimits' has '%s' twice",
					p->rlimits[i].type);
	}
	if (p->umask != SPEC_UNSET && (p->umask < 0 || p->umask > 0777))
		return bad(err, "'process.user.umask' must be from 0 to 511 (octal 777)");
	if (p->oom_score_adj != SPEC_UNSET && (p->oom_score_adj < -1000 || p->oom_score_adj > 1000))
		return bad(err, "'process.oomScoreAdj' must be from -1000 to 1000");
	if (p->nice != SPEC_UNSET && (p->nice < -20 || p->nice > 19))
		return bad(err, "'process.scheduler.nice' must be from -20 to 19");
	if (p->io_priority != SPEC_UNSET && (p->io_priority < 0 || p->io_priority > 7))
		return bad(err, "'process.ioPriority.priority' must be from 0 to 7");
	return 0;
}

static int check_idmaps(const struct spec_idmap *m, size_t n, const char *what, struct err *err)
{
	size_t i, j;

	for (i = 0; i < n; i++) {
		if (!m[i].size || m[i].container_id > UINT32_MAX - m[i].size ||
			m[i].host_id > UINT32_MAX - m[i].size)
			return err_setx(err, -EINVAL,
				"config.json: entry %zu of '%s' is empty or too large", i, what);
		for (j = 0; j < i; j++)
			if (m[i].container_id < m[j].container_id + m[j].size &&
				m[j].container_id < m[i].container_id + m[i].size)
				return err_setx(err, -EINVAL,
					"config.json: entries %zu and %zu of '%s' overlap", j, i,
					what);
	}
	return 0;
}

static int check_mount(const struct spec_mount *m, size_t i, struct err *err)
{
	int r;

	if (!m->destination || !*m->destination)
		return err_setx(
			err, -EINVAL, "config.json: 'mounts[%zu].destination' is missing", i);
	if (has_dots(m->destination))
		return err_setx(err, -EINVAL,
			"config.json: 'mounts[%zu].destination' must not contain '..'", i);
	if (!m->n_uid_maps != !m->n_gid_maps)
		return err_setx(err, -EINVAL,
			"config.json: 'mounts[%zu]' needs both uidMappings and gidMappings", i);
	r = check_idmaps(m->uid_maps, m->n_uid_maps, "mounts[].uidMappings", err);
	return r < 0 ? r : check_idmaps(m->gid_maps, m->n_gid_maps, "mounts[].gidMappings", err);
}

static int check_namespaces(const struct spec_linux *l, struct err *err)
{
	const struct spec_namespace *user = &l->ns[SPEC_NS_USER], *time = &l->ns[SPEC_NS_TIME];
	bool offsets = l->time_monotonic_sec || l->time_monotonic_nsec || l->time_boottime_sec ||
		       l->time_boottime_nsec;
	bool maps = l->n_uid_maps || l->n_gid_maps;
	int i;

	for (i = 0; i < SPEC_NS_COUNT; i++)
		if (l->ns[i].path && l->ns[i].path[0] != '/')
			return err_setx(err, -EINVAL,
				"config.json: the path of the %s namespace must be absolute",
				spec_ns_name(i));
	if (maps && !user->enabled)
		return bad(err, "'linux.uidMappings' needs a user namespace");
	if (maps && user->path)
		return bad(err, "'linux.uidMappings' can't be given for a joined user namespace");
	if (user->enabled && !user->path && (!l->n_uid_maps || !l->n_gid_maps))
		return bad(err, "a new user namespace needs 'linux.uidMappings' and gidMappings");
	if (offsets && (!time->enabled || time->path))
		return bad(err, "'linux.timeOffsets' needs a new time namespace");
	return 0;
}

/* dev_valid_name() of the kernel */
static bool is_device_name(const char *s)
{
	return *s && strlen(s) < 16 && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 &&
	       !strpbrk(s, "/:\" \t\n\v\f\r%");
}

static int check_net_devices(const struct spec_linux *l, struct err *err)
{
	size_t i, j;

	for (i = 0; i < l->n_net_devices; i++) {
		const struct spec_net_device *d = &l->net_devices[i];

		if (!is_device_name(d->host) || (*d->name && !is_device_name(d->name)))
			return err_setx(err, -EINVAL,
				"config.json: 'linux.netDevices.%s' is no name of a network device",
				d->host);
		for (j = 0; j < i; j++)
			if (!strcmp(*d->name ? d->name : d->host, *l->net_devices[j].name
									  ? l->net_devices[j].name
									  : l->net_devices[j].host))
				return err_setx(err, -EINVAL,
					"config.json: 'linux.netDevices' gives two devices the "
					"name '%s'",
					*d->name ? d->name : d->host);
	}
	if (l->n_net_devices && !l->ns[SPEC_NS_NET].enabled)
		return bad(err, "'linux.netDevices' needs a network namespace");
	return 0;
}

static int check_linux(const struct spec_linux *l, struct err *err)
{
	static const char *const propagations[] = {"private", "rprivate", "shared", "rshared",
		"slave", "rslave", "unbindable", "runbindable", NULL};
	const char *const *p;
	size_t i;
	int r;

	r = check_namespaces(l, err);
	if (r == 0)
		r = check_idmaps(l->uid_maps, l->n_uid_maps, "linux.uidMappings", err);
	if (r == 0)
		r = check_idmaps(l->gid_maps, l->n_gid_maps, "linux.gidMappings", err);
	if (r == 0)
		r = check_net_devices(l, err);
	if (r == 0 && l->personality_flags && l->personality_flags[0])
		r = bad(err, "'linux.personality.flags' must be empty: there are none");
	if (r < 0)
		return r;
	for (i = 0; i < l->n_devices; i++)
		if (!l->devices[i].path || l->devices[i].path[0] != '/' ||
			has_dots(l->devices[i].path) || !strchr("bcpu", l->devices[i].type) ||
			!l->devices[i].type)
			return err_setx(err, -EINVAL,
				"config.json: 'linux.devices[%zu]' needs an absolute path and a "
				"type "
				"of b, c, p or u",
				i);
	for (i = 0; i < l->n_device_rules; i++)
		if (!strchr("abc", l->device_rules[i].type))
			return err_setx(err, -EINVAL,
				"config.json: 'linux.resources.devices[%zu].type' must be a, b or "
				"c",
				i);
	if (!l->rootfs_propagation)
		return 0;
	for (p = propagations; *p && strcmp(*p, l->rootfs_propagation) != 0; p++)
		;
	if (!*p)
		return err_setx(err, -EINVAL, "config.json: unknown 'linux.rootfsPropagation' '%s'",
			l->rootfs_propagation);
	return 0;
}

static int check_hooks(const struct spec *spec, struct err *err)
{
	size_t i;
	int k;

	for (k = 0; k < SPEC_HOOK_COUNT; k++)
		for (i = 0; i < spec->n_hooks[k]; i++)
			if (!spec->hooks[k][i].path || spec->hooks[k][i].path[0] != '/')
				return bad(err, "the path of every hook must be absolute");
	return 0;
}

static int check_version(const char *version, struct err *err)
{
	if (!version || strncmp(version, "1.", 2) != 0)
		return err_setx(err, -EINVAL, "config.json: 'ociVersion' is '%s', and not 1.x",
			version ? version : "");
	return 0;
}

int spec_validate(const struct spec *spec, struct err *err)
{
	size_t i;
	int r = check_version(spec->oci_version, err);

	if (r == 0 && spec->has_process)
		r = check_process(&spec->process, err);
	for (i = 0; r == 0 && i < spec->n_mounts; i++)
		r = check_mount(&spec->mounts[i], i, err);
	if (r == 0)
		r = check_linux(&spec->linux_, err);
	if (r == 0)
		r = check_hooks(spec, err);
	if (r == 0 && spec->hostname && !spec->linux_.ns[SPEC_NS_UTS].enabled)
		r = bad(err, "'hostname' needs a uts namespace");
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel parameters of the container's own namespaces. Only those that belong to a namespace are
 * let through, and only when the container has a new one; they are written below a procfs of our
 * own, so that nothing in the rootfs can stand in for it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/util.h"
#include "security/security.h"
#include "sys/proc.h"
#include "sys/syscall.h"

static const struct {
	const char *path; /* below /proc/sys; a trailing '/' allows all below it */
	enum spec_ns ns;
} allowed[] = {
	{"fs/mqueue/", SPEC_NS_IPC},
	{"kernel/domainname", SPEC_NS_UTS},
	{"kernel/hostname", SPEC_NS_UTS},
	{"kernel/msg_next_id", SPEC_NS_IPC},
	{"kernel/msgmax", SPEC_NS_IPC},
	{"kernel/msgmnb", SPEC_NS_IPC},
	{"kernel/msgmni", SPEC_NS_IPC},
	{"kernel/sem", SPEC_NS_IPC},
	{"kernel/sem_next_id", SPEC_NS_IPC},
	{"kernel/shm_next_id", SPEC_NS_IPC},
	{"kernel/shm_rmid_forced", SPEC_NS_IPC},
	{"kernel/shmall", SPEC_NS_IPC},
	{"kernel/shmmax", SPEC_NS_IPC},
	{"kernel/shmmni", SPEC_NS_IPC},
	{"net/", SPEC_NS_NET},
};

/*
 * "net.ipv4.conf.eth0/5.mtu" → "net/ipv4/conf/eth0.5/mtu", as sysctl(8) reads it; a name whose
 * first separator is '/' is a path already. The caller frees *ret.
 */
static int to_path(const char *key, char **ret)
{
	bool dotted = key[strcspn(key, "./")] == '.';
	char *path = strdup(key), *c;

	if (!path)
		return -ENOMEM;
	for (c = path; *c && dotted; c++)
		*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
	*ret = path;
	return 0;
}

static int check_one(const struct spec *spec, const char *key, struct err *err)
{
	autofree char *path = NULL;
	size_t i, n;

	if (to_path(key, &path) < 0)
		return err_oom(err);
	for (i = 0; i < ARRAY_SIZE(allowed); i++) {
		n = strlen(allowed[i].path);
		if (allowed[i].path[n - 1] == '/' ? strncmp(path, allowed[i].path, n) == 0
						  : strcmp(path, allowed[i].path) == 0)
			break;
	}
	if (i == ARRAY_SIZE(allowed) || strstr(path, ".."))
		return err_setx(err, -EPERM,
			"the sysctl '%s' belongs to no namespace: it would change the host", key);
	if (!spec->linux_.ns[allowed[i].ns].enabled)
		return err_setx(err, -EPERM,
			"the sysctl '%s' would change the host: the container has no %s namespace "
			"of "
			"its own",
			key, spec_ns_name(allowed[i].ns));
	if (spec->hostname && !strcmp(path, "kernel/hostname"))
		return err_setx(err, -EINVAL, "the sysctl '%s' and 'hostname' are given both", key);
	return 0;
}

/* What fields of the description set already. */
static int check_twice(const struct spec *spec, const char *key, struct err *err)
{
	if (strcmp(key, "kernel.hostname") == 0 ||
		(strcmp(key, "kernel.domainname") == 0 && spec->domainname))
		return err_setx(err, -EINVAL,
			"the sysctl '%s' contradicts the description's own field '%s'", key,
			key + strlen("kernel."));
	return 0;
}

int sysctl_check(const struct spec *spec, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < spec->linux_.n_sysctls && r == 0; i++)
		r = check_one(spec, spec->linux_.sysctls[i].key, err);
	for (i = 0; i < spec->linux_.n_sysctls && r == 0; i++)
		r = check_twice(spec, spec->linux_.sysctls[i].key, err);
	return r;
}

static int write_one(int procfd, const struct spec_sysctl *s, struct err *err)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	autofree char *path = NULL;
	autobuf struct buf full = {0};
	autoclose int fd = -EBADF;
	int r;

	if (to_path(s->key, &path) < 0 || buf_addf(&full, "sys/%s", path) < 0)
		return err_oom(err);
	fd = sys_openat2(procfd, full.data, &how);
	if (fd < 0)
		return err_set(err, fd, "cannot open the sysctl '%s'", s->key);
	r = io_write(fd, s->value, strlen(s->value));
	if (r < 0)
		return err_set(err, r, "cannot set the sysctl '%s' to '%s'", s->key, s->value);
	return 0;
}

int sysctl_apply(const struct spec *spec, struct err *err)
{
	autoclose int procfd = -EBADF;
	size_t i;
	int r;

	if (!spec->linux_.n_sysctls)
		return 0;
	r = sysctl_check(spec, err); /* again here: this is the line that protects the host */
	if (r < 0)
		return r;
	procfd = proc_open_private(err);
	if (procfd < 0)
		return procfd;
	for (i = 0; i < spec->linux_.n_sysctls && r == 0; i++)
		r = write_one(procfd, &spec->linux_.sysctls[i], err);
	return r;
}

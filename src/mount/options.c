// SPDX-License-Identifier: Apache-2.0
/* The words of a mount's options: flags of the mount, of its tree, propagation, and the rest. */
#include <fcntl.h>
#include <sys/mount.h>

#include "base/util.h"
#include "mount/mount-internal.h"
#include "sys/syscall.h"

/* each of these also with an 'r' in front, for the whole tree */
static const struct {
	const char *name;
	uint64_t set, clr;
} attrs[] = {
	{"atime", 0, MOUNT_ATTR_NOATIME},
	{"dev", 0, MOUNT_ATTR_NODEV},
	{"diratime", 0, MOUNT_ATTR_NODIRATIME},
	{"exec", 0, MOUNT_ATTR_NOEXEC},
	{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"nodev", MOUNT_ATTR_NODEV, 0},
	{"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
	{"noexec", MOUNT_ATTR_NOEXEC, 0},
	{"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"nosuid", MOUNT_ATTR_NOSUID, 0},
	{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"ro", MOUNT_ATTR_RDONLY, 0},
	{"rw", 0, MOUNT_ATTR_RDONLY},
	{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"suid", 0, MOUNT_ATTR_NOSUID},
	{"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
};

static const struct {
	const char *name;
	uint64_t flag;
} propagations[] = {
	{"private", MS_PRIVATE},
	{"shared", MS_SHARED},
	{"slave", MS_SLAVE},
	{"unbindable", MS_UNBINDABLE},
};

/* They say what is so anyway, or (the last ones) what no file system of today asks. */
static const char *const ignored[] = {"async", "defaults", "loud", "nolazytime", "nomand",
	"notmpcopyup", "remount", "silent", "acl", "noacl", "iversion", "noiversion"};

int propagation_parse(const char *name, uint64_t *ret, bool *ret_rec)
{
	bool rec = name[0] == 'r';
	size_t i;

	for (i = 0; i < ARRAY_SIZE(propagations); i++)
		if (!strcmp(name + rec, propagations[i].name)) {
			*ret = propagations[i].flag;
			*ret_rec = rec;
			return 0;
		}
	return -EINVAL;
}

static bool parse_attr(const char *name, struct mount_options *o)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		if (!strcmp(name, attrs[i].name)) {
			o->set = (o->set & ~attrs[i].clr) | attrs[i].set;
			o->clr = (o->clr & ~attrs[i].set) | attrs[i].clr;
			return true;
		}
		if (name[0] == 'r' && !strcmp(name + 1, attrs[i].name)) {
			o->rset = (o->rset & ~attrs[i].clr) | attrs[i].set;
			o->rclr = (o->rclr & ~attrs[i].set) | attrs[i].clr;
			return true;
		}
	}
	return false;
}

static bool parse_word(const char *name, struct mount_options *o)
{
	size_t i;

	if (!strcmp(name, "bind") || !strcmp(name, "rbind")) {
		o->bind = true;
		o->rec |= name[0] == 'r';
		return true;
	}
	if (!strcmp(name, "idmap") || !strcmp(name, "ridmap")) {
		o->idmap_rec = name[0] == 'r';
		return o->idmap = true;
	}
	if (!strcmp(name, "tmpcopyup"))
		return o->copy_up = true;
	if (!strcmp(name, "src-nofollow"))
		return o->src_nofollow = true;
	if (propagation_parse(name, &o->propagation, &o->propagation_rec) == 0)
		return true;
	for (i = 0; i < ARRAY_SIZE(ignored); i++)
		if (!strcmp(name, ignored[i]))
			return true;
	return false;
}

int mount_options_parse(const struct spec_mount *m, struct mount_options *ret, struct err *err)
{
	struct mount_options o = {0};
	char **s;

	o.bind = m->type && !strcmp(m->type, "bind");
	for (s = m->options; s && *s; s++)
		if (!parse_attr(*s, &o) && !parse_word(*s, &o) && strv_push(&o.data, *s) < 0) {
			mount_options_done(&o);
			return err_oom(err);
		}
	if (m->n_uid_maps)
		o.idmap = true;
	/* what belongs to the file system ("mode=755") has no effect on a bind: the kernel ignores
	 * it, and so do other runtimes; a misspelt word is told */
	for (s = o.bind ? o.data : NULL; s && *s; s++) {
		if (strchr(*s, '='))
			continue;
		err_setx(err, -EINVAL, "'%s' is no option of the bind mount at '%s'", *s,
			m->destination);
		mount_options_done(&o);
		return -EINVAL;
	}
	*ret = o;
	return 0;
}

void mount_options_done(struct mount_options *o)
{
	strv_free(o->data);
	o->data = NULL;
}

/*
 * A flag that the source has is not taken off by the plain words "rw", "suid", …: a bind mount of
 * something read-only stays so, as with other runtimes. The tree-wide words are meant.
 */
int mount_options_apply(
	int mnt_fd, const struct mount_options *o, const char *what, struct err *err)
{
	int r = 0;

	if (o->set)
		r = fs_set_attr(mnt_fd, o->set, o->clr & MOUNT_ATTR__ATIME, false);
	if (r == 0 && (o->rset || o->rclr))
		r = fs_set_attr(mnt_fd, o->rset, o->rclr, true);
	if (r < 0)
		return err_set(err, r, "cannot set the flags of the mount at '%s'", what);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* A mountinfo text as a list, and what its fields mean. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "base/buf.h"
#include "base/util.h"
#include "cr/nsdump/mount-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

void mounts_done(struct mounts *m)
{
	free(m->v);
	free(m->text);
	*m = (struct mounts){0};
}

/* Is the parent of a mount among v[first…n)? */
static bool waits(const struct mounts *m, size_t first, int parent, int id)
{
	size_t i;

	for (i = first; i < m->n && parent != id; i++)
		if (m->v[i].id == parent)
			return true;
	return false;
}

/*
 * The kernel lists mounts in the order in which they were made, which need not be the order in
 * which they were attached: a parent may stand behind its child.
 */
static void parents_first(struct mounts *m)
{
	struct mountinfo mi;
	size_t i, k;

	for (i = 0; i < m->n; i++) {
		/* the first of the rest whose parent is not in the rest; a ring stays as it is */
		for (k = i; k < m->n; k++)
			if (!waits(m, i, m->v[k].parent, m->v[k].id))
				break;
		if (k == i || k == m->n)
			continue;
		mi = m->v[k];
		memmove(&m->v[i + 1], &m->v[i], (k - i) * sizeof(mi));
		m->v[i] = mi;
	}
}

int mounts_parse(char *text, struct mounts *ret, struct err *err)
{
	struct mounts m = {.text = text};
	struct mountinfo mi;
	char *p = text;
	int r;

	if (!text)
		return err_oom(err);
	while ((r = mountinfo_next(&p, &mi)) > 0) {
		if (array_reserve(&m.v, &m.cap, m.n + 1, sizeof(*m.v)) < 0) {
			r = -ENOMEM;
			break;
		}
		m.v[m.n++] = mi;
	}
	if (r < 0) {
		mounts_done(&m);
		return err_set(err, r, "cannot understand the container's mountinfo");
	}
	parents_first(&m);
	*ret = m;
	return 0;
}

int mounts_read(int proc_pid_fd, struct mounts *ret, struct err *err)
{
	autobuf struct buf b = {0};
	int r = proc_read(proc_pid_fd, "mountinfo", &b);

	if (r < 0)
		return err_set(err, r, "cannot read the container's mountinfo");
	return mounts_parse(buf_take(&b), ret, err);
}

uint32_t mount_group(const struct mountinfo *m, const char *field)
{
	const char *p = strstr(m->optional, field);
	unsigned int group = 0;

	if (p && sscanf(p + strlen(field), ":%u", &group) == 1)
		return group;
	return 0;
}

size_t mounts_nth(const struct mounts *m, size_t i)
{
	size_t k, n = 0;

	for (k = 0; k < i; k++)
		if (strcmp(m->v[k].mountpoint, m->v[i].mountpoint) == 0 &&
			strcmp(m->v[k].fstype, m->v[i].fstype) == 0)
			n++;
	return n;
}

static const struct {
	const char *word;
	uint64_t attr;
} words[] = {
	{"noatime", MOUNT_ATTR_NOATIME},
	{"nodev", MOUNT_ATTR_NODEV},
	{"nodiratime", MOUNT_ATTR_NODIRATIME},
	{"noexec", MOUNT_ATTR_NOEXEC},
	{"nosuid", MOUNT_ATTR_NOSUID},
	{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW},
	{"ro", MOUNT_ATTR_RDONLY},
};

static bool has_word(const char *list, const char *word)
{
	const char *p = list;
	size_t len = strlen(word);

	for (; p; p = strchr(p, ','), p = p ? p + 1 : NULL)
		if (strncmp(p, word, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

uint64_t mount_attrs(const char *options)
{
	uint64_t attrs = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (has_word(options, words[i].word))
			attrs |= words[i].attr;
	if (!has_word(options, "noatime") && !has_word(options, "relatime"))
		attrs |= MOUNT_ATTR_STRICTATIME;
	return attrs;
}

int mount_set_attrs(int fd, const char *options)
{
	struct mount_attr a = {.attr_set = mount_attrs(options)};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		a.attr_clr |= words[i].attr & ~a.attr_set;
	/* the access time modes are one field: cleared as a whole before one is set */
	a.attr_clr = (a.attr_clr & ~(uint64_t)MOUNT_ATTR_NOATIME) | MOUNT_ATTR__ATIME;
	return sys_mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a));
}

// SPDX-License-Identifier: Apache-2.0
/* What a tree may not be when it is dumped: told by process, before anything is changed. */
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/util.h"
#include "cr/dump/dump-internal.h"
#include "sys/syscall.h"

static const char *const ns_links[] = {
	"ns/cgroup", "ns/ipc", "ns/mnt", "ns/net", "ns/pid", "ns/time", "ns/user", "ns/uts"};

static int check_namespaces(
	const struct dump_task *root, const struct dump_task *task, struct err *err)
{
	const struct target *t = &task->target;
	struct stat a, b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ns_links); i++) {
		if (fstatat(root->target.procfd, ns_links[i], &a, 0) < 0)
			continue; /* the kernel has none of the kind */
		if (fstatat(t->procfd, ns_links[i], &b, 0) < 0)
			return err_set(err, -errno, "cannot read the namespaces of process %d (%s)",
				t->pid, t->comm);
		if (a.st_ino == b.st_ino)
			continue;
		err_setx(err, -ENOTSUP, "process %d (%s) is in a %s namespace of its own", t->pid,
			t->comm, ns_links[i] + 3);
		return err_hint(err,
			"namespaces inside the tree are not saved yet; end the program "
			"that made it, or checkpoint that one alone");
	}
	return 0;
}

/* clone(2) with CLONE_VM or CLONE_FILES but without CLONE_THREAD: vfork(2), some runtimes. */
static int check_sharing(const struct dump *d, const struct dump_task *task, struct err *err)
{
	static const struct {
		int type;
		const char *what;
	} shared[] = {
		{KCMP_VM, "memory"}, {KCMP_FILES, "file table"}, {KCMP_FS, "working directory"}};
	const struct target *t = &task->target, *p;
	size_t i;

	if (!t->parent)
		return 0;
	p = &d->tasks[t->parent - 1]->target;
	for (i = 0; i < ARRAY_SIZE(shared); i++) {
		if (p->zombie || sys_kcmp(t->pid, p->pid, shared[i].type, 0, 0) != 0)
			continue;
		err_setx(err, -ENOTSUP, "process %d (%s) shares its %s with process %d (%s)",
			t->pid, t->comm, shared[i].what, p->pid, p->comm);
		return err_hint(err,
			"processes made by vfork, or by clone with CLONE_VM, CLONE_FILES "
			"or CLONE_FS, are not saved yet; try again a little later");
	}
	return 0;
}

int dump_check(struct dump *d, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 1; r == 0 && i < d->n; i++) {
		if (d->tasks[i]->target.zombie)
			continue;
		r = check_namespaces(d->tasks[0], d->tasks[i], err);
		if (r == 0)
			r = check_sharing(d, d->tasks[i], err);
	}
	return r;
}

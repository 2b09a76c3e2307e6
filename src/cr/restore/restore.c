// SPDX-License-Identifier: Apache-2.0
/* Planning, and the coordinator: the parent of the tree until it runs; see restore.h. */
#include "cr/restore/restore.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/net-lock.h"
#include "cr/restore/restore-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#define MAPS_MAX (16u << 20)

static int make_shared(struct restore *r, struct err *err)
{
	struct restore_shared *s;
	size_t boot = sizeof(*s), threads = boot + r->n * sizeof(*s->boot);
	char *p;

	boot = (boot + 63) & ~(size_t)63;
	threads = boot + r->n * sizeof(*s->boot);
	r->shared_size = threads + r->n_threads * sizeof(*s->threads);
	p = mmap(NULL, r->shared_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return err_set(err, -errno, "cannot map memory for the restore");
	s = (struct restore_shared *)p;
	s->boot = (void *)(p + boot);
	s->threads = (void *)(p + threads);
	r->shared = s;
	return 0;
}

static int check_tree(const struct image *img, struct err *err)
{
	const Kist__Tree *tree;

	if (image_count(img, RECORD_TREE) != 1)
		return err_setx(err, -EBADMSG, "image: it holds no tree of processes");
	tree = (const Kist__Tree *)image_get(img, RECORD_TREE, 0);
	if (tree->tasks != image_count(img, RECORD_TASK))
		return err_setx(err, -EBADMSG, "image: %zu of %u tasks are there",
			image_count(img, RECORD_TASK), tree->tasks);
	return 0;
}

/* Programs hold addresses inside the vdso: one of another kernel would send them astray. */
static int check_vdso(const struct image *img, struct err *err)
{
	const Kist__Tree *tree = (const Kist__Tree *)image_get(img, RECORD_TREE, 0);
	const char *kernel = image_info(img, "kernel");
	autobuf struct buf text = {0};
	struct vma_list self = {0};
	uint64_t want, have;
	int e;

	if (!tree->has_vdso_hash)
		return 0;
	if (tree->vdso_hash.len != sizeof(want))
		return err_setx(err, -EBADMSG, "image: the mark of its vdso is wrong");
	memcpy(&want, tree->vdso_hash.data, sizeof(want));
	e = file_read_at(AT_FDCWD, "/proc/self/maps", &text, MAPS_MAX);
	if (e < 0)
		return err_set(err, e, "cannot read '/proc/self/maps'");
	e = vma_parse(buf_str(&text), text.len, &self, err);
	have = e == 0 ? mm_own_vdso_hash(&self) : 0;
	vma_list_done(&self);
	if (e < 0 || have == want)
		return e;
	err_setx(err, -ENOTSUP, "the image was made on another kernel%s%s", kernel ? ", " : "",
		kernel ? kernel : "");
	return err_hint(err, "restore it on that kernel: programs use its vdso");
}

/* A lock that the root has made in a namespace that outlives the tree. */
static void unlock_network(void *arg)
{
	struct restore *r = arg;

	/* In a namespace of the tree's own the lock went with it; then there is none here either.
	 */
	if (r->shared->net_locked)
		(void)net_lock_release(
			r->img, -EBADF, NULL); /* whoever asks has an error already */
}

/* Out of the way of the slots that the tasks fill. Takes @fd over, which may be an error. */
static int keep_above(struct restore *r, int fd, int *ret, const char *what, struct err *err)
{
	int moved = fd < 0 ? fd : fd_move_above(fd, file_restore_base(r->files));

	if (moved < 0) {
		if (fd >= 0)
			(void)close(fd); /* never used */
		return err_set(err, moved, "cannot keep %s open", what);
	}
	*ret = moved;
	return 0;
}

int restore_new(const struct image *img, const struct restore_opts *opts, struct restore **ret,
	struct err *err)
{
	const struct file_restore_opts fo = {.root_fd = opts->root_fd,
		.externals = opts->externals,
		.n_externals = opts->n_externals};
	struct restore *r;
	int e;

	e = check_tree(img, err);
	if (e == 0)
		e = check_vdso(img, err);
	if (e < 0)
		return e;
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_oom(err);
	r->img = img;
	r->opts = *opts;
	r->procfd = r->self_fd = -EBADF;
	e = plan_tasks(r, err);
	if (e == 0)
		e = file_restore_new(img, &fo, &r->files, err);
	if (e == 0)
		e = make_shared(r, err);
	if (e == 0 && net_lock_guard(img))
		e = guard_start(unlock_network, r, &r->net_guard, err);
	if (e == 0)
		e = keep_above(r, proc_open(err), &r->procfd, "'/proc'", err);
	if (e == 0)
		e = keep_above(r, sys_pidfd_open(getpid(), 0), &r->self_fd, "a pidfd", err);
	if (e < 0) {
		restore_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

void restore_free(struct restore *r)
{
	if (!r)
		return;
	file_restore_free(r->files);
	if (r->shared)
		unlock_network(r);
	guard_done(&r->net_guard);
	if (r->shared)
		(void)munmap(r->shared, r->shared_size); /* ours, whole */
	if (r->procfd >= 0)
		(void)close(r->procfd); /* a directory */
	if (r->self_fd >= 0)
		(void)close(r->self_fd); /* a handle */
	free(r->tasks);
	free(r);
}

pid_t restore_host_pid(const struct restore *r, pid_t vpid)
{
	size_t i;

	for (i = 0; r->host_pids && i < r->n_records; i++)
		if (r->tasks[i].pid == vpid)
			return r->host_pids[i];
	return -ESRCH;
}

pid_t restore_root_pid(const struct restore *r)
{
	return r->tasks[0].pid;
}

int restore_tree(const struct image *img, const struct restore_opts *opts,
	struct restore_result *ret, struct err *err)
{
	struct restore *r = NULL;
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid_size = 1};
	sigset_t all, old;
	pid_t pid, want;
	int e;

	e = restore_new(img, opts, &r, err);
	if (e < 0)
		return e;
	want = restore_root_pid(r);
	args.set_tid = (uintptr_t)&want;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = clone_at(&args);
	if (pid == 0)
		restore_root_main(r);
	if (pid < 0) {
		e = err_set(err, pid, "cannot make the first process with pid %d", want);
		if (pid == -EEXIST)
			err_hint(err,
				"pid %d is in use; end that process, or restore in a pid "
				"namespace of its own",
				want);
		else if (pid == -EPERM)
			err_hint(err, "CAP_CHECKPOINT_RESTORE is needed");
	} else {
		e = restore_finish(r, pid, ret, err);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	restore_free(r);
	return e;
}

// SPDX-License-Identifier: Apache-2.0
/* The order of a dump; see dump.h. */
#include "cr/dump/dump.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/util.h"
#include "cr/dump/dump-internal.h"
#include "sys/proc.h"

#define BUSY_TRIES 6

static int scan_tasks(struct dump *d, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < d->n; i++) {
		if (d->tasks[i]->target.zombie)
			continue;
		r = task_settle(&d->tasks[i]->target, err);
		if (r == 0)
			r = mm_scan(&d->tasks[i]->target, &d->tasks[i]->vmas, err);
	}
	return r;
}

static int open_image(struct dump *d, int dirfd, struct err *err)
{
	const struct file_dump_opts fo = {
		.tcp_established = d->opts->tcp_established,
		.file_locks = d->opts->file_locks,
		.ext_unix = d->opts->ext_unix,
		.shell_job = d->opts->shell_job,
		.root_fd = d->root_fd,
		.externals = d->opts->externals,
		.n_externals = d->opts->n_externals,
	};
	struct utsname u;
	int r;

	r = d->opts->overwrite ? image_discard(dirfd, err) : 0;
	if (r == 0)
		r = image_writer_new(dirfd, &d->writer, err);
	if (r == 0 && d->opts->sync)
		image_writer_sync(d->writer);
	if (r == 0 && uname(&u) == 0)
		r = image_put_info(d->writer, "kernel", u.release, err);
	if (r == 0)
		r = file_dump_new(d->writer, &fo, &d->files, err);
	return r;
}

static int save_files(struct dump *d, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < d->n; i++)
		r = file_dump_add_task(d->files, &d->tasks[i]->target, err);
	for (i = 0; r == 0 && i < d->n; i++)
		if (!d->tasks[i]->target.zombie)
			r = file_dump_task(d->files, &d->tasks[i]->target, err);
	return r;
}

/* We were killed: the connections go on. */
static void unlock_network(void *arg)
{
	struct dump *d = arg;

	net_lock_free(d->lock);
}

/* From here nobody answers for the tree's connections; file_dump_finish reads them. */
static int lock_network(struct dump *d, struct err *err)
{
	const struct inet_conn *conns;
	size_t n = inet_dump_connections(d->files, &conns);
	int r = net_lock_dump(d->writer, conns, n, &d->lock, err);

	return r == 0 && d->lock ? guard_start(unlock_network, d, &d->net_guard, err) : r;
}

/* Before the tasks run again: packets pass. */
static void release_network(struct dump *d)
{
	file_dump_free(d->files);
	d->files = NULL;
	net_lock_free(d->lock);
	d->lock = NULL;
	guard_done(&d->net_guard);
}

static int hook_mapping(
	void *arg, struct target *t, const struct vma *v, uint32_t *ret_id, struct err *err)
{
	struct dump *d = arg;

	return file_dump_mapping(d->files, t, v->start, v->end,
		v->flags & 1 /* MAP_SHARED */ && v->advice & VMA_MAY_WRITE, ret_id, err);
}

static int hook_exe(void *arg, struct target *t, uint32_t *ret_id, struct err *err)
{
	struct dump *d = arg;

	return file_dump_link(d->files, t, "exe", ret_id, err);
}

/* Tasks whose pages are being copied while the next ones are looked at. */
#define BATCH_TASKS 16
#define BATCH_VMAS  4096
struct batch {
	struct pages_pool *pool;
	struct mm_dump *open[BATCH_TASKS];
	size_t n, vmas;
};

static int save_task(struct dump *d, struct batch *b, struct dump_task *task, struct err *err)
{
	const struct mm_hooks hooks = {.arg = d, .mapping = hook_mapping, .exe = hook_exe};
	struct target *t = &task->target;
	struct task_links links = {.mm = t->id};
	int r;

	if (t->zombie)
		return task_dump(d->writer, t, &task->ids, NULL, err);
	r = file_dump_link(d->files, t, "cwd", &links.cwd, err);
	if (r == 0)
		r = file_dump_link(d->files, t, "root", &links.root, err);
	if (r == 0)
		r = task_dump(d->writer, t, &task->ids, &links, err);
	if (r == 0)
		r = mm_dump_begin(d->writer, b->pool, t, &task->vmas, &hooks, &b->open[b->n], err);
	if (r < 0)
		return r;
	b->n++;
	b->vmas += task->vmas.n;
	return 0;
}

static int end_batch(struct batch *b, struct err *err)
{
	size_t i;
	int r;

	r = pages_wait(b->pool, err);
	for (i = 0; r == 0 && i < b->n; i++)
		r = mm_dump_end(b->open[i], err);
	for (i = 0; i < b->n; i++)
		mm_dump_free(b->open[i]);
	b->n = b->vmas = 0;
	return r;
}

static int save_tasks(struct dump *d, struct err *err)
{
	struct batch b = {0};
	size_t i;
	int r;

	r = pages_pool_new(d->writer, &b.pool, err);
	for (i = 0; r == 0 && i < d->n; i++) {
		r = fault("dump", "task", err);
		if (r == 0)
			r = save_task(d, &b, d->tasks[i], err);
		if (r == 0 && (b.n == BATCH_TASKS || b.vmas > BATCH_VMAS))
			r = end_batch(&b, err);
	}
	if (r == 0)
		r = end_batch(&b, err);
	if (r == 0)
		r = pages_pool_close(b.pool, err);
	pages_pool_free(b.pool); /* before what its threads still look at */
	for (i = 0; i < b.n; i++)
		mm_dump_free(b.open[i]);
	return r;
}

static int save_tree(struct dump *d, struct err *err)
{
	struct dump_task *root = d->tasks[0];
	Kist__Tree tree = KIST__TREE__INIT;
	uint64_t hash;
	int r;

	r = mm_vdso_hash(&root->target, &root->vmas, &hash, err);
	if (r < 0)
		return r;
	tree.tasks = d->n;
	tree.root_pid = root->ids.pid;
	tree.has_vdso_hash = true;
	tree.vdso_hash = (ProtobufCBinaryData){sizeof(hash), (uint8_t *)&hash};
	tree.has_monotonic_ns = tree.has_boottime_ns = tree.has_realtime_ns = true;
	tree.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
	tree.boottime_ns = clock_ns(CLOCK_BOOTTIME);
	tree.realtime_ns = clock_ns(CLOCK_REALTIME);
	tree.has_container = true;
	tree.container = d->opts->config_json != NULL;
	return image_put(d->writer, RECORD_TREE, &tree.base, err);
}

/* Killed now, we would leave the tree as it was. */
static void rest_all(struct dump *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		target_rest(&d->tasks[i]->target);
}

static int save_all(struct dump *d, struct err *err)
{
	int r;

	r = save_tree(d, err);
	if (r == 0)
		r = fault("dump", "files", err);
	if (r == 0)
		r = save_files(d, err);
	rest_all(d);
	if (r == 0)
		r = fault("dump", "lock", err);
	if (r == 0)
		r = lock_network(d, err);
	if (r == 0)
		r = save_tasks(d, err);
	if (r == 0)
		r = fault("dump", "contents", err);
	if (r == 0)
		r = file_dump_finish(d->files, err);
	rest_all(d);
	if (r == 0)
		r = fault("dump", "namespaces", err);
	if (r == 0 && d->opts->namespaces)
		r = d->opts->namespaces(d->opts->arg, d->writer, d->root, err);
	if (r == 0 && d->opts->config_json)
		r = image_put_file(d->writer, "config.json", d->opts->config_json,
			strlen(d->opts->config_json), err);
	if (r == 0 && d->opts->marker)
		r = image_put_file(d->writer, d->opts->marker, "\n", 1, err);
	if (r == 0)
		r = fault("dump", "manifest", err);
	return r == 0 ? image_writer_finish(d->writer, err) : r;
}

static void dump_done(struct dump *d)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		vma_list_done(&d->tasks[i]->vmas);
		target_done(&d->tasks[i]->target);
		free(d->tasks[i]);
	}
	free(d->tasks);
	release_network(d);
	image_writer_free(d->writer);
	if (d->root_fd >= 0)
		(void)close(d->root_fd); /* a directory */
	if (d->procfd >= 0)
		(void)close(d->procfd); /* the same */
}

static int dump_stopped(struct dump *d, int dirfd, struct err *err)
{
	int r;

	r = fault("dump", "check", err);
	if (r == 0)
		r = dump_check(d, err);
	if (r == 0)
		r = dump_read_sleeps(d, err);
	if (r < 0)
		return r;
	d->root_fd = openat(d->tasks[0]->target.procfd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->root_fd < 0)
		return err_set(
			err, -errno, "cannot open the root directory of process %d", d->root);
	r = fault("dump", "scan", err);
	if (r == 0)
		r = scan_tasks(d, err);
	rest_all(d);
	if (r == 0)
		r = fault("dump", "image", err);
	if (r == 0)
		r = open_image(d, dirfd, err);
	if (r == 0)
		r = save_all(d, err);
	return r;
}

static void count(const struct dump *d, struct dump_result *ret)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		ret->threads += d->tasks[i]->target.n_threads;
	ret->tasks = d->n;
}

/* Only to give the next try better luck: without it, it is as good as this one. */
static void hold_busy_ports(struct dump *d, struct net_hold **hold)
{
	const struct inet_port *ports;
	struct err err;
	size_t n = d->files ? inet_dump_waiting(d->files, &ports) : 0;

	if (n && net_hold_ports(hold, ports, n, &err) < 0)
		log_warn("%s", err.text);
}

static int dump_once(pid_t root, int dirfd, const struct dump_opts *opts, struct net_hold **hold,
	struct dump_result *ret, struct err *err)
{
	struct dump d = {.opts = opts, .root = root, .root_fd = -EBADF};
	struct dump_result result = {0};
	uint64_t start;
	int r;

	d.procfd = proc_open(err);
	if (d.procfd < 0)
		return d.procfd;
	start = clock_ns(CLOCK_MONOTONIC);
	r = dump_stop_tree(&d, err);
	if (r == 0)
		r = dump_stopped(&d, dirfd, err);
	count(&d, &result);
	if (r == 0)
		r = fault("dump", "commit", err);
	if (r == 0 && !opts->leave_running && opts->before_kill)
		r = opts->before_kill(opts->arg, err);
	if (r == -EAGAIN)
		hold_busy_ports(&d, hold);
	if (r < 0 || opts->leave_running) {
		release_network(&d);
		dump_let_go(&d);
	} else {
		file_dump_commit(d.files);
		net_lock_keep(d.lock);
		guard_done(&d.net_guard);
		r = dump_kill(&d, err);
	}
	result.frozen_us = (clock_ns(CLOCK_MONOTONIC) - start) / 1000;
	if (r == 0 && ret)
		*ret = result;
	dump_done(&d);
	return r;
}

/*
 * -EAGAIN says that the tree was met in the middle of something that passes by itself, a connection
 * it has not accepted yet: it runs on for a moment, as after every failed dump, while no new ones
 * come in, and is tried again.
 */
int dump_tree(pid_t root, int dirfd, const struct dump_opts *opts, struct dump_result *ret,
	struct err *err)
{
	struct timespec pause = {.tv_nsec = 5000000};
	struct net_hold *hold = NULL;
	int r, i;

	for (i = 0;; i++) {
		r = dump_once(root, dirfd, opts, &hold, ret, err);
		if (r != -EAGAIN || i == BUSY_TRIES)
			break;
		log_info("the dump is tried again: %s", err ? err->text : "the tree is busy");
		(void)nanosleep(&pause, NULL); /* woken early, it is tried early */
		pause.tv_nsec *= 2;
	}
	net_hold_free(hold);
	return r;
}

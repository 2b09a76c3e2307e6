// SPDX-License-Identifier: Apache-2.0
/* See file-harness.h. */
#include "file-harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/util.h"
#include "cr/image/image.h"
#include "cr/tape/target.h"
#include "sys/proc.h"

void world_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
	_exit(1);
}

static void nulls(void)
{
	int fd = open("/dev/null", O_RDWR), i;

	for (i = 0; i < 3; i++)
		dup2(fd, i);
	syscall(SYS_close_range, 3, ~0u, 0);
}

static void program(struct world *w, const struct world_case *c)
{
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	nulls();
	c->open(w);
	if (c->open2) {
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			c->open2(w);
			raise(SIGSTOP);
			_exit(0);
		}
		w->second = pid;
		waitpid(pid, NULL, WUNTRACED);
	}
	w->ready = true;
	raise(SIGSTOP);
	_exit(0);
}

static int dump_all(struct world *w, const struct world_case *c, pid_t first, int image)
{
	struct file_dump_opts opts = c->opts;
	struct target t[2] = {
		{.pidfd = -EBADF, .procfd = -EBADF}, {.pidfd = -EBADF, .procfd = -EBADF}};
	autoclose int procfd = proc_open(&w->err);
	struct image_writer *writer = NULL;
	struct file_dump *d = NULL;
	size_t n = c->open2 ? 2 : 1, i;
	int r;

	opts.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = image_writer_new(image, &writer, &w->err);
	if (r == 0)
		r = file_dump_new(writer, &opts, &d, &w->err);
	for (i = 0; r == 0 && i < n; i++) {
		r = target_open(procfd, i ? w->second : first, &t[i], &w->err);
		t[i].id = i + 1;
		t[i].vpid = t[i].pid;
		if (r == 0)
			r = file_dump_add_task(d, &t[i], &w->err);
	}
	for (i = 0; r == 0 && i < n; i++)
		r = file_dump_task(d, &t[i], &w->err);
	if (r == 0)
		r = file_dump_finish(d, &w->err);
	if (r == 0)
		r = image_writer_finish(writer, &w->err);
	if (r == 0)
		file_dump_commit(d);
	file_dump_free(d);
	image_writer_free(writer);
	target_done(&t[0]);
	target_done(&t[1]);
	close(opts.root_fd);
	return r;
}

/* What the engine's tape does to the fds of a task: the store goes, then the rows. */
static void play(struct world *w, struct file_restore *r, uint32_t task)
{
	struct tape tape = {0};
	size_t i, k;

	if (file_restore_tape(r, task, &tape, &w->err) < 0)
		world_fail(w, "tape: %s", w->err.text);
	syscall(SYS_close_range, file_restore_base(r), ~0u, 0);
	for (i = 0; i < tape.n; i++) {
		struct tape_row *row = &tape.rows[i];

		for (k = 0; k < 6; k++)
			if (row->flags & TAPE_DATA(k))
				row->args[k] += (uint64_t)tape.data.data;
		CHECK(w, syscall(row->nr, row->args[0], row->args[1], row->args[2], row->args[3],
				 row->args[4], row->args[5]) >= 0);
	}
}

static void restored(struct world *w, const struct world_case *c, int image)
{
	const struct file_restore_opts opts = {.root_fd = -EBADF};
	struct file_restore *r;
	struct image *img;
	int go[2], status;
	pid_t pid = 0;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (image_open(image, &img, &w->err) < 0 || file_restore_new(img, &opts, &r, &w->err) < 0 ||
		file_restore_open(r, &w->err) < 0)
		world_fail(w, "restore: %s", w->err.text);
	if (c->look2) {
		CHECK(w, pipe2(go, O_CLOEXEC) == 0);
		go[0] = fcntl(go[0], F_DUPFD, file_restore_base(r));
		go[1] = fcntl(go[1], F_DUPFD, file_restore_base(r));
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (file_restore_task(r, 2, &w->err) < 0)
				world_fail(w, "task 2: %s", w->err.text);
			CHECK(w, read(go[0], &byte, 1) == 1);
			play(w, r, 2);
			c->look2(w);
			_exit(0);
		}
	}
	if (file_restore_task(r, 1, &w->err) < 0 || file_restore_last(r, &w->err) < 0 ||
		file_restore_live(r, &w->err) < 0)
		world_fail(w, "task 1: %s", w->err.text);
	if (c->look2) {
		CHECK(w, write(go[1], "", 1) == 1);
		play(w, r, 1);
		CHECK(w, waitpid(pid, &status, 0) == pid);
		if (status)
			_exit(1);
	} else {
		play(w, r, 1);
	}
	c->look(w);
	_exit(0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void judge(struct world *w, const struct world_case *c, int image)
{
	int status;
	pid_t pid;

	if (c->between)
		c->between(w);
	pid = fork();
	if (pid == 0)
		restored(w, c, image);
	waitpid(pid, &status, 0);
	if (c->restore_refused && strstr(w->why, c->restore_refused))
		w->why[0] = '\0';
	else if (status && !w->why[0])
		snprintf(w->why, sizeof(w->why), "restored process: status %x", status);
}

void world_run(const struct world_case *c)
{
	struct world *w =
		mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char image_dir[96], why[2048] = "";
	int image, r;
	pid_t first;

	snprintf(w->dir, sizeof(w->dir), "/tmp/kist-file-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(image_dir, sizeof(image_dir), "%s/image", w->dir);
	assert_int_equal(mkdir(image_dir, 0700), 0);
	image = open(image_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	first = fork();
	if (first == 0)
		program(w, c);
	waitpid(first, NULL, WUNTRACED);
	r = w->ready ? dump_all(w, c, first, image) : 0;
	if (c->open2 && w->second > 0)
		kill(w->second, SIGKILL);
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	if (!w->ready)
		snprintf(why, sizeof(why), "%s", w->why[0] ? w->why : "the first process died");
	else if (c->refused)
		snprintf(why, sizeof(why), "%s",
			r < 0 && strstr(w->err.text, c->refused) ? ""
			: r < 0					 ? w->err.text
								 : "was not refused");
	else if (r < 0)
		snprintf(why, sizeof(why), "dump: %.400s", w->err.text);
	else
		judge(w, c, image);
	if (!why[0])
		snprintf(why, sizeof(why), "%s", w->why);
	close(image);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	munmap(w, sizeof(*w));
	if (why[0])
		fail_msg("%s: %s", c->name, why);
}

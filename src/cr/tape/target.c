// SPDX-License-Identifier: Apache-2.0
/* See target.h. Stopping, injecting into, and letting go of a task. */
#include "cr/tape/target.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#define SCRATCH_SIZE (64u << 10)
#define PLAYER_SIZE  4096u

int target_open(int procfd, pid_t pid, struct target *ret, struct err *err)
{
	struct target t = {.pid = pid, .pidfd = -EBADF, .procfd = -EBADF};
	autobuf struct buf text = {0};
	struct proc_stat st;
	int r;

	t.procfd = proc_open_pid(procfd, pid);
	if (t.procfd < 0)
		return err_set(err, t.procfd, "cannot open process %d", pid);
	r = proc_read(t.procfd, "stat", &text);
	if (r == 0)
		r = proc_parse_stat(buf_str(&text), text.len, &st);
	if (r == 0)
		r = proc_read(t.procfd, "status", &text);
	if (r == 0)
		r = proc_inner_id(buf_str(&text), text.len, "NSpid", &t.vpid);
	if (r < 0) {
		target_done(&t);
		return err_set(err, r, "cannot read the state of process %d", pid);
	}
	memcpy(t.comm, st.comm, sizeof(t.comm));
	t.zombie = st.state == 'Z' || st.state == 'X';
	if (!t.zombie) {
		t.pidfd = sys_pidfd_open(pid, 0);
		if (t.pidfd < 0) {
			r = t.pidfd;
			target_done(&t);
			return err_set(err, r, "cannot open process %d", pid);
		}
	}
	*ret = t;
	return 0;
}

void target_done(struct target *t)
{
	size_t i;

	for (i = 0; i < t->n_threads; i++) {
		buf_done(&t->threads[i].regs.xstate);
		free(t->threads[i].sleep);
	}
	free(t->threads);
	if (t->pidfd >= 0)
		(void)close(t->pidfd); /* nothing was written to it */
	if (t->procfd >= 0)
		(void)close(t->procfd); /* a directory */
	*t = (struct target){.pidfd = -EBADF, .procfd = -EBADF};
}

static pid_t thread_vtid(struct target *t, pid_t tid)
{
	autobuf struct buf text = {0};
	char name[64];
	pid_t vtid;

	snprintf(name, sizeof(name), "task/%d/status", tid);
	if (proc_read(t->procfd, name, &text) < 0 ||
		proc_inner_id(buf_str(&text), text.len, "NSpid", &vtid) < 0)
		return -1;
	return vtid;
}

static bool have_thread(const struct target *t, pid_t tid)
{
	size_t i;

	for (i = 0; i < t->n_threads; i++)
		if (t->threads[i].tid == tid)
			return true;
	return false;
}

/* The state of a thread that does not stop, for the message. */
static int no_stop(struct target *t, pid_t tid, int code, struct err *err)
{
	autobuf struct buf text = {0};
	char name[64], state[64] = "?";

	snprintf(name, sizeof(name), "task/%d/status", tid);
	if (proc_read(t->procfd, name, &text) == 0)
		(void)proc_field(buf_str(&text), text.len, "State", state, sizeof(state));
	err_set(err, code, "thread %d of process %d (%s) does not stop, state %s", tid, t->pid,
		t->comm, state);
	return err_hint(err, "a thread in state D waits for a device or a file system; try again "
			     "when it is back, or with a longer --timeout");
}

/* Takes hold of one thread. 1: it is gone. */
static int stop_thread(struct target *t, pid_t tid, int timeout_ms, struct err *err)
{
	struct target_thread th = {.tid = tid};
	char tracer[32] = "0", name[64];
	autobuf struct buf text = {0};
	int r, status;

	r = thread_seize(tid, 0, err);
	if (r == -ESRCH)
		return 1;
	if (r < 0) {
		snprintf(name, sizeof(name), "task/%d/status", tid);
		if (proc_read(t->procfd, name, &text) == 0)
			(void)proc_field(
				buf_str(&text), text.len, "TracerPid", tracer, sizeof(tracer));
		if (r == -EPERM && strcmp(tracer, "0") != 0) {
			err_setx(err, -EBUSY, "process %d (%s) is traced already, by process %s",
				t->pid, t->comm, tracer);
			return err_hint(err, "end the debugger, or let it detach");
		}
		return err_wrap(err, "process %d (%s)", t->pid, t->comm);
	}
	r = thread_interrupt(tid, err);
	if (r == 0)
		r = thread_wait(tid, timeout_ms, &status, err);
	if (r == -ESRCH)
		return 1;
	if (r == -ETIMEDOUT)
		return no_stop(t, tid, r, err);
	if (r < 0)
		return r;
	/* A signal that arrived first: it goes back into the queue when we let go. */
	while (status >> 16 != PTRACE_EVENT_STOP) {
		if (ptrace(PTRACE_CONT, tid, 0, WSTOPSIG(status)) < 0)
			return err_set(err, -errno, "cannot continue thread %d", tid);
		r = thread_wait(tid, timeout_ms, &status, err);
		if (r == -ESRCH)
			return 1;
		if (r < 0)
			return r;
	}
	if (WSTOPSIG(status) != SIGTRAP)
		t->stopped = true;
	th.vtid = thread_vtid(t, tid);
	if (array_reserve(&t->threads, &t->threads_cap, t->n_threads + 1, sizeof(th)) < 0)
		return err_oom(err);
	t->threads[t->n_threads++] = th;
	return 0;
}

static int save_threads(struct target *t, struct err *err)
{
	struct target_thread *th;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < t->n_threads; i++) {
		th = &t->threads[i];
		r = thread_get_gp(th->tid, &th->regs.gp, err);
		if (r == 0)
			r = thread_get_xstate(th->tid, &th->regs.xstate, err);
		if (r == 0)
			r = thread_get_sigmask(th->tid, &th->sigmask, err);
	}
	return r;
}

int target_stop(struct target *t, int timeout_ms, struct err *err)
{
	autofree int *tids = NULL;
	size_t n, i, seen;
	int r;

	if (t->zombie)
		return 0;
	do { /* until a look at the list finds no new thread */
		seen = t->n_threads;
		free(tids);
		tids = NULL;
		r = proc_list_ids(t->procfd, "task", &tids, &n);
		if (r < 0)
			return err_set(err, r == -ENOENT ? -ESRCH : r,
				"cannot list the threads of process %d (%s)", t->pid, t->comm);
		for (i = 0; i < n; i++) {
			if (seen && have_thread(t, tids[i]))
				continue;
			r = stop_thread(t, tids[i], timeout_ms, err);
			if (r < 0)
				return r;
		}
	} while (t->n_threads != seen);
	if (!t->n_threads)
		return err_setx(err, -ESRCH, "process %d (%s) exited", t->pid, t->comm);
	return save_threads(t, err);
}

/* Both: one call for what the process itself may read or write, /proc/PID/mem for the rest. */
int target_read(struct target *t, uint64_t addr, void *data, size_t len, struct err *err)
{
	struct iovec local = {data, len}, remote = {(void *)(uintptr_t)addr, len};
	autoclose int fd = -EBADF;
	ssize_t n;

	if (process_vm_readv(t->pid, &local, 1, &remote, 1, 0) == (ssize_t)len)
		return 0;
	fd = openat(t->procfd, "mem", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(
			err, -errno, "cannot open the memory of process %d (%s)", t->pid, t->comm);
	n = io_pread(fd, data, len, (off_t)addr);
	if (n < 0 || (size_t)n != len)
		return err_set(err, n < 0 ? (int)n : -EFAULT,
			"cannot read memory of process %d (%s) at %#" PRIx64, t->pid, t->comm,
			addr);
	return 0;
}

int target_write(struct target *t, uint64_t addr, const void *data, size_t len, struct err *err)
{
	struct iovec local = {(void *)data, len}, remote = {(void *)(uintptr_t)addr, len};
	autoclose int fd = -EBADF;
	int r;

	if (process_vm_writev(t->pid, &local, 1, &remote, 1, 0) == (ssize_t)len)
		return 0;
	fd = openat(t->procfd, "mem", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(
			err, -errno, "cannot open the memory of process %d (%s)", t->pid, t->comm);
	r = io_pwrite(fd, data, len, (off_t)addr);
	if (r < 0)
		return err_set(err, r, "cannot write memory of process %d (%s) at %#" PRIx64,
			t->pid, t->comm, addr);
	return 0;
}

int target_find_syscall(
	struct target *t, uint64_t start, uint64_t size, uint64_t *ret, struct err *err)
{
	autofree uint8_t *code = NULL;
	uint8_t *p;
	int r;

	if (size > (1u << 20))
		return err_setx(err, -EINVAL, "the vdso of process %d is too large", t->pid);
	code = malloc(size);
	if (!code)
		return err_oom(err);
	r = target_read(t, start, code, size, err);
	if (r < 0)
		return r;
	p = memmem(code, size, "\x0f\x05", 2);
	if (!p)
		return err_setx(err, -ENOENT,
			"no system call instruction in the vdso of process %d", t->pid);
	*ret = start + (p - code);
	return 0;
}

/* Where the vdso is, from /proc/PID/maps (AT_SYSINFO_EHDR is wrong once it was moved). */
static int find_vdso(struct target *t, struct err *err)
{
	autobuf struct buf maps = {0};
	uint64_t start, end;
	const char *line;
	char *copy;
	int r;

	if (t->insn)
		return 0;
	r = proc_read(t->procfd, "maps", &maps);
	if (r < 0)
		return err_set(err, r, "cannot read the mappings of process %d", t->pid);
	copy = strstr(buf_str(&maps), "[vdso]");
	if (!copy) {
		err_setx(err, -ENOTSUP, "process %d (%s) has no vdso", t->pid, t->comm);
		return err_hint(err, "it was unmapped, or the kernel runs with vdso=0");
	}
	line = copy;
	while (line > maps.data && line[-1] != '\n')
		line--;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2 || end <= start)
		return err_setx(err, -EIO, "cannot parse the mappings of process %d", t->pid);
	return target_find_syscall(t, start, end - start, &t->insn, err);
}

static int drive(struct target *t, size_t thread, struct err *err)
{
	struct target_thread *th = &t->threads[thread];
	int r;

	if (th->driven)
		return 0;
	r = find_vdso(t, err);
	if (r == 0)
		r = thread_set_sigmask(th->tid, SIGMASK_ALL_BUT_TRAP, err);
	if (r == 0)
		th->driven = true;
	return r;
}

int target_thread_syscall(struct target *t, size_t thread, long nr, const uint64_t args[6],
	int64_t *ret_result, struct err *err)
{
	int r = drive(t, thread, err);

	if (r < 0)
		return r;
	return thread_syscall(t->threads[thread].tid, t->insn, &t->threads[thread].regs.gp, nr,
		args, ret_result, err);
}

int target_syscall(
	struct target *t, long nr, const uint64_t args[6], int64_t *ret_result, struct err *err)
{
	return target_thread_syscall(t, 0, nr, args, ret_result, err);
}

static bool ignores_trap(struct target *t)
{
	autobuf struct buf text = {0};
	uint64_t mask = 0;

	if (proc_read(t->procfd, "status", &text) == 0)
		(void)proc_field_u64(buf_str(&text), text.len, "SigIgn", 16, &mask);
	return mask & 1ull << (SIGTRAP - 1);
}

/* Maps the area: a page for the player (never writable by the target), then the scratch space. */
static int inject(struct target *t, struct err *err)
{
	const uint64_t size = PLAYER_SIZE + SCRATCH_SIZE;
	int64_t addr, res;
	int r;

	if (t->area)
		return 0;
	r = target_syscall(t, SYS_mmap,
		(const uint64_t[6]){
			0, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1},
		&addr, err);
	if (r < 0)
		return r;
	if (addr < 0 && addr >= -4095)
		return err_set(
			err, (int)addr, "cannot map memory in process %d (%s)", t->pid, t->comm);
	t->area = (uint64_t)addr;
	t->has_player = false;
	t->area_size = size;
	t->scratch = t->area + PLAYER_SIZE;
	t->trap_ignored = ignores_trap(t);
	r = target_syscall(t, SYS_mprotect,
		(const uint64_t[6]){t->scratch, SCRATCH_SIZE, PROT_READ | PROT_WRITE}, &res, err);
	if (r == 0 && res < 0)
		r = err_set(err, (int)res, "cannot map memory in process %d (%s)", t->pid, t->comm);
	return r;
}

int target_scratch(struct target *t, uint64_t *ret_addr, size_t *ret_size, struct err *err)
{
	int r = inject(t, err);

	if (r < 0)
		return r;
	*ret_addr = t->scratch;
	*ret_size = SCRATCH_SIZE;
	return 0;
}

/* After the trap of a target that ignores SIGTRAP: the kernel has made it SIG_DFL. */
static int mend_trap(struct target *t, struct err *err)
{
	const struct {
		uint64_t handler, flags, restorer, mask;
	} ign = {.handler = 1};
	int64_t res;
	int r;

	if (!t->trap_ignored)
		return 0;
	r = target_write(t, t->scratch, &ign, sizeof(ign), err);
	if (r == 0)
		r = target_syscall(t, SYS_rt_sigaction,
			(const uint64_t[6]){SIGTRAP, t->scratch, 0, 8}, &res, err);
	return r;
}

/* Only the results: the player has put others' results into arguments. */
static int read_results(struct target *t, uint64_t rows, struct tape *tape, struct err *err)
{
	autofree struct tape_row *played = calloc(tape->n + 1, sizeof(*played));
	size_t i;
	int r;

	if (!played)
		return err_oom(err);
	r = target_read(t, rows, played, tape->n * sizeof(*played), err);
	for (i = 0; r == 0 && i < tape->n; i++)
		tape->rows[i].result = played[i].result;
	return r;
}

int target_play(struct target *t, size_t thread, struct tape *tape, struct err *err)
{
	pid_t tid = t->threads[thread].tid;
	uint64_t rows, data, stopped;
	autobuf struct buf area = {0};
	int r;

	r = inject(t, err);
	if (r == 0)
		r = drive(t, thread, err);
	if (r == 0)
		r = tape_link(tape, t->scratch, &area, &rows, &data, err);
	if (r < 0)
		return r;
	if (area.len > SCRATCH_SIZE)
		return err_setx(err, -E2BIG, "a tape of %zu bytes is too long", area.len);
	/* The player runs from the read-only page; the copy before the rows is not used. */
	if (!t->has_player)
		r = target_write(t, t->area, area.data, tape_player_size(), err);
	t->has_player = r == 0;
	if (r == 0)
		r = target_write(t, t->scratch, area.data, area.len, err);
	if (r == 0)
		r = thread_play(tid, t->area, rows, 30000, &stopped, err);
	if (r == 0)
		r = read_results(t, rows, tape, err);
	if (r == 0 && tape->data.len)
		r = target_read(t, data, tape->data.data, tape->data.len, err);
	if (r == 0)
		r = thread_set_gp(tid, &t->threads[thread].regs.gp, err);
	if (r == 0)
		r = mend_trap(t, err);
	if (r < 0)
		return r;
	return tape_check(tape->rows, tape->n, (stopped - rows) / sizeof(*tape->rows), err);
}

void target_rest(struct target *t)
{
	struct target_thread *th;
	size_t i;

	for (i = 0; i < t->n_threads; i++) {
		th = &t->threads[i];
		if (!th->driven)
			continue;
		(void)thread_park(th->tid, NULL); /* dying ones fail here and below */
		(void)thread_set_gp(th->tid, &th->regs.gp, NULL);
		(void)thread_set_sigmask(th->tid, th->sigmask, NULL);
		th->driven = false;
	}
}

void target_put_back(struct target *t)
{
	int64_t res;
	size_t i;

	if (t->area)
		(void)target_syscall(t, SYS_munmap, (const uint64_t[6]){t->area, t->area_size},
			&res, NULL); /* it is dying, or the area stays */
	t->area = 0;
	for (i = 0; i < t->n_threads; i++)
		if (t->threads[i].changed && !t->threads[i].driven)
			(void)thread_set_gp(t->threads[i].tid, &t->threads[i].regs.gp, NULL);
	target_rest(t);
}

void target_detach(struct target *t)
{
	size_t i;

	for (i = 0; i < t->n_threads; i++)
		(void)thread_detach(t->threads[i].tid, 0, NULL); /* dying ones fail */
}

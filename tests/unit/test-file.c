// SPDX-License-Identifier: Apache-2.0
/* Open files through dump and restore: named, deleted, pipes, the kernel's own objects, locks. */
#include <fcntl.h>
#include <limits.h>
#include <linux/memfd.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/util.h"
#include "file-harness.h"

static const char *in_dir(struct world *w, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	return path;
}

static void at_fd(struct world *w, int fd, int want)
{
	CHECK(w, fd >= 0);
	if (fd == want)
		return;
	CHECK(w, dup2(fd, want) == want);
	close(fd);
}

static bool holds(int fd, const char *text)
{
	char data[256];
	ssize_t n = read(fd, data, sizeof(data));

	return n == (ssize_t)strlen(text) && memcmp(data, text, n) == 0;
}

static bool link_is(int fd, const char *want)
{
	char name[32], link[PATH_MAX];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = '\0';
	return strcmp(link, want) == 0;
}

/* ---- named files ---- */

static void reg_open(struct world *w)
{
	at_fd(w, open(in_dir(w, "a"), O_RDWR | O_CREAT | O_APPEND, 0640), 10);
	CHECK(w, write(10, "0123456789", 10) == 10);
	CHECK(w, lseek(10, 4, SEEK_SET) == 4);
	at_fd(w, open(in_dir(w, "a"), O_RDONLY), 11);
	CHECK(w, dup3(10, 12, O_CLOEXEC) == 12); /* the same description */
	at_fd(w, open(w->dir, O_RDONLY | O_DIRECTORY), 13);
	at_fd(w, open(in_dir(w, "a"), O_PATH), 14);
	CHECK(w, symlink("nowhere", in_dir(w, "link")) == 0);
	at_fd(w, open(in_dir(w, "link"), O_PATH | O_NOFOLLOW), 15);
}

static void reg_look(struct world *w)
{
	char text[16];

	CHECK(w, (fcntl(10, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_RDWR | O_APPEND));
	CHECK(w, lseek(10, 0, SEEK_CUR) == 4);
	CHECK(w, holds(10, "456789"));
	CHECK(w, lseek(12, 0, SEEK_CUR) == 10);
	CHECK(w, fcntl(12, F_GETFD) == FD_CLOEXEC && fcntl(10, F_GETFD) == 0);
	CHECK(w, lseek(11, 0, SEEK_CUR) == 0);
	CHECK(w, faccessat(13, "a", R_OK, 0) == 0);
	CHECK(w, fcntl(14, F_GETFL) & O_PATH);
	CHECK(w, readlinkat(15, "", text, sizeof(text)) == 7);
	CHECK(w, fcntl(16, F_GETFD) < 0);
}

static void grow(struct world *w)
{
	int fd = open(in_dir(w, "a"), O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void never(struct world *w)
{
	world_fail(w, "the restore was to be refused");
}

static void test_reg(void **state)
{
	world_run(&(struct world_case){"reg", .open = reg_open, .look = reg_look});
}

static void test_reg_changed(void **state)
{
	struct world_case c = {"changed", .open = reg_open, .between = grow, .look = never,
		.restore_refused = "has another size now"};

	world_run(&c);
}

/* ---- deleted files ---- */

static void ghost_open(struct world *w)
{
	char *sub = strdup(in_dir(w, "sub"));

	CHECK(w, mkdir(sub, 0700) == 0);
	at_fd(w, open(in_dir(w, "sub/gone"), O_RDWR | O_CREAT, 0604), 10);
	CHECK(w, write(10, "hello", 5) == 5 && ftruncate(10, 1 << 20) == 0);
	CHECK(w, lseek(10, 1, SEEK_SET) == 1);
	at_fd(w, open(in_dir(w, "sub/gone"), O_RDONLY), 11); /* the same inode */
	at_fd(w, open(sub, O_RDONLY | O_DIRECTORY), 12);
	CHECK(w, unlink(in_dir(w, "sub/gone")) == 0 && rmdir(sub) == 0);
	/* a name that another file has meanwhile */
	at_fd(w, open(in_dir(w, "log"), O_RDWR | O_CREAT, 0600), 13);
	CHECK(w, write(13, "old", 3) == 3 && lseek(13, 0, SEEK_SET) == 0);
	CHECK(w, unlink(in_dir(w, "log")) == 0);
	at_fd(w, open(in_dir(w, "log"), O_RDWR | O_CREAT, 0600), 14);
	CHECK(w, write(14, "newer", 5) == 5 && lseek(14, 0, SEEK_SET) == 0);
}

static void ghost_look(struct world *w)
{
	char want[PATH_MAX];
	struct stat st, st2;

	CHECK(w, fstat(10, &st) == 0 && fstat(11, &st2) == 0);
	CHECK(w, st.st_nlink == 0 && st.st_ino == st2.st_ino && st.st_size == 1 << 20);
	CHECK(w, (st.st_mode & 0777) == 0604 && st.st_blocks < 64);
	snprintf(want, sizeof(want), "%s/sub/gone (deleted)", w->dir);
	CHECK(w, link_is(10, want) && link_is(11, want));
	CHECK(w, pwrite(10, "H", 1, 0) == 1 && ftruncate(10, 5) == 0);
	CHECK(w, holds(11, "Hello") && holds(10, "ello"));
	snprintf(want, sizeof(want), "%s/sub (deleted)", w->dir);
	CHECK(w, link_is(12, want));
	CHECK(w, access(in_dir(w, "sub"), F_OK) < 0);
	snprintf(want, sizeof(want), "%s/log (deleted)", w->dir);
	CHECK(w, link_is(13, want) && holds(13, "old"));
	snprintf(want, sizeof(want), "%s/log", w->dir);
	CHECK(w, link_is(14, want) && holds(14, "newer"));
	CHECK(w, access(in_dir(w, ".kist-aside"), F_OK) < 0);
}

static void test_deleted(void **state)
{
	world_run(&(struct world_case){"deleted", .open = ghost_open, .look = ghost_look});
}

static void other_open(struct world *w)
{
	char *one = strdup(in_dir(w, "one"));

	at_fd(w, open(one, O_RDWR | O_CREAT, 0600), 10);
	CHECK(w, write(10, "text", 4) == 4 && lseek(10, 0, SEEK_SET) == 0);
	CHECK(w, link(one, in_dir(w, "two")) == 0);
	CHECK(w, unlink(one) == 0);
}

static void other_look(struct world *w)
{
	char want[PATH_MAX];
	struct stat st, st2;

	snprintf(want, sizeof(want), "%s/one (deleted)", w->dir);
	CHECK(w, link_is(10, want) && holds(10, "text"));
	CHECK(w, fstat(10, &st) == 0 && stat(in_dir(w, "two"), &st2) == 0);
	CHECK(w, st.st_ino == st2.st_ino && st.st_nlink == 1);
}

static void test_other_name(void **state)
{
	world_run(&(struct world_case){"other name", .open = other_open, .look = other_look});
}

/* ---- pipes ---- */

static void pipe_open(struct world *w)
{
	int p[2];

	CHECK(w, pipe2(p, O_NONBLOCK) == 0);
	at_fd(w, p[0], 10);
	at_fd(w, p[1], 11);
	CHECK(w, fcntl(11, F_SETPIPE_SZ, 1 << 17) == 1 << 17);
	CHECK(w, write(11, "one", 3) == 3 && write(11, "two", 3) == 3);
	CHECK(w, pipe2(p, O_DIRECT) == 0);
	at_fd(w, p[0], 12);
	at_fd(w, p[1], 13);
	CHECK(w, write(13, "one", 3) == 3 && write(13, "three", 5) == 5);
	CHECK(w, pipe(p) == 0);
	at_fd(w, p[0], 14);
	CHECK(w, write(p[1], "end", 3) == 3 && close(p[1]) == 0);
	CHECK(w, mkfifo(in_dir(w, "fifo"), 0620) == 0);
	at_fd(w, open(in_dir(w, "fifo"), O_RDWR), 15);
	at_fd(w, open(in_dir(w, "fifo"), O_WRONLY), 16);
	CHECK(w, write(16, "named", 5) == 5);
}

static void pipe_open2(struct world *w)
{
	close(10); /* reads by the first only */
	close(16);
}

static void pipe_look2(struct world *w)
{
	CHECK(w, fcntl(10, F_GETFD) < 0 && fcntl(16, F_GETFD) < 0);
	CHECK(w, write(11, "more", 4) == 4);
}

static void pipe_look(struct world *w)
{
	CHECK(w, fcntl(10, F_GETFL) == (O_RDONLY | O_NONBLOCK));
	CHECK(w, fcntl(11, F_GETFL) == (O_WRONLY | O_NONBLOCK));
	CHECK(w, fcntl(11, F_GETPIPE_SZ) == 1 << 17);
	CHECK(w, holds(10, "onetwomore"));
	CHECK(w, fcntl(13, F_GETFL) == (O_WRONLY | O_DIRECT));
	CHECK(w, holds(12, "one") && holds(12, "three"));
	CHECK(w, holds(14, "end") && holds(14, ""));
	CHECK(w, (fcntl(15, F_GETFL) & O_ACCMODE) == O_RDWR);
	CHECK(w, (fcntl(16, F_GETFL) & O_ACCMODE) == O_WRONLY);
	CHECK(w, holds(15, "named"));
	CHECK(w, link_is(15, in_dir(w, "fifo")));
}

static void test_pipe(void **state)
{
	world_run(&(struct world_case){"pipe", .open = pipe_open, .open2 = pipe_open2,
		.look = pipe_look, .look2 = pipe_look2});
}

static int outside[2];

static void outside_open(struct world *w)
{
	char path[64];

	/* by way of the parent: nulls() has closed what was inherited */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getppid(), outside[1]);
	at_fd(w, open(path, O_WRONLY), 10);
}

static void test_pipe_outside(void **state)
{
	assert_int_equal(pipe2(outside, O_CLOEXEC), 0);
	world_run(&(struct world_case){"outside", .open = outside_open, .look = never,
		.refused = "a process outside of the tree reads from this pipe"});
	close(outside[0]);
	close(outside[1]);
}

/* ---- the kernel's own objects ---- */

static void objects_open(struct world *w)
{
	struct itimerspec its = {.it_value = {100, 0}, .it_interval = {7, 5}};
	uint64_t count = 5;
	sigset_t set;

	at_fd(w, eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK), 10);
	at_fd(w, eventfd(0, 0), 11);
	CHECK(w, write(11, &count, 8) == 8);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, 64);
	sigprocmask(SIG_BLOCK, &set, NULL);
	at_fd(w, signalfd(-1, &set, SFD_NONBLOCK), 12);
	at_fd(w, timerfd_create(CLOCK_MONOTONIC, 0), 13);
	CHECK(w, timerfd_settime(13, 0, &its, NULL) == 0);
	at_fd(w, timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK), 14);
	its = (struct itimerspec){.it_value = {0, 1000000}};
	CHECK(w, timerfd_settime(14, 0, &its, NULL) == 0);
	poll(&(struct pollfd){.fd = 14, .events = POLLIN}, 1, 1000);
	at_fd(w, open("/dev/zero", O_RDONLY), 15);
	at_fd(w, open("/proc/self/ns/net", O_RDONLY), 16);
}

static void objects_look(struct world *w)
{
	struct signalfd_siginfo info;
	struct itimerspec its;
	uint64_t count = 0;
	sigset_t set;

	CHECK(w, read(10, &count, 8) == 8 && count == 1);
	CHECK(w, read(10, &count, 8) == 8 && read(10, &count, 8) == 8);
	CHECK(w, read(10, &count, 8) < 0 && errno == EAGAIN);
	CHECK(w, read(11, &count, 8) == 8 && count == 5);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR2);
	CHECK(w, read(12, &info, sizeof(info)) < 0);
	raise(64);
	CHECK(w, read(12, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == 64);
	CHECK(w, timerfd_gettime(13, &its) == 0);
	CHECK(w, its.it_value.tv_sec >= 90 && its.it_value.tv_sec <= 100);
	CHECK(w, its.it_interval.tv_sec == 7 && its.it_interval.tv_nsec == 5);
	CHECK(w, read(14, &count, 8) == 8 && count == 1);
	CHECK(w, read(14, &count, 8) < 0 && errno == EAGAIN);
	CHECK(w, read(15, &count, 8) == 8 && count == 0);
	CHECK(w, link_is(15, "/dev/zero"));
}

static void test_objects(void **state)
{
	world_run(&(struct world_case){"objects", .open = objects_open, .look = objects_look});
}

/* ---- memory files ---- */

static void memfd_open(struct world *w)
{
	char path[32];

	at_fd(w, memfd_create("sealed", MFD_ALLOW_SEALING), 10);
	CHECK(w, write(10, "content", 7) == 7 && ftruncate(10, 1 << 22) == 0);
	CHECK(w, fcntl(10, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE) == 0);
	at_fd(w, memfd_create("open", 0), 11);
	CHECK(w, write(11, "abc", 3) == 3 && lseek(11, 2, SEEK_SET) == 2);
	snprintf(path, sizeof(path), "/proc/self/fd/11");
	at_fd(w, open(path, O_RDONLY), 12);
}

static void memfd_look(struct world *w)
{
	struct stat st, st2;

	CHECK(w, link_is(10, "/memfd:sealed (deleted)") && lseek(10, 0, SEEK_CUR) == 7);
	CHECK(w, fcntl(10, F_GET_SEALS) == (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE));
	CHECK(w, fstat(10, &st) == 0 && st.st_size == 1 << 22 && st.st_blocks <= 16);
	CHECK(w, lseek(10, 0, SEEK_SET) == 0 && write(10, "x", 1) < 0 && errno == EPERM);
	CHECK(w, fcntl(11, F_GET_SEALS) == F_SEAL_SEAL);
	CHECK(w, lseek(11, 0, SEEK_CUR) == 2 && holds(11, "c") && holds(12, "abc"));
	CHECK(w, fstat(11, &st) == 0 && fstat(12, &st2) == 0 && st.st_ino == st2.st_ino);
	CHECK(w, (fcntl(12, F_GETFL) & O_ACCMODE) == O_RDONLY);
}

static void test_memfd(void **state)
{
	world_run(&(struct world_case){"memfd", .open = memfd_open, .look = memfd_look});
}

/* ---- epoll and inotify ---- */

static void epoll_open(struct world *w)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x1122334455667788};
	char junk[256];
	int p[2], n;

	CHECK(w, pipe(p) == 0);
	at_fd(w, p[0], 20);
	at_fd(w, p[1], 21);
	at_fd(w, epoll_create1(0), 10);
	CHECK(w, epoll_ctl(10, EPOLL_CTL_ADD, 20, &ev) == 0);
	at_fd(w, eventfd(0, 0), 30); /* closed under this number, open under another */
	ev = (struct epoll_event){.events = EPOLLOUT, .data.u64 = 30};
	CHECK(w, epoll_ctl(10, EPOLL_CTL_ADD, 30, &ev) == 0);
	CHECK(w, dup2(30, 31) == 31 && close(30) == 0);
	at_fd(w, epoll_create1(0), 11);
	ev = (struct epoll_event){.events = EPOLLIN, .data.u64 = 10};
	CHECK(w, epoll_ctl(11, EPOLL_CTL_ADD, 10, &ev) == 0);
	at_fd(w, inotify_init1(IN_NONBLOCK), 12);
	CHECK(w, inotify_add_watch(12, "/proc/self", IN_OPEN) == 1);
	CHECK(w, inotify_rm_watch(12, 1) == 0);
	CHECK(w, ioctl(12, FIONREAD, &n) == 0 && read(12, junk, sizeof(junk)) == n);
	CHECK(w, inotify_add_watch(12, w->dir, IN_CREATE) == 2);
	CHECK(w, creat(in_dir(w, "watched"), 0600) >= 0);
	CHECK(w, inotify_add_watch(12, in_dir(w, "watched"), IN_ATTRIB) == 3);
	CHECK(w, read(12, junk, sizeof(junk)) > 0);
}

static void epoll_look(struct world *w)
{
	struct epoll_event ev[4];
	struct inotify_event in[8];
	ssize_t n;

	CHECK(w, epoll_wait(11, ev, 4, 0) == 1 && ev[0].data.u64 == 10);
	CHECK(w, epoll_wait(10, ev, 4, 0) == 1 && ev[0].data.u64 == 30);
	CHECK(w, write(21, "x", 1) == 1);
	CHECK(w, epoll_wait(10, ev, 4, 0) == 2);
	CHECK(w, ev[0].data.u64 == 0x1122334455667788 || ev[1].data.u64 == 0x1122334455667788);
	CHECK(w, epoll_wait(10, ev, 4, 0) == 1); /* edge triggered */
	CHECK(w, fcntl(30, F_GETFD) < 0);
	CHECK(w, read(12, in, sizeof(in)) < 0 && errno == EAGAIN);
	CHECK(w, chmod(in_dir(w, "watched"), 0644) == 0);
	n = read(12, in, sizeof(in));
	CHECK(w, n == sizeof(in[0]) && in[0].wd == 3 && in[0].mask == IN_ATTRIB);
	CHECK(w, creat(in_dir(w, "new"), 0600) >= 0);
	CHECK(w, read(12, in, sizeof(in)) > 0 && in[0].wd == 2 && in[0].mask == IN_CREATE);
	CHECK(w, inotify_add_watch(12, "/", IN_CREATE) == 4);
}

static void test_epoll(void **state)
{
	world_run(&(struct world_case){"epoll", .open = epoll_open, .look = epoll_look});
}

/* ---- locks and owners ---- */

static void lock_open(struct world *w)
{
	struct flock fl = {.l_type = F_WRLCK, .l_start = 10, .l_len = 5};
	struct f_owner_ex own = {.type = F_OWNER_PID, .pid = getpid()};

	at_fd(w, open(in_dir(w, "l"), O_RDWR | O_CREAT, 0600), 10);
	at_fd(w, open(in_dir(w, "l"), O_RDWR), 11);
	CHECK(w, fcntl(10, F_SETLK, &fl) == 0);
	fl = (struct flock){.l_type = F_RDLCK, .l_start = 100};
	CHECK(w, fcntl(11, F_OFD_SETLK, &fl) == 0);
	CHECK(w, flock(11, LOCK_EX) == 0);
	at_fd(w, open(in_dir(w, "lease"), O_RDONLY | O_CREAT, 0600), 12);
	CHECK(w, fcntl(12, F_SETLEASE, F_RDLCK) == 0);
	CHECK(w, fcntl(12, F_SETSIG, SIGRTMIN) == 0 && fcntl(12, F_SETOWN_EX, &own) == 0);
}

/* Tries from another process, which sees what the owner does not. */
static int lock_seen(struct world *w, int cmd, off_t start)
{
	struct flock fl = {.l_type = F_WRLCK, .l_start = start, .l_len = 1};
	int status, fd;
	pid_t pid = fork();

	if (pid == 0) {
		fd = open(in_dir(w, "l"), O_RDWR);
		if (cmd < 0)
			_exit(flock(fd, LOCK_SH | LOCK_NB) == 0 ? F_UNLCK : F_WRLCK);
		_exit(fcntl(fd, cmd, &fl) < 0 ? 99 : fl.l_type);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void lock_look(struct world *w)
{
	CHECK(w, lock_seen(w, F_GETLK, 9) == F_UNLCK);
	CHECK(w, lock_seen(w, F_GETLK, 10) == F_WRLCK);
	CHECK(w, lock_seen(w, F_GETLK, 14) == F_WRLCK);
	CHECK(w, lock_seen(w, F_GETLK, 15) == F_UNLCK);
	CHECK(w, lock_seen(w, F_GETLK, 5000) == F_RDLCK);
	CHECK(w, lock_seen(w, -1, 0) == F_WRLCK);
	CHECK(w, fcntl(12, F_GETLEASE) == F_RDLCK && fcntl(12, F_GETSIG) == SIGRTMIN);
}

static void test_lock(void **state)
{
	world_run(&(struct world_case){
		"lock", .open = lock_open, .look = lock_look, .opts = {.file_locks = true}});
	world_run(&(struct world_case){"lock refused", .open = lock_open, .look = never,
		.refused = "it holds a file lock"});
}

static void device_open(struct world *w)
{
	CHECK(w, mknod(in_dir(w, "fuse"), S_IFCHR | 0600, makedev(10, 229)) == 0);
	at_fd(w, open(in_dir(w, "fuse"), O_RDWR), 10);
}

static void test_refused(void **state)
{
	world_run(&(struct world_case){"mem", .open = device_open, .look = never,
		.refused = "device 10:229 cannot be saved"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_epoll),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_memfd),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_other_name),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_pipe_outside),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_reg),
		cmocka_unit_test(test_reg_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

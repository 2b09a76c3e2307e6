// SPDX-License-Identifier: Apache-2.0
/*
 * Namespaces saved and restored without a container, for test_nsdump.py:
 *   nsdump-tool save PID DIR [BEFORE [UPPER]]    BEFORE: its first mountinfo, "-": none
 *   nsdump-tool restore DIR UPPER CMD [ARG…]     CMD runs in new namespaces; UPPER "-": none
 *   nsdump-tool run CMD [ARG…]                   CMD runs in new namespaces
 *   nsdump-tool cgroups DIR                      the cgroups of the image, their members moved
 * Save and cgroups take hierarchies from $NSDUMP_CGROUPS: "pids=/sys/fs/cgroup/pids/x,=/…".
 * Restore plays container create by mounting a tmpfs with two files on $NSDUMP_TMPFS, and both run
 * in a user namespace whose 65536 ids start at $NSDUMP_IDS.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "cr/nsdump/nsdump.h"
#include "sys/proc.h"

static int open_dir(const char *path)
{
	return strcmp(path, "-") == 0 ? -EBADF : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static size_t open_cgroups(struct nsdump_cgroup *ret, size_t max)
{
	char *text = getenv("NSDUMP_CGROUPS"), *word;
	size_t n = 0;

	while (text && n < max && (word = strsep(&text, ","))) {
		char *path = strchr(word, '=');

		*path++ = '\0';
		ret[n++] = (struct nsdump_cgroup){word, open_dir(path)};
	}
	return n;
}

static int save(int argc, char **argv, struct err *err)
{
	autoclose int procfd = proc_open(err), pidfd = -EBADF, dirfd = open_dir(argv[1]);
	struct nsdump_env env = {.upper_fd = argc > 3 ? open_dir(argv[3]) : -EBADF};
	autobuf struct buf before = {0};
	struct nsdump_cgroup groups[8];
	struct image_writer *w;
	int r;

	env.cgroups = groups;
	env.n_cgroups = open_cgroups(groups, ARRAY_SIZE(groups));
	pidfd = env.proc_pid_fd = proc_open_pid(procfd, atoi(argv[0]));
	if (argc > 2 && strcmp(argv[2], "-") != 0) {
		r = file_read_at(AT_FDCWD, argv[2], &before, 1 << 20);
		if (r < 0)
			return err_set(err, r, "cannot read '%s'", argv[2]);
		env.mounts_before = buf_str(&before);
	}
	r = image_writer_new(dirfd, &w, err);
	if (r < 0)
		return r;
	r = nsdump_save(w, &env, err);
	if (r == 0)
		r = image_writer_finish(w, err);
	image_writer_free(w);
	return r;
}

static int write_offsets(const struct spec *spec, struct err *err)
{
	const struct spec_linux *l = &spec->linux_;
	char text[128];
	int r;

	if (!l->ns[SPEC_NS_TIME].enabled)
		return 0;
	snprintf(text, sizeof(text), "monotonic %ld %ld\nboottime %ld %ld\n",
		(long)l->time_monotonic_sec, (long)l->time_monotonic_nsec,
		(long)l->time_boottime_sec, (long)l->time_boottime_nsec);
	r = file_write_at(AT_FDCWD, "/proc/self/timens_offsets", text);
	return r < 0 ? err_set(err, r, "cannot set the time offsets") : 0;
}

static int play_create(void)
{
	const char *dir = getenv("NSDUMP_TMPFS");
	int fd;

	if (!dir)
		return 0;
	if (mount("tmpfs", dir, "tmpfs", 0, "mode=700") < 0 || (fd = open_dir(dir)) < 0 ||
		mkdirat(fd, "foreign", 0700) < 0 || mkdirat(fd, "foreign/dir", 0700) < 0 ||
		mknodat(fd, "kept", S_IFREG, 0) < 0)
		return -errno;
	close(fd);
	return 0;
}

/* A process of the host writes the maps, while we wait for it. */
static int new_userns(const char *first, struct err *err)
{
	int go[2], status;
	char path[32], map[32];
	pid_t pid, me = getpid();

	if (!first)
		return 0;
	if (pipe2(go, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return err_set(err, -errno, "cannot fork");
	if (pid == 0) {
		close(go[1]);
		(void)!read(go[0], path, 1); /* ends when we are in the namespace */
		snprintf(map, sizeof(map), "0 %s 65536", first);
		snprintf(path, sizeof(path), "/proc/%d/uid_map", me);
		if (file_write_at(AT_FDCWD, path, map) < 0)
			_exit(1);
		snprintf(path, sizeof(path), "/proc/%d/gid_map", me);
		_exit(file_write_at(AT_FDCWD, path, map) < 0);
	}
	if (unshare(CLONE_NEWUSER) < 0)
		return err_set(err, -errno, "cannot make a user namespace");
	close(go[1]);
	if (waitpid(pid, &status, 0) != pid || status != 0 || setgid(0) < 0 || setuid(0) < 0)
		return err_setx(err, -EPERM, "cannot set the id maps");
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else /proc/self is the host's root's */
	return 0;
}

static int restore(int argc, char **argv, struct err *err)
{
	autoclose int dirfd = open_dir(argv[0]);
	struct spec *spec = spec_new();
	struct image *img;
	int r, status;
	pid_t pid;

	r = image_open(dirfd, &img, err);
	if (r == 0)
		r = nsdump_restore_prepare(img, spec, open_dir(argv[1]), false, err);
	if (r < 0)
		return r;
	r = new_userns(getenv("NSDUMP_IDS"), err);
	if (r < 0)
		return r;
	if (unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWTIME) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, -errno, "cannot make namespaces");
	r = write_offsets(spec, err);
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		if (mount("proc", "/proc", "proc", 0, NULL) < 0 || play_create() < 0)
			_exit(2);
		r = nsdump_restore_inside(img, err);
		if (r == 0)
			r = nsdump_restore_late(img, err);
		if (r == 0)
			execvp(argv[2], argv + 2);
		fprintf(stderr, "%s\n%s\n", err->text, err->hint);
		_exit(3);
	}
	image_free(img);
	spec_free(spec);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_set(err, -errno, "cannot run '%s'", argv[2]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

static pid_t same_pid(void *arg, pid_t vpid)
{
	return vpid;
}

static int restore_cgroups(char **argv, struct err *err)
{
	autoclose int dirfd = open_dir(argv[0]);
	struct nsdump_cgroup groups[8];
	size_t n = open_cgroups(groups, ARRAY_SIZE(groups));
	struct spec *spec = spec_new();
	struct image *img;
	int r = image_open(dirfd, &img, err);

	if (r == 0)
		r = nsdump_restore_prepare(img, spec, -EBADF, false, err);
	if (r == 0)
		r = nsdump_restore_cgroups(img, groups, n, same_pid, NULL, err);
	return r;
}

static int run(char **argv, struct err *err)
{
	int r = new_userns(getenv("NSDUMP_IDS"), err);

	if (r < 0)
		return r;
	if (unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, -errno, "cannot make namespaces");
	execvp(argv[0], argv);
	return err_set(err, -errno, "cannot run '%s'", argv[0]);
}

int main(int argc, char **argv)
{
	struct err err = {0};
	int r = -EINVAL;

	if (argc > 3 && strcmp(argv[1], "save") == 0)
		r = save(argc - 2, argv + 2, &err);
	else if (argc > 4 && strcmp(argv[1], "restore") == 0)
		r = restore(argc - 2, argv + 2, &err);
	else if (argc > 2 && strcmp(argv[1], "cgroups") == 0)
		r = restore_cgroups(argv + 2, &err);
	else if (argc > 2 && strcmp(argv[1], "run") == 0)
		r = run(argv + 2, &err);
	if (r < 0)
		fprintf(stderr, "%s\n%s\n", err.text, err.hint);
	return r < 0 ? 1 : r;
}

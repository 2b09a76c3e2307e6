// SPDX-License-Identifier: Apache-2.0
/*
 * The last steps of every process that kist starts inside a container, in the order in which each
 * still has the rights it needs: limits, user, directory, capabilities, seccomp, exec.
 */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/util.h"
#include "container/container-internal.h"
#include "sys/syscall.h"
#include "tty/tty.h"

#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND	    127

#define PTMX "/dev/pts/ptmx"

int process_pty(const struct spec_process *p, int *ret_master, int *ret_slave, struct err *err)
{
	int r = tty_open_pty(PTMX, ret_master, ret_slave, err);

	if (r < 0)
		return r;
	if (p->rows && p->columns)
		tty_set_size(*ret_slave, (unsigned short)p->rows, (unsigned short)p->columns);
	if (p->uid && fchown(*ret_slave, p->uid, -1) < 0)
		return err_set(err, -errno, "cannot give the terminal to user %u", p->uid);
	return 0;
}

int process_stdio(const int fds[3], struct err *err)
{
	int i;

	for (i = 0; i < 3; i++)
		if (fds[i] >= 0 && dup2(fds[i], i) < 0)
			return err_set(err, -errno, "cannot set up fd %d", i);
	return 0;
}

static void reset_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	int i;

	for (i = 1; i < NSIG; i++)
		(void)sigaction(i, &dfl, NULL); /* SIGKILL and SIGSTOP have none */
}

int process_oom_score(pid_t pid, int64_t adj, struct err *err)
{
	char path[40], text[24];
	int r;

	if (adj == SPEC_UNSET)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	snprintf(text, sizeof(text), "%" PRId64, adj);
	r = file_write_at(AT_FDCWD, path, text);
	if (r == -EACCES) {
		err_set(err, r, "cannot set the container's oom_score_adj to %s", text);
		return err_hint(err, "a value below the caller's own needs CAP_SYS_RESOURCE");
	}
	return r < 0 ? err_set(err, r, "cannot set the container's oom_score_adj to %s", text) : 0;
}

static int load_seccomp(const struct process_plan *plan, struct err *err)
{
	return plan->seccomp ? container_agent_load(&plan->agent, plan->seccomp, err) : 0;
}

/* The directory must be below the root: a cwd that came in by an fd would show the host. */
static int enter_cwd(const char *cwd, struct err *err)
{
	char path[PATH_MAX];

	if (chdir(cwd) < 0)
		return err_set(err, -errno, "cannot enter the working directory '%s'", cwd);
	/* refused by a filter: then it has been looked at before that was loaded */
	if (!getcwd(path, sizeof(path)) ? errno != EPERM && errno != ENOSYS : path[0] != '/')
		return err_setx(
			err, -EPERM, "the working directory '%s' is outside of the container", cwd);
	return 0;
}

static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
		return 0;
	/* a filter may know the older call only: then by the real ids, which are the same by now */
	if (errno == EPERM || errno == ENOSYS)
		return access(path, X_OK) < 0 ? -errno : 0;
	return -errno;
}

/* Engines look for the very words, in small letters, to choose an exit status. */
int process_exec_error(int code, const char *command, struct err *err)
{
	const char *why = strerror(-code);

	err_setx(err, code, "cannot execute '%s': %c%s", command, tolower((unsigned char)why[0]),
		why + 1);
	if (code == -EAGAIN)
		(void)err_hint(err, "pids.max must leave room for the command and kist's init");
	if (err)
		err->exit_status = code == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	return code;
}

/* Finds args[0] as execvp(3) would, with the PATH that the process is to have. */
static int find_executable(const struct spec_process *p, char path[PATH_MAX], struct err *err)
{
	const char *dirs = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *d;
	char *const *e;
	int r, found = -ENOENT, n;

	if (strchr(p->args[0], '/')) {
		snprintf(path, PATH_MAX, "%s", p->args[0]);
		r = executable(path);
		return r < 0 ? process_exec_error(r, path, err) : 0;
	}
	for (e = p->env; e && *e; e++)
		if (strncmp(*e, "PATH=", 5) == 0)
			dirs = *e + 5;
	for (d = dirs; *d; d += n + (d[n] == ':')) {
		n = (int)strcspn(d, ":");
		if (snprintf(path, PATH_MAX, "%.*s/%s", n ? n : 1, n ? d : ".", p->args[0]) >=
			PATH_MAX)
			continue;
		r = executable(path);
		if (r == 0)
			return 0;
		if (r == -EACCES)
			found = r;
	}
	if (found == -EACCES)
		return process_exec_error(found, p->args[0], err);
	err_setx(err, found, "'%s': executable file not found in $PATH", p->args[0]);
	err->exit_status = EXIT_NOT_FOUND;
	return err_hint(err, "PATH in the container is '%s'", dirs);
}

/* What is behind fds 0-2 may be opened again by a user that is not root (/dev/stdout). */
static void give_stdio(const struct spec_process *p)
{
	struct stat st;
	int i;

	for (i = 0; p->uid && i < 3; i++)
		if (fstat(i, &st) == 0 && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
			(void)fchown(
				i, p->uid, isatty(i) ? (gid_t)-1 : p->gid); /* as far as may be */
}

/* The home directory that the container's own /etc/passwd tells, or "/". */
static void find_home(uid_t uid, char *ret, size_t size)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;

	snprintf(ret, size, "/");
	while (f && (pw = fgetpwent(f)))
		if (pw->pw_uid == uid && pw->pw_dir[0] == '/') {
			snprintf(ret, size, "%s", pw->pw_dir);
			break;
		}
	if (f)
		(void)fclose(f); /* only read from */
}

/* The environment with HOME in it. Lives until the exec. */
static char **environment(const struct spec_process *p)
{
	char home[PATH_MAX + 8] = "HOME=", *const * e;
	char **v;

	for (e = p->env; e && *e; e++)
		if (strncmp(*e, "HOME=", 5) == 0)
			return p->env;
	v = strv_dup(p->env);
	find_home(p->uid, home + 5, sizeof(home) - 5);
	return strv_push(&v, home) < 0 ? p->env : v;
}

static int become_user(const struct process_plan *plan, struct err *err)
{
	const struct spec_process *p = plan->process;
	int r;

	/* as root it may be out of reach, then only the second attempt counts */
	r = enter_cwd(p->cwd, err);
	if (r == -EPERM)
		return r;
	r = rlimit_apply(p->rlimits, p->n_rlimits, err);
	if (r == 0 && !p->no_new_privileges) /* later there is no right to */
		r = load_seccomp(plan, err);
	if (r == 0 && p->caps.set)
		r = caps_apply_bounding(&p->caps, err);
	if (r == 0)
		r = creds_apply(p, err);
	if (r == 0)
		r = enter_cwd(p->cwd, err);
	if (r == 0 && p->caps.set)
		r = caps_apply(&p->caps, err);
	if (r == 0 && p->no_new_privileges)
		r = creds_no_new_privileges(err);
	return r;
}

static int execute(const struct process_plan *plan, char *path, struct err *err)
{
	const struct spec_process *p = plan->process;
	size_t n = strv_len(p->args), i;
	char sync[16], **env = environment(p);
	autofree char **argv = calloc(n + 6, sizeof(*argv));
	int r;

	if (!argv)
		return err_oom(err);
	snprintf(sync, sizeof(sync), "%d", plan->sync);
	argv[0] = (char *)"kist-init";
	argv[1] = (char *)(plan->init ? "init" : "exec");
	argv[2] = (char *)(p->terminal ? "1" : "0");
	argv[3] = sync;
	argv[4] = path;
	for (i = 0; i < n; i++)
		argv[5 + i] = p->args[i];
	if (fcntl(plan->sync, F_SETFD, 0) < 0)
		return err_set(err, -errno, "cannot pass the socket to kist's init");
	if (p->no_new_privileges) { /* last: the filter may forbid any of the above */
		r = load_seccomp(plan, err);
		if (r < 0)
			return r;
	}
	(void)fexecve(plan->init_fd, argv, env); /* returns only to fail */
	return err_set(err, -errno, "cannot execute kist's init");
}

int process_wait_exec(const char *command, int sock, struct err *err)
{
	struct start_msg msg;
	int r;

	r = start_recv(sock, &msg, NULL, err);
	if (r == -EPIPE)
		return 0;
	if (r == START_EXEC_FAILED)
		return process_exec_error(msg.code, command, err);
	return r < 0 ? r : err_setx(err, -EPROTO, "unexpected message");
}

int process_check(const struct spec_process *p, struct err *err)
{
	char path[PATH_MAX];
	int r = enter_cwd(p->cwd, err);

	return r < 0 ? r : find_executable(p, path, err);
}

int process_become(const struct process_plan *plan, struct err *err)
{
	char path[PATH_MAX];
	int r;

	reset_signals();
	/* what is opened from here on closes by itself; a filter may not know this call */
	if (sys_close_range(3 + plan->preserve_fds, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot close the fds of kist");
	r = container_memory_policy(&plan->params->spec->linux_, err);
	if (r == 0)
		r = container_personality(&plan->params->spec->linux_, err);
	if (r == 0)
		r = lsm_apply(plan->process, err);
	if (r < 0)
		return r;
	if (plan->params->bundle)
		give_stdio(plan->process);
	if (plan->process->terminal && !plan->init && ioctl(0, TIOCSCTTY, 0) < 0)
		return err_set(err, -errno, "cannot make fd 0 the controlling terminal");
	r = become_user(plan, err);
	if (r == 0)
		r = find_executable(plan->process, path, err);
	return r < 0 ? r : execute(plan, path, err);
}

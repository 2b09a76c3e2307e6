// SPDX-License-Identifier: Apache-2.0
/*
 * cgroup-tool run PATH [KEY=VALUE…] -- CMD…: makes the cgroup, sets the keys in one batch, starts
 * CMD in it by clone3 and cgroup_enter, waits, removes the cgroup; exits as CMD did.
 * cgroup-tool make|destroy|kill|pids|frozen|thaw PATH, freeze PATH MS, signal PATH N,
 * attach PATH PID, mode.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup/cgroup.h"
#include "sys/syscall.h"

#define SETTINGS_MAX 16
#define TIMEOUT_MS   5000

static struct err err;

static void need(int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s\n", err.text);
	if (err.hint[0])
		fprintf(stderr, "hint: %s\n", err.hint);
	exit(125);
}

static int wait_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t start(struct cgroup *cg, char **argv)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	pid_t pid;

	if (cgroup_fd2(cg) >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd2(cg);
	}
	pid = sys_clone3(&args);
	if (pid)
		return pid;
	need(cgroup_enter(cg, &err));
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

static int run(struct cgroup_host *host, const char *path, char **argv)
{
	struct cgroup_setting s[SETTINGS_MAX];
	struct cgroup *cg;
	char *eq;
	size_t n = 0;
	int status;

	for (; *argv && strcmp(*argv, "--") != 0 && n < SETTINGS_MAX; argv++) {
		eq = strchr(*argv, '=');
		*eq++ = '\0';
		s[n++] = (struct cgroup_setting){*argv, eq};
	}
	need(cgroup_create(host, path, &cg, &err));
	if (cgroup_set(cg, s, n, &err) < 0) {
		struct err other;

		(void)cgroup_destroy(cg, true, TIMEOUT_MS, &other);
		need(-1);
	}
	status = wait_status(start(cg, argv + 1));
	need(cgroup_destroy(cg, true, TIMEOUT_MS, &err));
	cgroup_free(cg);
	return status;
}

static void print_pids(struct cgroup *cg)
{
	pid_t *pids;
	size_t n, i;

	need(cgroup_pids(cg, &pids, &n, &err));
	for (i = 0; i < n; i++)
		printf("%d\n", (int)pids[i]);
	free(pids);
}

static int act(struct cgroup *cg, const char *what, const char *arg)
{
	if (strcmp(what, "destroy") == 0)
		need(cgroup_destroy(cg, false, TIMEOUT_MS, &err));
	else if (strcmp(what, "kill") == 0)
		need(cgroup_kill(cg, &err));
	else if (strcmp(what, "pids") == 0)
		print_pids(cg);
	else if (strcmp(what, "frozen") == 0)
		return cgroup_frozen(cg) ? 0 : 1;
	else if (strcmp(what, "thaw") == 0)
		need(cgroup_freeze(cg, false, TIMEOUT_MS, &err));
	else if (strcmp(what, "freeze") == 0)
		need(cgroup_freeze(cg, true, atoi(arg), &err));
	else if (strcmp(what, "signal") == 0)
		need(cgroup_signal(cg, atoi(arg), &err));
	else if (strcmp(what, "attach") == 0)
		need(cgroup_attach(cg, atoi(arg), &err));
	else
		return 125;
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {
		[CGROUP_V2] = "v2", [CGROUP_HYBRID] = "hybrid", [CGROUP_V1] = "v1"};
	struct cgroup_host *host;
	struct cgroup *cg;
	int r = 0;

	need(cgroup_host_open(&host, &err));
	if (argc == 2 && strcmp(argv[1], "mode") == 0) {
		printf("%s\n", modes[cgroup_host_mode(host)]);
	} else if (argc < 3) {
		r = 125;
	} else if (strcmp(argv[1], "run") == 0) {
		r = run(host, argv[2], argv + 3);
	} else {
		need(strcmp(argv[1], "make") == 0 ? cgroup_create(host, argv[2], &cg, &err)
						  : cgroup_open(host, argv[2], &cg, &err));
		if (strcmp(argv[1], "make") != 0)
			r = act(cg, argv[1], argc > 3 ? argv[3] : "");
		cgroup_free(cg);
	}
	cgroup_host_free(host);
	return r;
}

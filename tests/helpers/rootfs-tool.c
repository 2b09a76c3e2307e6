// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the command of a config.json in a root of src/mount, with what src/security takes away, and
 * nothing else of a container:
 *   rootfs-tool bind|overlay|host STATE_DIR CONFIG [shift]
 * "shift": the owners in the rootfs are moved into the user namespace. Without a config's seccomp,
 * the default filter. Relative paths start at the config's directory.
 *   rootfs-tool print
 * writes the default config.json.
 */
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/util.h"
#include "mount/rootfs.h"
#include "security/security.h"

static const char *const kinds[] = {
	[ROOTFS_BIND] = "bind", [ROOTFS_OVERLAY] = "overlay", [ROOTFS_HOST] = "host"};

struct run {
	struct spec *spec;
	struct rootfs_plan plan;
	struct seccomp_prog filter;
	int sock[2]; /* parent, child */
};

static void check(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "rootfs-tool: %s\n", err->text);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
	_exit(99);
}

/* Pid 1 of the container. */
static void inside(struct run *run)
{
	const struct spec_process *p = &run->spec->process;
	struct err err = {0};
	int root = -EBADF, listener;

	check(rootfs_mount(&run->plan, &root, &err), &err);
	check(rootfs_enter(&run->plan, root, &err), &err);
	close(root);
	check(sysctl_apply(run->spec, &err), &err);
	check(rootfs_finish(&run->plan, &err), &err);
	check(keyring_new_session("rootfs-tool", &err), &err);
	if (chdir(p->cwd) < 0)
		check(err_set(&err, -errno, "cannot enter '%s'", p->cwd), &err);
	check(rlimit_apply(p->rlimits, p->n_rlimits, &err), &err);
	check(caps_apply_bounding(&p->caps, &err), &err);
	if (!p->no_new_privileges)
		check(seccomp_prog_load(&run->filter, &listener, &err), &err);
	check(creds_apply(p, &err), &err);
	check(caps_apply(&p->caps, &err), &err);
	if (p->no_new_privileges) {
		check(creds_no_new_privileges(&err), &err);
		check(seccomp_prog_load(&run->filter, &listener, &err), &err);
	}
	execvpe(p->args[0], p->args, p->env);
	check(err_set(&err, -errno, "cannot execute '%s'", p->args[0]), &err);
}

static void first_child(struct run *run)
{
	int flags = 0, i, status = 0;
	struct err err = {0};
	char byte = 0;
	pid_t pid;

	if (run->plan.userns) {
		if (unshare(CLONE_NEWUSER) < 0 || write(run->sock[1], &byte, 1) != 1 ||
			read(run->sock[1], &byte, 1) != 1)
			check(err_set(&err, -errno, "cannot make a user namespace"), &err);
		if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			check(err_set(&err, -errno, "cannot become root"), &err);
		run->plan.trees_fd = run->sock[1];
	}
	for (i = SPEC_NS_USER + 1; i < SPEC_NS_COUNT; i++)
		if (run->spec->linux_.ns[i].enabled)
			flags |= spec_ns_clone_flag(i);
	if (unshare(flags) < 0)
		check(err_set(&err, -errno, "cannot make namespaces"), &err);
	pid = fork();
	if (pid == 0)
		inside(run);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		check(err_set(&err, -errno, "cannot fork"), &err);
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void write_map(pid_t pid, const char *file, const struct spec_idmap *m, size_t n)
{
	autobuf struct buf text = {0};
	struct err err = {0};
	char path[64];
	size_t i;

	for (i = 0; i < n; i++)
		if (buf_addf(&text, "%u %u %u\n", m[i].container_id, m[i].host_id, m[i].size) < 0)
			check(err_oom(&err), &err);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	check(err_set(&err, file_write_at(AT_FDCWD, path, buf_str(&text)), "%s", path), &err);
}

static void serve_userns(struct run *run, pid_t pid)
{
	const struct spec_linux *l = &run->spec->linux_;
	struct err err = {0};
	char path[64], byte;
	int fd;

	if (read(run->sock[0], &byte, 1) != 1)
		return; /* the child has said why */
	write_map(pid, "uid_map", l->uid_maps, l->n_uid_maps);
	write_map(pid, "gid_map", l->gid_maps, l->n_gid_maps);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || write(run->sock[0], &byte, 1) != 1)
		check(err_set(&err, -errno, "cannot open '%s'", path), &err);
	check(rootfs_send_trees(&run->plan, fd, run->sock[0], &err), &err);
}

static void load(struct run *run, const char *config)
{
	autobuf struct buf text = {0};
	struct err err = {0};

	check(err_set(&err, file_read_at(AT_FDCWD, config, &text, 1 << 20), "%s", config), &err);
	check(spec_parse(text.data, text.len, &run->spec, &err), &err);
	check(spec_validate(run->spec, &err), &err);
	check(sysctl_check(run->spec, &err), &err);
	if (!run->spec->linux_.seccomp.set)
		check(seccomp_default(
			      run->spec->process.caps.bounding, &run->spec->linux_.seccomp, &err),
			&err);
	check(seccomp_compile(&run->spec->linux_.seccomp, &run->filter, &err), &err);
}

static int print(void)
{
	struct spec *spec = spec_new();
	struct err err = {0};
	autofree char *text = NULL;

	if (!spec)
		return 97;
	check(spec_defaults(spec, &err), &err);
	check(spec_print(spec, &text, &err), &err);
	spec_free(spec);
	return fputs(text, stdout) < 0;
}

int main(int argc, char **argv)
{
	struct run run = {.plan = {.console_fd = -EBADF, .trees_fd = -EBADF}};
	struct rootfs_plan *plan = &run.plan;
	int status;
	pid_t pid;

	if (argc == 2 && !strcmp(argv[1], "print"))
		return print();
	if (argc < 4)
		return 98;
	load(&run, argv[3]);
	plan->spec = run.spec;
	while (strcmp(kinds[plan->kind], argv[1]) != 0)
		if (++plan->kind > ROOTFS_HOST)
			return 98;
	plan->userns = run.spec->linux_.ns[SPEC_NS_USER].enabled;
	plan->idmap = argc > 4;
	plan->state_fd = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	plan->bundle_fd = open(dirname(argv[3]), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, run.sock) < 0)
		return 97;
	pid = fork();
	if (pid == 0)
		first_child(&run);
	if (plan->userns)
		serve_userns(&run, pid);
	if (waitpid(pid, &status, 0) < 0)
		return 97;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * nsdump-clone SOURCE NAME DIR CMD [ARG…]: saves what is inside the namespaces of the running
 * container SOURCE into the image DIR, and runs CMD as the first process of a new container NAME
 * that was made with it: everything of a restore but the processes. NAME is removed at the end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/util.h"
#include "container/container.h"
#include "cr/nsdump/nsdump.h"

struct clone {
	const struct image *img;
	char **argv;
	int status;
};

static int save(struct container *c, int dirfd, struct err *err)
{
	autoclose int upper = openat(c->dir_fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct nsdump_env env = {.upper_fd = upper, .upper_shifted = c->params->idmap};
	autobuf struct buf before = {0};
	autoclose int proc = -EBADF;
	struct image_writer *w;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d", (int)c->pid);
	env.proc_pid_fd = proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = file_read_at(c->dir_fd, CONTAINER_MOUNTS_FILE, &before, 1 << 20);
	if (r < 0)
		return err_set(err, r, "cannot read the first mounts of '%s'", c->name);
	env.mounts_before = buf_str(&before);
	r = image_writer_new(dirfd, &w, err);
	if (r < 0)
		return r;
	r = nsdump_save(w, &env, err);
	if (r == 0)
		r = image_writer_finish(w, err);
	image_writer_free(w);
	return r;
}

static int prepare(void *arg, struct container *c, struct err *err)
{
	struct clone *k = arg;
	autoclose int upper = -EBADF;

	if (mkdirat(c->dir_fd, "upper", 0700) < 0)
		return err_set(err, -errno, "cannot make 'upper'");
	upper = openat(c->dir_fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return nsdump_restore_prepare(k->img, c->params->spec, upper, c->params->idmap, err);
}

static int child(void *arg, struct err *err)
{
	struct clone *k = arg;
	int r = nsdump_restore_inside(k->img, err);

	if (r == 0)
		r = nsdump_restore_late(k->img, err);
	if (r < 0)
		return r;
	execvp(k->argv[0], k->argv);
	return err_set(err, -errno, "cannot run '%s'", k->argv[0]);
}

static int parent(void *arg, const struct container *c, struct err *err)
{
	struct clone *k = arg;
	siginfo_t si;

	/* left for container_finish and the container's own wait */
	if (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOWAIT) < 0)
		return err_set(err, -errno, "cannot wait for the container");
	k->status = si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
	return 0;
}

static int run(char **argv, struct err *err)
{
	autoclose int dirfd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct clone k = {.argv = argv + 4};
	const struct container_payload payload = {
		.arg = &k, .prepare = prepare, .child = child, .parent = parent};
	struct container_params *params;
	struct container *from, *c;
	struct image *img;
	json_t *j;
	int r;

	r = container_open(argv[1], &from, err);
	if (r == 0)
		r = save(from, dirfd, err);
	if (r == 0)
		r = container_params_to_json(from->params, &j, err);
	if (r == 0)
		r = container_params_from_json(j, &params, err);
	if (r == 0)
		r = image_open(dirfd, &img, err);
	if (r < 0)
		return r;
	free(params->name);
	params->name = strdup(argv[2]);
	params->detach = false;
	k.img = img;
	r = container_create(params, &payload, &c, err);
	if (r < 0)
		return r;
	(void)waitpid(c->pid, NULL, 0); /* has ended: see parent */
	container_free(c);
	r = container_finish(argv[2], k.status, err);
	if (r == 0)
		r = container_delete(argv[2], true, err);
	return r < 0 ? r : k.status;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	int r = -EINVAL;

	if (argc > 4)
		r = run(argv, &err);
	if (r < 0)
		fprintf(stderr, "%s\n%s\n", err.text, err.hint);
	return r < 0 ? 1 : r;
}

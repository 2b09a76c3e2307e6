// SPDX-License-Identifier: Apache-2.0
/* `checkpoint` and `restore`, with the options that engines give for CRIU. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "cr/dump/container.h"
#include "cr/image/image.h"
#include "cr/restore/container.h"
#include "oci/oci-internal.h"

extern const struct verb oci_checkpoint, oci_restore;

/* Engines look for this file of CRIU's before they restore. */
#define MARKER "inventory.img"

/* What both take. */
#define CRIU_OPTIONS                                                                           \
	{0, "image-path", "DIR", "the image's directory"},                                     \
		{0, "work-path", "DIR", "accepted: nothing but the image is written"},         \
		{0, "parent-path", "DIR", "refused"},                                          \
		{0, "tcp-established", NULL, "open TCP connections are part of it"},           \
		{0, "ext-unix-sk", NULL, "accept unix sockets connected to outside"},          \
		{0, "shell-job", NULL, "accept a terminal from outside"},                      \
		{0, "file-locks", NULL, "file locks are part of it"},                          \
		{0, "tcp-skip-in-flight", NULL,                                                \
			"accepted: unaccepted connections are waited for"},                    \
		{0, "link-remap", NULL, "accepted: removed files are part of the image"},      \
		{0, "manage-cgroups-mode", "MODE", "accepted: limits are the description's"},  \
		{0, "empty-ns", "NS", "accepted"}, {0, "auto-dedup", NULL, "accepted"},        \
		{0, "lsm-profile", "PROFILE", "accepted where there is no such module"},       \
		{0, "lsm-mount-context", "CONTEXT", "accepted where there is no such module"}, \
		{0, "status-fd", "N", "accepted"}, {0, "page-server", "ADDRESS", "refused"},   \
		{0, "lazy-pages", NULL, "refused"},                                            \
	{                                                                                      \
		0, "pre-dump", NULL, "refused"                                                 \
	}

struct request {
	const char *image;
	struct dump_opts dump;
};

static int criu_option(struct request *q, const char *name, const char *value, struct err *err)
{
	if (strcmp(name, "image-path") == 0)
		q->image = value;
	else if (strcmp(name, "leave-running") == 0)
		q->dump.leave_running = true;
	else if (strcmp(name, "tcp-established") == 0)
		q->dump.tcp_established = true;
	else if (strcmp(name, "ext-unix-sk") == 0)
		q->dump.ext_unix = true;
	else if (strcmp(name, "shell-job") == 0)
		q->dump.shell_job = true;
	else if (strcmp(name, "file-locks") == 0)
		q->dump.file_locks = true;
	else if (strcmp(name, "pre-dump") == 0 || strcmp(name, "lazy-pages") == 0 ||
		 strcmp(name, "page-server") == 0 || strcmp(name, "parent-path") == 0)
		return err_setx(
			err, -EOPNOTSUPP, "this version of kist does not support --%s", name);
	return 0;
}

static int open_image(const char *path, bool make, struct err *err)
{
	int fd;

	if (!path)
		path = "checkpoint";
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "cannot open the image '%s'", path) : fd;
}

static int checkpoint_run(int argc, char **argv, struct err *err)
{
	/* engines use one directory again and again */
	struct request q = {.dump = {.marker = MARKER, .overwrite = true}};
	const struct verb_option *o;
	struct dump_result res;
	autoclose int dirfd = -EBADF;
	struct oci_args a;
	const char *id;
	int r;

	oci_args_init(&a, &oci_checkpoint, argc, argv);
	while ((o = oci_args_next(&a, err))) {
		r = criu_option(&q, o->name, a.args.value, err);
		if (r < 0)
			return r;
	}
	id = err->code ? NULL : oci_args_id(&a, err);
	if (!id)
		return err->code;
	dirfd = open_image(q.image, true, err);
	if (dirfd < 0)
		return dirfd;
	return dump_container(id, dirfd, &q.dump, &res, err);
}

/* The description is the bundle's: engines restore into another root, under another name. */
static int restore_into(const struct oci_making *m, const struct image *img, struct err *err)
{
	struct container_params *p;
	struct restore_result res;
	struct container *c;
	int r = restore_is_container(img) ? oci_params(m, &p, err)
					  : err_setx(err, -EINVAL, "the image is of no container");

	if (r < 0)
		return r;
	r = restore_container_here(img, p, &c, &res, err);
	if (r < 0)
		return r;
	if (m->console_socket)
		r = oci_send_console(m->console_socket, container_console(c), err);
	if (r == 0 && m->pid_file)
		r = oci_write_pid(m->pid_file, c->pid, err);
	container_free(c);
	if (r < 0)
		(void)container_delete(m->id, true, NULL); /* the first error is told */
	return r;
}

static int restore_run(int argc, char **argv, struct err *err)
{
	struct oci_making m = {0};
	struct request q = {0};
	const struct verb_option *o;
	autoclose int dirfd = -EBADF;
	struct image *img;
	struct oci_args a;
	int r;

	oci_args_init(&a, &oci_restore, argc, argv);
	while ((o = oci_args_next(&a, err))) {
		r = oci_making_option(&m, o, a.args.value, err);
		if (r > 0)
			r = criu_option(&q, o->name, a.args.value, err);
		if (r < 0)
			return r;
		if (strcmp(o->name, "detach") == 0)
			m.detach = true;
	}
	m.id = err->code ? NULL : oci_args_id(&a, err);
	if (!m.id)
		return err->code;
	if (!m.detach)
		return err_setx(err, -EOPNOTSUPP, "a restore without --detach is not supported");
	dirfd = open_image(q.image, false, err);
	r = dirfd < 0 ? dirfd : image_open(dirfd, &img, err);
	if (r < 0)
		return r;
	r = restore_into(&m, img, err);
	image_free(img);
	return r;
}

static const struct verb_option checkpoint_options[] = {
	{0, "leave-running", NULL, "let it go on afterwards"},
	CRIU_OPTIONS,
	{0},
};

static const struct verb_option restore_options[] = {
	{'d', "detach", NULL, "return when it runs"},
	{0, "no-subreaper", NULL, "accepted: kist never is one"},
	OCI_MAKING_OPTIONS,
	CRIU_OPTIONS,
	{0},
};

const struct verb oci_checkpoint = {
	.name = "checkpoint",
	.args = "ID",
	.summary = "write a running container into a directory, and end it",
	.options = checkpoint_options,
	.run = checkpoint_run,
};

const struct verb oci_restore = {
	.name = "restore",
	.args = "ID",
	.summary = "make a container of a bundle run on from an image",
	.options = restore_options,
	.run = restore_run,
};

// SPDX-License-Identifier: Apache-2.0
/* From a bundle to what container_create takes; `create`, `run`, `start`. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/util.h"
#include "oci/oci-internal.h"

extern const struct verb oci_create, oci_start, oci_run;

static int read_spec(const char *bundle, const char *config, struct spec **ret, struct err *err)
{
	autofree char *text = NULL, *path = NULL;
	size_t len;
	int r;

	if (asprintf(&path, "%s%s%s", config && config[0] == '/' ? "" : bundle,
		    config && config[0] == '/' ? "" : "/", config ? config : "config.json") < 0) {
		path = NULL;
		return err_oom(err);
	}
	r = oci_read_file(path, &text, &len, err);
	if (r < 0)
		return r;
	r = spec_parse(text, len, ret, err);
	return r < 0 ? err_wrap(err, "'%s'", path) : 0;
}

/* LISTEN_FDS are passed on as if --preserve-fds had said so; sd_listen_fds(3). */
static int preserved(const struct oci_making *m)
{
	const char *s = getenv("LISTEN_FDS");
	int n = 0;

	if (s && (parse_int(s, &n) < 0 || n < 0 || n > 1024))
		n = 0;
	return m->preserve_fds + n;
}

static int add_listen_env(struct spec_process *p, int n, struct err *err)
{
	char fds[32];

	snprintf(fds, sizeof(fds), "LISTEN_FDS=%d", n);
	return strv_push(&p->env, fds) < 0 || strv_push(&p->env, "LISTEN_PID=1") < 0 ? err_oom(err)
										     : 0;
}

int oci_params(const struct oci_making *m, struct container_params **ret, struct err *err)
{
	struct container_params *p = container_params_new();
	char bundle[PATH_MAX];
	int r;

	if (!p)
		return err_oom(err);
	if (!realpath(m->bundle ? m->bundle : ".", bundle)) {
		container_params_free(p);
		return err_set(
			err, -errno, "cannot find the bundle '%s'", m->bundle ? m->bundle : ".");
	}
	spec_free(TAKE_PTR(p->spec));
	p->name = strdup(m->id);
	p->bundle = strdup(bundle);
	p->rootfs = ROOTFS_BIND;
	p->interactive = true; /* stdio as it is */
	p->later = !m->foreground;
	p->keep_keyring = m->no_new_keyring;
	p->preserve_fds = preserved(m);
	r = p->name && p->bundle ? 0 : err_oom(err);
	if (r == 0)
		r = read_spec(bundle, m->config, &p->spec, err);
	if (r == 0 && p->spec->linux_.n_device_rules)
		r = spec_add_device_rules(p->spec, false, err);
	if (r == 0 && getenv("LISTEN_FDS") && p->preserve_fds > m->preserve_fds)
		r = add_listen_env(&p->spec->process, p->preserve_fds - m->preserve_fds, err);
	if (r == 0 && m->console_socket && !p->spec->process.terminal)
		r = err_setx(
			err, -EINVAL, "a console socket is given, but the process has no terminal");
	if (r == 0 && p->later && !m->console_socket && p->spec->process.terminal)
		r = err_setx(
			err, -EINVAL, "the process wants a terminal: --console-socket is needed");
	if (r < 0)
		container_params_free(p);
	else
		*ret = p;
	return r;
}

/* Tells callers of what was made. A failure ends it. */
static int hand_out(const struct oci_making *m, struct container *c, struct err *err)
{
	int r = 0;

	if (m->console_socket)
		r = oci_send_console(m->console_socket, container_console(c), err);
	if (r == 0 && m->pid_file)
		r = oci_write_pid(m->pid_file, c->pid, err);
	return r;
}

static int make(void *arg, struct container **ret, struct err *err)
{
	const struct oci_making *m = arg;
	struct container_params *p;
	struct container *c;
	int r = oci_params(m, &p, err);

	if (r < 0)
		return r;
	r = container_create(p, NULL, &c, err);
	if (r < 0)
		return r;
	r = hand_out(m, c, err);
	if (r < 0) {
		container_free(c);
		(void)container_delete(m->id, true, NULL); /* the first error is told */
		return r;
	}
	*ret = c;
	return 0;
}

static int parse(const struct verb *v, int argc, char **argv, struct oci_making *m, struct err *err)
{
	const struct verb_option *o;
	struct oci_args a;
	int r;

	oci_args_init(&a, v, argc, argv);
	while ((o = oci_args_next(&a, err))) {
		r = oci_making_option(m, o, a.args.value, err);
		if (r < 0)
			return r;
		if (r > 0 && strcmp(o->name, "detach") == 0)
			m->detach = true;
		if (r > 0 && strcmp(o->name, "keep") == 0)
			m->keep_stopped = true;
	}
	if (err->code)
		return err->code;
	m->id = oci_args_id(&a, err);
	return m->id ? 0 : err->code;
}

static int create_run(int argc, char **argv, struct err *err)
{
	struct oci_making m = {0};
	struct container *c;
	int r = parse(&oci_create, argc, argv, &m, err);

	if (r == 0)
		r = make(&m, &c, err);
	if (r == 0)
		container_free(c);
	return r;
}

static int start_run(int argc, char **argv, struct err *err)
{
	const char *id = oci_only_id(&oci_start, argc, argv, err);
	struct container *c;
	int r;

	if (!id)
		return err->code;
	r = container_open_locked(id, &c, err);
	if (r < 0)
		return r;
	r = container_start(c, err);
	container_free(c);
	if (r == -ECANCELED)
		(void)container_delete(id, true, NULL); /* the first error is told */
	return r;
}

static int run_detached(struct oci_making *m, struct err *err)
{
	struct container *c;
	int r = make(m, &c, err);

	if (r < 0)
		return r;
	container_free(c);
	r = container_open_locked(m->id, &c, err);
	if (r == 0) {
		r = container_start(c, err);
		container_free(c);
	}
	if (r < 0)
		(void)container_delete(m->id, true, NULL); /* the first error is told */
	return r;
}

static int run_run(int argc, char **argv, struct err *err)
{
	struct oci_making m = {0};
	int status = 0, r = parse(&oci_run, argc, argv, &m, err);

	if (r < 0)
		return r;
	if (m.console_socket && !m.detach)
		return err_setx(err, -EINVAL, "a console socket is for a detached container");
	if (m.detach)
		return run_detached(&m, err);
	m.foreground = true;
	r = container_foreground(make, &m, &status, err);
	if (r < 0)
		return r;
	if (m.keep_stopped)
		return status;
	r = container_delete(m.id, true, err);
	return r < 0 ? r : status;
}

static const struct verb_option create_options[] = {OCI_MAKING_OPTIONS, {0}};

static const struct verb_option run_options_[] = {
	{'d', "detach", NULL, "do not wait for its end"},
	{0, "keep", NULL, "do not delete it when it has ended"},
	{0, "no-subreaper", NULL, "accepted: kist never is one"},
	OCI_MAKING_OPTIONS,
	{0},
};

const struct verb oci_create = {
	.name = "create",
	.args = "ID",
	.summary = "make a container, which waits for its start",
	.options = create_options,
	.run = create_run,
};

const struct verb oci_start = {
	.name = "start",
	.args = "ID",
	.summary = "start a created container",
	.run = start_run,
};

const struct verb oci_run = {
	.name = "run",
	.args = "ID",
	.summary = "make, start and, unless detached, wait for and delete a container",
	.options = run_options_,
	.run = run_run,
};

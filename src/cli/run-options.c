// SPDX-License-Identifier: Apache-2.0
/* The options of `kist run`: a row for the help, and a function for what it does to the spec. */
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "cli/options.h"
#include "security/security.h"

struct run {
	struct container_params *p;
	struct spec *s;
	bool no_seccomp;
};

static int replace(char **to, const char *value, struct err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return err_oom(err);
	free(*to);
	*to = copy;
	return 0;
}

static int set_name(struct run *r, const char *value, struct err *err)
{
	return replace(&r->p->name, value, err);
}

static int set_detach(struct run *r, const char *value, struct err *err)
{
	r->p->detach = true;
	return 0;
}

static int set_interactive(struct run *r, const char *value, struct err *err)
{
	r->p->interactive = true;
	return 0;
}

static int set_tty(struct run *r, const char *value, struct err *err)
{
	option_tty(&r->s->process);
	return 0;
}

static int set_rootfs(struct run *r, const char *value, struct err *err)
{
	char path[PATH_MAX];

	if (!realpath(value, path))
		return err_set(err, -errno, "cannot use the root directory '%s'", value);
	if (r->p->rootfs == ROOTFS_HOST)
		r->p->rootfs = ROOTFS_OVERLAY;
	return replace(&r->s->root_path, path, err);
}

static int set_rw(struct run *r, const char *value, struct err *err)
{
	r->p->rootfs = ROOTFS_BIND;
	return 0;
}

static int set_read_only(struct run *r, const char *value, struct err *err)
{
	r->s->root_readonly = true;
	return 0;
}

static int set_env(struct run *r, const char *value, struct err *err)
{
	return option_env(&r->s->process, value, err);
}

static int set_workdir(struct run *r, const char *value, struct err *err)
{
	return replace(&r->s->process.cwd, value, err);
}

static int set_user(struct run *r, const char *value, struct err *err)
{
	return option_user(&r->s->process, value, err);
}

static int set_hostname(struct run *r, const char *value, struct err *err)
{
	return replace(&r->s->hostname, value, err);
}

static int set_remove(struct run *r, const char *value, struct err *err)
{
	r->p->remove = true;
	return 0;
}

static int set_init(struct run *r, const char *value, struct err *err)
{
	r->p->init = true;
	return 0;
}

static int set_no_init(struct run *r, const char *value, struct err *err)
{
	r->p->init = false;
	return 0;
}

static int set_no_seccomp(struct run *r, const char *value, struct err *err)
{
	r->no_seccomp = true;
	return 0;
}

static int set_log_max(struct run *r, const char *value, struct err *err)
{
	if (parse_size(value, &r->p->log_max) < 0 || r->p->log_max < 4096 ||
		r->p->log_max > INT64_MAX)
		return err_setx(err, -EINVAL, "'%s' is no size for a log (at least 4K)", value);
	return 0;
}

static int set_net(struct run *r, const char *value, struct err *err)
{
	static const struct {
		const char *name;
		enum container_net net;
	} nets[] = {
		{"bridge", CONTAINER_NET_BRIDGE},
		{"host", CONTAINER_NET_HOST},
		{"none", CONTAINER_NET_NONE},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nets); i++)
		if (strcmp(nets[i].name, value) == 0) {
			r->p->net = nets[i].net;
			r->s->linux_.ns[SPEC_NS_NET].enabled = nets[i].net != CONTAINER_NET_HOST;
			return 0;
		}
	return err_setx(err, -EINVAL, "'%s' is no network: none, host or bridge", value);
}

static int set_limit(struct run *r, const char *value, struct err *err)
{
	struct spec_linux *l = &r->s->linux_;
	const char *eq = strchr(value, '=');
	struct spec_limit *more;

	if (!eq || eq == value) {
		err_setx(err, -EINVAL, "'%s' is not KEY=VALUE", value);
		return err_hint(err, "such as memory.max=512M; 'kist keys' lists the keys");
	}
	more = reallocarray(l->limits, l->n_limits + 1, sizeof(*more));
	if (!more)
		return err_oom(err);
	l->limits = more;
	more += l->n_limits;
	*more = (struct spec_limit){
		.key = strndup(value, (size_t)(eq - value)), .value = strdup(eq + 1)};
	l->n_limits++;
	return more->key && more->value ? 0 : err_oom(err);
}

static int set_cap(struct run *r, const char *value, bool add, struct err *err)
{
	struct spec_caps *c = &r->s->process.caps;
	uint64_t mask;
	int cap;

	if (strcasecmp(value, "all") == 0) {
		struct spec_caps all;
		int res = caps_get(&all, err);

		if (res < 0)
			return res;
		mask = all.bounding;
	} else if (caps_from_name(value, &cap) == 0) {
		mask = UINT64_C(1) << cap;
	} else {
		return err_setx(err, -EINVAL, "'%s' is no capability", value);
	}
	c->bounding = add ? c->bounding | mask : c->bounding & ~mask;
	c->effective = c->permitted = c->bounding;
	return 0;
}

static int set_cap_add(struct run *r, const char *value, struct err *err)
{
	return set_cap(r, value, true, err);
}

static int set_cap_drop(struct run *r, const char *value, struct err *err)
{
	return set_cap(r, value, false, err);
}

static int bad_port(const char *value, struct err *err)
{
	return err_setx(
		err, -EINVAL, "'%s' is not [IP:]HOST:CONTAINER[/tcp|/udp] (ports 1-65535)", value);
}

static int set_port(struct run *r, const char *value, struct err *err)
{
	autofree char *text = strdup(value);
	struct net_port port = {.protocol = IPPROTO_TCP}, *more;
	uint32_t host, container;
	char *slash, *colon, *ip_end;

	if (!text)
		return err_oom(err);
	slash = strchr(text, '/');
	if (slash) {
		*slash++ = '\0';
		if (strcmp(slash, "udp") == 0)
			port.protocol = IPPROTO_UDP;
		else if (strcmp(slash, "tcp") != 0)
			return bad_port(value, err);
	}
	colon = strrchr(text, ':');
	if (!colon)
		return bad_port(value, err);
	*colon++ = '\0';
	ip_end = strrchr(text, ':');
	if (ip_end) {
		*ip_end = '\0';
		if (strlen(text) >= sizeof(port.host_ip))
			return bad_port(value, err);
		strcpy(port.host_ip, text);
	}
	if (parse_u32(ip_end ? ip_end + 1 : text, 10, &host) < 0 ||
		parse_u32(colon, 10, &container) < 0 || !host || host > UINT16_MAX || !container ||
		container > UINT16_MAX)
		return bad_port(value, err);
	port.host = (uint16_t)host;
	port.container = (uint16_t)container;
	more = reallocarray(r->p->ports, r->p->n_ports + 1, sizeof(*more));
	if (!more)
		return err_oom(err);
	r->p->ports = more;
	more[r->p->n_ports++] = port;
	return 0;
}

/* "rbind" and the user's words; what they mean is the mount's business. */
static int mount_options(struct spec_mount *m, char *words, struct err *err)
{
	char *save, *w;

	if (strv_push(&m->options, "rbind") < 0)
		return err_oom(err);
	for (w = words ? strtok_r(words, ",", &save) : NULL; w; w = strtok_r(NULL, ",", &save))
		if (strv_push(&m->options, w) < 0)
			return err_oom(err);
	return 0;
}

static int set_volume(struct run *r, const char *value, struct err *err)
{
	autofree char *text = strdup(value);
	struct spec_mount *more, *m;
	char path[PATH_MAX], *dst, *words;

	if (!text)
		return err_oom(err);
	dst = strchr(text, ':');
	if (!dst || dst[1] != '/') {
		err_setx(err, -EINVAL, "'%s' is not SRC:DST[:OPTIONS]", value);
		return err_hint(err, "DST is an absolute path; OPTIONS of ro, rro, idmap, …");
	}
	*dst++ = '\0';
	words = strchr(dst, ':');
	if (words)
		*words++ = '\0';
	if (!realpath(text, path))
		return err_set(err, -errno, "cannot use '%s' as a volume", text);
	more = reallocarray(r->s->mounts, r->s->n_mounts + 1, sizeof(*more));
	if (!more)
		return err_oom(err);
	r->s->mounts = more;
	m = &more[r->s->n_mounts++];
	*m = (struct spec_mount){
		.destination = strdup(dst), .type = strdup("bind"), .source = strdup(path)};
	if (!m->destination || !m->type || !m->source)
		return err_oom(err);
	return mount_options(m, words, err);
}

static int add_map(struct spec_idmap **maps, size_t *n, uint32_t host, uint32_t size)
{
	free(*maps);
	*n = 0;
	*maps = calloc(1, sizeof(**maps));
	if (!*maps)
		return -ENOMEM;
	(*maps)[(*n)++] = (struct spec_idmap){0, host, size};
	return 0;
}

static int set_userns(struct run *r, const char *value, struct err *err)
{
	struct spec_linux *l = &r->s->linux_;
	unsigned int uid, gid, size;
	int end = 0;

	l->ns[SPEC_NS_USER].enabled = true;
	r->p->idmap = true;
	if (strcmp(value, "auto") == 0) {
		r->p->userns_size = CONTAINER_USERNS_AUTO;
		return 0;
	}
	r->p->userns_size = 0;
	if (sscanf(value, "%10u:%10u:%10u%n", &uid, &gid, &size, &end) != 3 || value[end] || !size)
		return err_setx(err, -EINVAL, "'%s' is neither 'auto' nor UID:GID:N", value);
	if (add_map(&l->uid_maps, &l->n_uid_maps, uid, size) < 0 ||
		add_map(&l->gid_maps, &l->n_gid_maps, gid, size) < 0)
		return err_oom(err);
	return 0;
}

/* "N" for both clocks, or "monotonic=N,boottime=N", in seconds. */
static int set_time_offset(struct run *r, const char *value, struct err *err)
{
	struct spec_linux *l = &r->s->linux_;
	autofree char *text = strdup(value);
	char *save, *w;

	if (!text)
		return err_oom(err);
	l->ns[SPEC_NS_TIME].enabled = true;
	if (parse_i64(value, 10, &l->time_monotonic_sec) == 0) {
		l->time_boottime_sec = l->time_monotonic_sec;
		return 0;
	}
	for (w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		int64_t *to = NULL;

		if (strncmp(w, "monotonic=", 10) == 0)
			to = &l->time_monotonic_sec;
		else if (strncmp(w, "boottime=", 9) == 0)
			to = &l->time_boottime_sec;
		if (!to || parse_i64(strchr(w, '=') + 1, 10, to) < 0)
			return err_setx(err, -EINVAL,
				"'%s' is neither seconds nor monotonic=SECONDS,boottime=SECONDS",
				value);
	}
	return 0;
}

const struct verb_option run_options[] = {
	{'n', "name", "NAME", "name of the container; made up without"},
	{'d', "detach", NULL, "run in the background; prints the name"},
	{'i', "interactive", NULL, "pass stdin on"},
	{'t', "tty", NULL, "give the command a terminal"},
	{0, "rootfs", "DIR", "its root, under an overlay; without: the host's own files"},
	{0, "rw", NULL, "write through to DIR, without an overlay"},
	{0, "read-only", NULL, "make the root read-only"},
	{'v', "volume", "SRC:DST[:OPTIONS]", "show SRC of the host as DST; OPTIONS: ro,rro,idmap"},
	{'e', "env", "NAME[=VALUE]", "set a variable, or pass on the caller's"},
	{'w', "workdir", "DIR", "working directory of the command"},
	{'u', "user", "UID[:GID]", "run as this user"},
	{0, "hostname", "NAME", "host name; without: the container's name"},
	{'s', "set", "KEY=VALUE", "a limit, as 'kist set' takes it"},
	{0, "net", "none|host|bridge", "network (default: none)"},
	{'p', "publish", "HOST:CONTAINER[/udp]", "publish a port of the container (--net bridge)"},
	{0, "userns", "auto|UID:GID:N", "user namespace: N ids from UID and GID of the host"},
	{0, "time-offset", "SECONDS", "time namespace: shift of the monotonic and boottime clock"},
	{0, "cap-add", "CAP", "one more capability than the default set, or 'all'"},
	{0, "cap-drop", "CAP", "one less, or 'all'"},
	{0, "no-seccomp", NULL, "no system call filter"},
	{0, "init", NULL, "pid 1 is kist's init, which reaps and forwards signals (default)"},
	{0, "no-init", NULL, "the command itself is pid 1"},
	{0, "log-max", "SIZE", "rotate the log of -d at this size (default 10M)"},
	{0, "rm", NULL, "remove the container when it ends"},
	{0},
};

static const struct {
	const char *name;
	int (*set)(struct run *r, const char *value, struct err *err);
} setters[] = {
	{"cap-add", set_cap_add},
	{"cap-drop", set_cap_drop},
	{"detach", set_detach},
	{"env", set_env},
	{"hostname", set_hostname},
	{"init", set_init},
	{"interactive", set_interactive},
	{"log-max", set_log_max},
	{"name", set_name},
	{"net", set_net},
	{"no-init", set_no_init},
	{"no-seccomp", set_no_seccomp},
	{"publish", set_port},
	{"read-only", set_read_only},
	{"rm", set_remove},
	{"rootfs", set_rootfs},
	{"rw", set_rw},
	{"set", set_limit},
	{"time-offset", set_time_offset},
	{"tty", set_tty},
	{"user", set_user},
	{"userns", set_userns},
	{"volume", set_volume},
	{"workdir", set_workdir},
};

static int apply(struct run *r, const struct verb_option *o, const char *value, struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(setters); i++)
		if (strcmp(setters[i].name, o->name) == 0)
			return setters[i].set(r, value, err);
	return err_setx(err, -EINVAL, "unknown option '%s'", o->name);
}

/* What depends on the whole command line. */
static int complete(struct run *r, struct err *err)
{
	struct container_params *p = r->p;
	struct spec *s = r->s;
	int res = 0;

	if (p->rootfs == ROOTFS_BIND && !s->root_path)
		return err_setx(
			err, -EINVAL, "--rw needs --rootfs: the host's files stay as they are");
	if (!p->name)
		res = container_name_make(&p->name, err);
	if (res == 0)
		res = container_name_check(p->name, err);
	if (res == 0 && !s->hostname)
		res = replace(&s->hostname, p->name, err);
	if (res == 0)
		res = option_home(&s->process, err);
	if (res == 0 && !r->no_seccomp)
		res = seccomp_default(s->process.caps.bounding, &s->linux_.seccomp, err);
	return res;
}

static int parse(struct run *r, struct verb_args *args, struct err *err)
{
	const struct verb_option *o;
	int res = spec_defaults(r->s, err);

	if (res < 0)
		return res;
	r->s->process.no_new_privileges = true;
	while ((o = verb_args_next(args, err))) {
		res = apply(r, o, args->value, err);
		if (res < 0)
			return res;
	}
	if (err->code)
		return err->code;
	res = option_command(args, &r->s->process, err);
	return res < 0 ? res : complete(r, err);
}

int run_params_parse(
	const struct verb *v, int argc, char **argv, struct container_params **ret, struct err *err)
{
	struct container_params *p = container_params_new();
	struct verb_args args;
	struct run r = {.p = p};
	int res;

	if (!p)
		return err_oom(err);
	r.s = p->spec;
	p->rootfs = ROOTFS_HOST;
	p->net = CONTAINER_NET_NONE;
	p->init = true;
	verb_args_init(&args, v, argc, argv);
	res = parse(&r, &args, err);
	if (res < 0)
		container_params_free(p);
	else
		*ret = p;
	return res;
}

// SPDX-License-Identifier: Apache-2.0
/* See params.h. */
#include "container/params.h"

#include <netinet/in.h>
#include <stdio.h>

#include "base/util.h"

static const char *const rootfs_names[] = {
	[ROOTFS_BIND] = "bind",
	[ROOTFS_OVERLAY] = "overlay",
	[ROOTFS_HOST] = "host",
};

static const char *const net_names[] = {
	[CONTAINER_NET_NONE] = "none",
	[CONTAINER_NET_HOST] = "host",
	[CONTAINER_NET_BRIDGE] = "bridge",
};

static const struct {
	const char *name;
	size_t offset;
} flags[] = {
	{"detach", offsetof(struct container_params, detach)},
	{"idmap", offsetof(struct container_params, idmap)},
	{"init", offsetof(struct container_params, init)},
	{"interactive", offsetof(struct container_params, interactive)},
	{"keepKeyring", offsetof(struct container_params, keep_keyring)},
	{"later", offsetof(struct container_params, later)},
	{"remove", offsetof(struct container_params, remove)},
};

struct container_params *container_params_new(void)
{
	struct container_params *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->spec = spec_new();
	if (!p->spec) {
		free(p);
		return NULL;
	}
	return p;
}

bool container_params_shifted(const struct container_params *p)
{
	return p->idmap && p->spec->linux_.ns[SPEC_NS_USER].enabled;
}

void container_params_free(struct container_params *p)
{
	if (!p)
		return;
	free(p->name);
	spec_free(p->spec);
	free(p->bundle);
	free(p->address);
	free(p->ports);
	free(p);
}

static json_t *ports_to_json(const struct container_params *p)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < p->n_ports; i++) {
		const struct net_port *port = &p->ports[i];
		json_t *j = json_pack("{s:i, s:i, s:s, s:s}", "host", port->host, "container",
			port->container, "protocol", port->protocol == IPPROTO_UDP ? "udp" : "tcp",
			"hostIp", port->host_ip);

		if (json_array_append_new(list, j) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *spec_to_json(const struct spec *spec, struct err *err)
{
	autofree char *text = NULL;
	json_t *j;

	if (spec_print(spec, &text, err) < 0)
		return NULL;
	j = json_loads(text, 0, NULL);
	if (!j)
		(void)err_oom(err); /* the text is ours and right */
	return j;
}

/* All but the spec. */
static json_t *frame_to_json(const struct container_params *p, struct err *err)
{
	json_t *j = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:o, s:I, s:I}", "rootfs",
		rootfs_names[p->rootfs], "net", net_names[p->net], "name", p->name, "bundle",
		p->bundle, "address", p->address, "ports", ports_to_json(p), "logMax",
		(json_int_t)p->log_max, "usernsSize", (json_int_t)p->userns_size);
	size_t i;
	int r = j ? 0 : -ENOMEM;

	for (i = 0; r == 0 && i < ARRAY_SIZE(flags); i++)
		r = json_object_set_new(j, flags[i].name,
			json_boolean(*(const bool *)((const char *)p + flags[i].offset)));
	if (r == 0)
		return j;
	json_decref(j);
	(void)err_oom(err); /* NULL says that it failed */
	return NULL;
}

int container_params_to_json(const struct container_params *p, json_t **ret, struct err *err)
{
	json_t *spec = spec_to_json(p->spec, err), *j;

	if (!spec)
		return err ? err->code : -ENOMEM;
	j = frame_to_json(p, err);
	if (!j || json_object_set_new(j, "spec", spec) < 0) {
		json_decref(j);
		return err_oom(err);
	}
	*ret = j;
	return 0;
}

int container_params_print(const struct container_params *p, struct buf *b, struct err *err)
{
	autofree char *spec = NULL, *frame = NULL;
	json_t *j = frame_to_json(p, err);

	if (!j)
		return -ENOMEM;
	frame = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (!frame)
		return err_oom(err);
	if (spec_print(p->spec, &spec, err) < 0)
		return err ? err->code : -ENOMEM;
	/* The spec is text already, and a long one: it becomes the last member as it is. */
	frame[strlen(frame) - 1] = '\0';
	return buf_addf(b, "%s,\"spec\":%s}", frame, spec) < 0 ? err_oom(err) : 0;
}

static int bad(const char *what, struct err *err)
{
	return err_setx(err, -EINVAL, "the container's parameters have no valid '%s'", what);
}

static int get_name(const json_t *j, const char *key, const char *const *names, size_t n)
{
	const char *s = json_string_value(json_object_get(j, key));
	size_t i;

	for (i = 0; s && i < n; i++)
		if (strcmp(names[i], s) == 0)
			return (int)i;
	return -EINVAL;
}

static int get_string(const json_t *j, const char *key, char **ret, struct err *err)
{
	const json_t *v = json_object_get(j, key);

	if (!v)
		return 0;
	if (!json_is_string(v))
		return bad(key, err);
	*ret = strdup(json_string_value(v));
	return *ret ? 0 : err_oom(err);
}

static int get_port(const json_t *j, struct net_port *port, struct err *err)
{
	const char *protocol = json_string_value(json_object_get(j, "protocol"));
	const char *ip = json_string_value(json_object_get(j, "hostIp"));
	json_int_t host = json_integer_value(json_object_get(j, "host"));
	json_int_t cont = json_integer_value(json_object_get(j, "container"));

	if (!protocol || !ip || strlen(ip) >= sizeof(port->host_ip) || host < 1 || host > 65535 ||
		cont < 1 || cont > 65535)
		return bad("ports", err);
	port->host = (uint16_t)host;
	port->container = (uint16_t)cont;
	port->protocol = strcmp(protocol, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	strcpy(port->host_ip, ip);
	return 0;
}

static int get_ports(const json_t *list, struct container_params *p, struct err *err)
{
	size_t i, n = json_array_size(list);
	int r = 0;

	if (n == 0)
		return 0;
	p->ports = calloc(n, sizeof(*p->ports));
	if (!p->ports)
		return err_oom(err);
	p->n_ports = n;
	for (i = 0; r == 0 && i < n; i++)
		r = get_port(json_array_get(list, i), &p->ports[i], err);
	return r;
}

static int get_spec(const json_t *j, struct container_params *p, struct err *err)
{
	const json_t *v = json_object_get(j, "spec");
	autofree char *text = NULL;

	if (!json_is_object(v))
		return bad("spec", err);
	text = json_dumps(v, JSON_COMPACT);
	if (!text)
		return err_oom(err);
	spec_free(p->spec);
	p->spec = NULL;
	return spec_parse(text, strlen(text), &p->spec, err);
}

static int fill(const json_t *j, struct container_params *p, struct err *err)
{
	json_int_t log_max = json_integer_value(json_object_get(j, "logMax"));
	json_int_t userns = json_integer_value(json_object_get(j, "usernsSize"));
	int rootfs = get_name(j, "rootfs", rootfs_names, ARRAY_SIZE(rootfs_names));
	int net = get_name(j, "net", net_names, ARRAY_SIZE(net_names)), r;
	size_t i;

	if (rootfs < 0)
		return bad("rootfs", err);
	if (net < 0)
		return bad("net", err);
	if (log_max < 0 || userns < 0 || userns > UINT32_MAX)
		return bad("logMax", err);
	p->rootfs = rootfs;
	p->net = net;
	p->log_max = log_max;
	p->userns_size = (uint32_t)userns;
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		*(bool *)((char *)p + flags[i].offset) =
			json_is_true(json_object_get(j, flags[i].name));
	r = get_string(j, "name", &p->name, err);
	if (r == 0)
		r = get_string(j, "bundle", &p->bundle, err);
	if (r == 0)
		r = get_string(j, "address", &p->address, err);
	if (r == 0)
		r = get_ports(json_object_get(j, "ports"), p, err);
	return r < 0 ? r : get_spec(j, p, err);
}

int container_params_from_json(const json_t *j, struct container_params **ret, struct err *err)
{
	struct container_params *p = container_params_new();
	int r;

	if (!p)
		return err_oom(err);
	r = fill(j, p, err);
	if (r < 0)
		container_params_free(p);
	else
		*ret = p;
	return r;
}

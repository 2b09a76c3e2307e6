// SPDX-License-Identifier: Apache-2.0
/*
 * The device policy. The rules are first brought to the one form in which both kernels hold it: all
 * is allowed, or nothing is, and a list of exceptions. v1 takes that by devices.allow and .deny, v2
 * as a BPF program.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "bpf/device.h"
#include "cgroup/ops.h"
#include "spec/spec.h"

#define ACCESS_ALL (BPF_DEVICE_MKNOD | BPF_DEVICE_READ | BPF_DEVICE_WRITE)

struct policy {
	bool allow; /* what holds beside the exceptions */
	struct bpf_device *v;
	size_t n, cap;
};

static unsigned int access_of(const char *s)
{
	return (strchr(s, 'm') ? BPF_DEVICE_MKNOD : 0) | (strchr(s, 'r') ? BPF_DEVICE_READ : 0) |
	       (strchr(s, 'w') ? BPF_DEVICE_WRITE : 0);
}

static void print_device(const struct bpf_device *d, char *ret, size_t size)
{
	char major[16] = "*", minor[16] = "*";

	if (d->major != BPF_DEVICE_ANY)
		snprintf(major, sizeof(major), "%u", d->major);
	if (d->minor != BPF_DEVICE_ANY)
		snprintf(minor, sizeof(minor), "%u", d->minor);
	snprintf(ret, size, "%c %s:%s %s%s%s", d->type, major, minor,
		d->access & BPF_DEVICE_READ ? "r" : "", d->access & BPF_DEVICE_WRITE ? "w" : "",
		d->access & BPF_DEVICE_MKNOD ? "m" : "");
}

static bool number_covers(uint32_t a, uint32_t b)
{
	return a == BPF_DEVICE_ANY || a == b;
}

static bool number_meets(uint32_t a, uint32_t b)
{
	return number_covers(a, b) || b == BPF_DEVICE_ANY;
}

static int add_exception(struct policy *p, const struct bpf_device *d, struct err *err)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		struct bpf_device *e = &p->v[i];

		if (e->type == d->type && e->major == d->major && e->minor == d->minor) {
			e->access |= d->access;
			return 0;
		}
	}
	if (array_reserve(&p->v, &p->cap, p->n + 1, sizeof(*p->v)) < 0)
		return err_oom(err);
	p->v[p->n++] = *d;
	return 0;
}

/* A rule that says what holds anyway takes back exceptions; part of one cannot be taken back. */
static int remove_exceptions(struct policy *p, const struct bpf_device *d, struct err *err)
{
	char rule[64], other[64];
	size_t i, k = 0;

	for (i = 0; i < p->n; i++) {
		struct bpf_device e = p->v[i];

		if (e.type == d->type && number_covers(d->major, e.major) &&
			number_covers(d->minor, e.minor)) {
			e.access &= ~d->access;
		} else if (e.type == d->type && number_meets(d->major, e.major) &&
			   number_meets(d->minor, e.minor) && (e.access & d->access)) {
			print_device(d, rule, sizeof(rule));
			print_device(&e, other, sizeof(other));
			err_setx(err, -EOPNOTSUPP,
				"device rule '%s %s' takes back a part of '%s' before it",
				p->allow ? "allow" : "deny", rule, other);
			return err_hint(err, "list the devices without wildcards instead");
		}
		if (e.access)
			p->v[k++] = e;
	}
	p->n = k;
	return 0;
}

static int policy_add(struct policy *p, const struct spec_device_rule *r, struct err *err)
{
	struct bpf_device d = {.type = r->type,
		.major = r->major == SPEC_UNSET || r->major < 0 ? BPF_DEVICE_ANY : r->major,
		.minor = r->minor == SPEC_UNSET || r->minor < 0 ? BPF_DEVICE_ANY : r->minor,
		.access = access_of(r->access)};
	const char *types = r->type == 'a' || !r->type ? "bc" : r->type == 'b' ? "b" : "c";
	int rc = 0;

	if (!d.access) /* the specification's "all of them" */
		d.access = ACCESS_ALL;
	if (types[1] && d.major == BPF_DEVICE_ANY && d.minor == BPF_DEVICE_ANY &&
		d.access == ACCESS_ALL) {
		p->allow = r->allow;
		p->n = 0;
		return 0;
	}
	for (; *types && rc == 0; types++) {
		d.type = *types;
		rc = r->allow == p->allow ? remove_exceptions(p, &d, err)
					  : add_exception(p, &d, err);
	}
	return rc;
}

static int policy_build(
	const struct spec_device_rule *rules, size_t n, struct policy *p, struct err *err)
{
	size_t i;
	int r = 0;

	/* A list that begins by allowing something means that the rest is not. */
	p->allow = n && !rules[0].allow;
	for (i = 0; i < n && r == 0; i++)
		r = policy_add(p, &rules[i], err);
	return r;
}

static int write_v1(struct cgroup *cg, int fd, const struct policy *p, struct err *err)
{
	const char *base = p->allow ? "devices.allow" : "devices.deny";
	const char *rest = p->allow ? "devices.deny" : "devices.allow";
	char line[64];
	size_t i;
	int r;

	r = file_write_at(fd, base, "a");
	if (r < 0)
		return err_set(err, r, "cannot set '%s' of cgroup '%s' to all", base, cg->path);
	for (i = 0; i < p->n; i++) {
		print_device(&p->v[i], line, sizeof(line));
		r = file_write_at(fd, rest, line);
		if (r < 0) {
			err_set(err, r, "cannot write '%s' to '%s' of cgroup '%s'", line, rest,
				cg->path);
			return r == -EPERM ? err_hint(err, "the cgroup above does not allow it")
					   : r;
		}
	}
	return 0;
}

int cgroup_set_devices(
	struct cgroup *cg, const struct spec_device_rule *rules, size_t n, struct err *err)
{
	int h = cgroup_host_find(cg->host, CGROUP_DEVICES), fd, r;
	struct policy p = {0};

	if (n == 0)
		return 0;
	r = policy_build(rules, n, &p, err);
	if (r == 0 && h >= 0) {
		r = fd = cgroup_join(cg, CGROUP_DEVICES, err);
		if (fd >= 0)
			r = write_v1(cg, fd, &p, err);
	} else if (r == 0 && cgroup_fd2(cg) >= 0) {
		r = bpf_device_attach(cgroup_fd2(cg), p.allow, p.v, p.n, err);
	} else if (r == 0) {
		r = err_setx(err, -EOPNOTSUPP,
			"this host has neither a devices controller nor cgroup2 for a BPF policy");
	}
	free(p.v);
	return r;
}

static int parse_number(const char *s, int64_t *ret)
{
	uint32_t n;
	int r;

	if (strcmp(s, "*") == 0) {
		*ret = SPEC_UNSET;
		return 0;
	}
	r = parse_u32(s, 10, &n);
	if (r == 0)
		*ret = n;
	return r;
}

/* "allow c 1:3 rwm", "deny-all"; the words of devices.allow. */
static int parse_rule(char *line, struct spec_device_rule *r)
{
	char *save, *what = strtok_r(line, " \t", &save), *type, *device, *access, *colon;

	*r = (struct spec_device_rule){
		.type = 'a', .major = SPEC_UNSET, .minor = SPEC_UNSET, .access = "rwm"};
	if (!what)
		return -EINVAL;
	r->allow = strncmp(what, "allow", 5) == 0;
	if (strcmp(what, "allow-all") == 0 || strcmp(what, "deny-all") == 0)
		return strtok_r(NULL, " \t", &save) ? -EINVAL : 0;
	if (strcmp(what, "allow") != 0 && strcmp(what, "deny") != 0)
		return -EINVAL;
	type = strtok_r(NULL, " \t", &save);
	device = strtok_r(NULL, " \t", &save);
	access = strtok_r(NULL, " \t", &save);
	colon = device ? strchr(device, ':') : NULL;
	if (!colon || strlen(type) != 1 || !strchr("abc", *type) || strtok_r(NULL, " \t", &save))
		return -EINVAL;
	*colon++ = '\0';
	if (access && (!*access || strlen(access) > 3 || access[strspn(access, "rwm")]))
		return -EINVAL;
	r->type = *type;
	if (access)
		snprintf(r->access, sizeof(r->access), "%s", access);
	return parse_number(device, &r->major) < 0 || parse_number(colon, &r->minor) < 0 ? -EINVAL
											 : 0;
}

static int parse_rules(
	const char *text, struct spec_device_rule **ret, size_t *ret_n, struct err *err)
{
	autofree struct spec_device_rule *rules = NULL;
	autofree char *copy = strdup(text);
	size_t n = 0, cap = 0;
	char *save, *line, shown[64];

	if (!copy)
		return err_oom(err);
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		snprintf(shown, sizeof(shown), "%s", line);
		if (array_reserve(&rules, &cap, n + 1, sizeof(*rules)) < 0)
			return err_oom(err);
		if (parse_rule(line, &rules[n++]) < 0) {
			err_setx(err, -EINVAL, "bad device rule '%s'", shown);
			return err_hint(
				err, "such as 'allow c 1:3 rwm', 'deny b 8:* w', 'deny-all'");
		}
	}
	*ret = TAKE_PTR(rules);
	*ret_n = n;
	return 0;
}

int cgroup_rules_check(const char *text, struct err *err)
{
	autofree struct spec_device_rule *rules = NULL;
	struct policy p = {0};
	size_t n;
	int r = parse_rules(text, &rules, &n, err);

	if (r == 0)
		r = policy_build(rules, n, &p, err);
	free(p.v);
	return r;
}

static int act(struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	autofree struct spec_device_rule *rules = NULL;
	size_t n;
	int r = parse_rules(buf_str(&v->text), &rules, &n, err);

	return r < 0 ? r : cgroup_set_devices(cg, rules, n, err);
}

/* The kernel shows v1's exceptions only, not what holds beside them, and nothing of a program. */
static int show(struct cgroup *cg, struct buf *ret, struct err *err)
{
	err_setx(err, -EOPNOTSUPP, "the kernel does not tell a cgroup's device policy");
	return err_hint(err, "'kist inspect' shows the rules of a container");
}

const struct cgroup_key_ops cgroup_devices_ops = {.act = act, .show = show};

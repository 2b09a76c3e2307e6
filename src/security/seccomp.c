// SPDX-License-Identifier: Apache-2.0
/*
 * The syscall filter: compiled by libseccomp in the parent, where memory may be allocated, and
 * loaded as a plain BPF program in the child.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "security/security.h"
#include "sys/syscall.h"

#define ARGS_MAX 6

struct word {
	const char *name;
	uint32_t value;
};

static const struct word actions[] = {
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
	{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	{"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
	{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
};

static const struct word operators[] = {
	{"SCMP_CMP_EQ", SCMP_CMP_EQ},
	{"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_LT", SCMP_CMP_LT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	{"SCMP_CMP_NE", SCMP_CMP_NE},
};

static const struct word flags[] = {
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
	/* no UAPI of Debian 12 has the name of this one (Linux 5.19) */
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 1u << 5},
};

static int look_up(const struct word *words, size_t n, const char *name, uint32_t *ret)
{
	size_t i;

	for (i = 0; name && i < n; i++)
		if (!strcmp(words[i].name, name)) {
			*ret = words[i].value;
			return 0;
		}
	return -EINVAL;
}

static int find_action(const char *name, int64_t value, uint32_t *ret, struct err *err)
{
	int64_t data = value == SPEC_UNSET ? EPERM : value;
	uint32_t action;

	if (look_up(actions, ARRAY_SIZE(actions), name, &action) < 0)
		return err_setx(
			err, -EINVAL, "'%s' is no seccomp action", name ? name : "(missing)");
	if (action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0)) {
		if (data < 0 || data > (action == SCMP_ACT_ERRNO(0) ? 4095 : 0xffff))
			return err_setx(err, -EINVAL,
				"%lld is no errno for the seccomp action '%s'", (long long)data,
				name);
		action |= (uint32_t)data;
	}
	*ret = action;
	return 0;
}

static int add_archs(scmp_filter_ctx ctx, char *const *archs, struct err *err)
{
	char name[32];
	uint32_t token;
	int r;

	for (; archs && *archs; archs++) {
		size_t i;

		token = 0;
		if (!strncmp(*archs, "SCMP_ARCH_", 10) && strlen(*archs) < sizeof(name)) {
			for (i = 0; (*archs)[10 + i]; i++) /* libseccomp spells "x86_64" */
				name[i] =
					(char)((*archs)[10 + i] | 0x20 * ((*archs)[10 + i] != '_'));
			name[i] = '\0';
			token = seccomp_arch_resolve_name(name);
		}
		if (!token)
			return err_setx(err, -EINVAL, "'%s' is no architecture of seccomp", *archs);
		r = seccomp_arch_add(ctx, token);
		if (r < 0 && r != -EEXIST)
			return err_set(err, r, "cannot filter for the architecture '%s'", *archs);
	}
	return 0;
}

static int fill_args(const struct spec_seccomp_rule *rule, struct scmp_arg_cmp *ret,
	bool *ret_twice, struct err *err)
{
	unsigned int seen = 0;
	size_t i;

	if (rule->n_args > ARGS_MAX)
		return err_setx(
			err, -E2BIG, "a seccomp rule has more than %d conditions", ARGS_MAX);
	for (i = 0; i < rule->n_args; i++) {
		const struct spec_seccomp_arg *a = &rule->args[i];
		uint32_t op;

		if (a->index >= ARGS_MAX)
			return err_setx(err, -EINVAL, "a system call has no argument %u", a->index);
		if (look_up(operators, ARRAY_SIZE(operators), a->op, &op) < 0)
			return err_setx(err, -EINVAL, "'%s' is no seccomp operator",
				a->op ? a->op : "(missing)");
		ret[i] = (struct scmp_arg_cmp){a->index, op, a->value, a->value_two};
		*ret_twice |= seen >> a->index & 1;
		seen |= 1u << a->index;
	}
	return 0;
}

static int add_one(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned int n,
	const struct scmp_arg_cmp *args, struct err *err)
{
	int nr = seccomp_syscall_resolve_name(name), r;

	if (nr == __NR_SCMP_ERROR) {
		/* profiles name calls of all kernels and architectures */
		log_debug("seccomp: the system call '%s' is not known here", name);
		return 0;
	}
	r = seccomp_rule_add_array(ctx, action, nr, n, args);
	/* -EEXIST: an earlier rule already decides this case */
	if (r < 0 && r != -EEXIST)
		return err_set(err, r, "cannot add the seccomp rule for '%s'", name);
	return 0;
}

static int add_rule(scmp_filter_ctx ctx, const struct spec_seccomp_rule *rule, uint32_t fallback,
	struct err *err)
{
	struct scmp_arg_cmp args[ARGS_MAX];
	uint32_t action;
	bool twice = false;
	char **name;
	size_t i;
	int r;

	r = find_action(rule->action, rule->errno_ret, &action, err);
	if (r == 0)
		r = fill_args(rule, args, &twice, err);
	if (r < 0 || action == fallback) /* libseccomp refuses rules that say nothing */
		return r;
	for (name = rule->names; name && *name && r == 0; name++) {
		if (!twice) {
			r = add_one(ctx, action, *name, rule->n_args, args, err);
			continue;
		}
		/* conditions on one argument are alternatives, as runc has them */
		for (i = 0; i < rule->n_args && r == 0; i++)
			r = add_one(ctx, action, *name, 1, &args[i], err);
	}
	return r;
}

static int export(scmp_filter_ctx ctx, struct seccomp_prog *p, struct err *err)
{
	autoclose int fd = memfd_create("seccomp", MFD_CLOEXEC);
	off_t size;
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot make room for the seccomp filter");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_set(err, r, "cannot compile the seccomp filter");
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || size / (off_t)sizeof(*p->filter) > BPF_MAXINSNS)
		return err_setx(err, -E2BIG, "the seccomp filter is longer than %d instructions",
			BPF_MAXINSNS);
	p->filter = malloc((size_t)size);
	if (!p->filter)
		return err_oom(err);
	p->len = (unsigned short)(size / (off_t)sizeof(*p->filter));
	if (io_pread(fd, p->filter, (size_t)size, 0) != size) {
		seccomp_prog_done(p);
		return err_setx(err, -EIO, "cannot read the compiled seccomp filter");
	}
	return 0;
}

static int build(const struct spec_seccomp *sc, scmp_filter_ctx ctx, uint32_t fallback,
	struct seccomp_prog *ret, struct err *err)
{
	struct seccomp_prog p = {0};
	bool notify = false;
	char **f;
	size_t i;
	int r;

	for (f = sc->flags; f && *f; f++) {
		uint32_t flag;

		if (look_up(flags, ARRAY_SIZE(flags), *f, &flag) < 0)
			return err_setx(err, -EINVAL, "'%s' is no flag of seccomp(2)", *f);
		p.flags |= flag;
	}
	r = add_archs(ctx, sc->architectures, err);
	/* a balanced tree: the filter's cost grows with log n, not n */
	if (r == 0 && seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
		log_debug("seccomp: this libseccomp makes no binary tree");
	for (i = 0; r == 0 && i < sc->n_rules; i++) {
		r = add_rule(ctx, &sc->rules[i], fallback, err);
		notify |= sc->rules[i].action && !strcmp(sc->rules[i].action, "SCMP_ACT_NOTIFY");
	}
	if (r < 0)
		return r;
	if (notify && !sc->listener_path)
		return err_setx(err, -EINVAL,
			"SCMP_ACT_NOTIFY needs 'linux.seccomp.listenerPath': nobody would answer");
	if (sc->listener_path)
		p.flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	r = export(ctx, &p, err);
	if (r == 0)
		*ret = p;
	return r;
}

int seccomp_compile(const struct spec_seccomp *sc, struct seccomp_prog *ret, struct err *err)
{
	scmp_filter_ctx ctx;
	uint32_t fallback;
	int r;

	r = find_action(sc->default_action, sc->default_errno, &fallback, err);
	if (r < 0)
		return r;
	if (fallback == SCMP_ACT_NOTIFY)
		return err_setx(
			err, -EINVAL, "SCMP_ACT_NOTIFY can't be the default seccomp action");
	ctx = seccomp_init(fallback);
	if (!ctx)
		return err_oom(err);
	r = build(sc, ctx, fallback, ret, err);
	seccomp_release(ctx);
	return r;
}

void seccomp_prog_done(struct seccomp_prog *p)
{
	if (!p)
		return;
	free(p->filter);
	*p = (struct seccomp_prog){0};
}

int seccomp_prog_load(const struct seccomp_prog *p, int *ret_listener, struct err *err)
{
	const struct sock_fprog prog = {.len = p->len, .filter = p->filter};
	int r = sys_seccomp_filter(p->flags, &prog);

	if (r < 0) {
		err_set(err, r, "cannot load the seccomp filter");
		if (r == -EACCES)
			err_hint(err, "without CAP_SYS_ADMIN it must come after no_new_privs");
		return r;
	}
	*ret_listener = p->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER ? r : -EBADF;
	return 0;
}

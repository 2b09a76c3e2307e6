// SPDX-License-Identifier: Apache-2.0
/*
 * A batch of settings, all or nothing: parsed whole, planned as single writes, written in whatever
 * order the kernel takes, read back, and undone when one of them does not hold.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cgroup/ops.h"

static void plan_done(struct cgroup_plan *p)
{
	size_t i;

	for (i = 0; i < p->n_steps; i++) {
		free(p->steps[i].value);
		free(p->steps[i].undo);
	}
	free(p->steps);
	for (i = 0; i < p->n_items; i++)
		cgroup_value_done(&p->items[i].value);
	free(p->items);
}
#define autoplan __attribute__((cleanup(plan_done)))

static const char *file_of(const struct cgroup_item *it, char *ret, size_t size)
{
	const char *file = it->v2 ? it->key->v2 : it->key->v1;

	if (!file)
		return NULL;
	cgroup_key_file(file, it->size, ret, size);
	return ret;
}

int cgroup_plan_add(struct cgroup_plan *p, size_t i, const char *file, const char *undo,
	struct err *err, const char *fmt, ...)
{
	autobuf struct buf old = {0};
	struct cgroup_step *s;
	va_list ap;
	int r, n;

	if (!undo) {
		r = file_read_at(p->items[i].fd, file, &old, 65536);
		if (r < 0)
			return err_set(
				err, r, "cannot read '%s' of cgroup '%s'", file, p->cg->path);
		while (old.len && old.data[old.len - 1] == '\n')
			old.data[--old.len] = '\0';
		undo = buf_str(&old);
	}
	if (array_reserve(&p->steps, &p->cap, p->n_steps + 1, sizeof(*p->steps)) < 0)
		return err_oom(err);
	s = &p->steps[p->n_steps];
	*s = (struct cgroup_step){.item = i, .fd = p->items[i].fd};
	snprintf(s->file, sizeof(s->file), "%s", file);
	va_start(ap, fmt);
	n = vasprintf(&s->value, fmt, ap);
	va_end(ap);
	if (n < 0)
		s->value = NULL;
	s->undo = p->items[i].key->flags & CGROUP_KEY_ACTION ? NULL : strdup(undo);
	p->n_steps++; /* plan_done frees it */
	if (!s->value || (!s->undo && !(p->items[i].key->flags & CGROUP_KEY_ACTION)))
		return err_oom(err);
	return 0;
}

struct cgroup_item *cgroup_plan_find(struct cgroup_plan *p, const char *name)
{
	size_t i = p->n_items;

	while (i--)
		if (strcmp(p->items[i].key->name, name) == 0)
			return &p->items[i];
	return NULL;
}

static int refuse_missing(
	const struct cgroup_host *host, const struct cgroup_item *it, struct err *err)
{
	enum cgroup_controller c = it->key->controller;
	int i = cgroup_host_find(host, c);

	if (i < 0 && c != CGROUP_CORE && (it->v2 ? it->key->v2 : it->key->v1))
		err_setx(err, -EOPNOTSUPP, "%s: this host has no %s controller", it->name,
			cgroup_controller_name(c, it->v2));
	else
		err_setx(err, -EOPNOTSUPP, "%s: cgroup %s has no such thing", it->name,
			it->v2 ? "v2" : "v1");
	return it->key->instead ? err_hint(err, "%s", it->key->instead) : -EOPNOTSUPP;
}

bool cgroup_key_here(const struct cgroup_host *host, const struct cgroup_key *key,
	const char **ret_file, bool *ret_v2)
{
	int i = cgroup_host_find(host, key->controller);

	*ret_v2 = i < 0 ? host->mode == CGROUP_V2 : host->h[i].v2;
	*ret_file = *ret_v2 ? key->v2 : key->v1;
	if (key->ops && key->ops->act) /* found elsewhere: BPF, a companion, the v1 freezer */
		return true;
	return i >= 0 && *ret_file;
}

/* Finds the row and whether this host has the file, as far as can be told without a cgroup. */
static int item_find(
	struct cgroup_host *host, const char *name, struct cgroup_item *it, struct err *err)
{
	const char *file;
	int r = cgroup_key_find(name, &it->key, it->size, sizeof(it->size), err);

	if (r < 0)
		return r;
	it->name = name;
	it->fd = -EBADF;
	return cgroup_key_here(host, it->key, &file, &it->v2) ? 0 : refuse_missing(host, it, err);
}

static int plan_parse(struct cgroup_host *host, const struct cgroup_setting *s, size_t n,
	struct cgroup_plan *p, struct err *err)
{
	size_t i, k;
	int r = 0;

	p->items = calloc(MAX(n, (size_t)1), sizeof(*p->items));
	if (!p->items)
		return err_oom(err);
	p->n_items = n;
	for (i = 0; i < n && r == 0; i++) {
		struct cgroup_item *it = &p->items[i];

		r = item_find(host, s[i].key, it, err);
		if (r == 0)
			r = cgroup_value_parse(it->key, s[i].value, &it->value, err);
	}
	/* The last of equal names wins; lines of several devices add up. */
	for (i = 0; r == 0 && i < n; i++)
		for (k = i + 1; k < n; k++)
			if (strcmp(p->items[i].name, p->items[k].name) == 0 &&
				p->items[i].key->unit != CGROUP_IO_MAX &&
				p->items[i].key->unit != CGROUP_IO_WEIGHT)
				p->items[i].planned = true;
	return r;
}

int cgroup_check(
	struct cgroup_host *host, const struct cgroup_setting *s, size_t n, struct err *err)
{
	autoplan struct cgroup_plan p = {0};
	size_t i;
	int r = plan_parse(host, s, n, &p, err);

	for (i = 0; r == 0 && i < n; i++)
		if (p.items[i].key->unit == CGROUP_RULES)
			r = cgroup_rules_check(buf_str(&p.items[i].value.text), err);
	return r;
}

static int plan_lines(struct cgroup_plan *p, size_t i, const char *file, struct err *err)
{
	autofree char *text = strdup(buf_str(&p->items[i].value.text));
	char *save, *line;
	int r = 0;

	if (!text)
		return err_oom(err);
	for (line = strtok_r(text, "\n", &save); line && r == 0; line = strtok_r(NULL, "\n", &save))
		r = cgroup_plan_add(p, i, file, "", err, "%s", line);
	return r;
}

static int plan_file(struct cgroup_plan *p, size_t i, struct err *err)
{
	struct cgroup_item *it = &p->items[i];
	const char *text = buf_str(&it->value.text);
	char file[64];

	if (!file_of(it, file, sizeof(file)))
		return refuse_missing(p->cg->host, it, err);
	if (faccessat(it->fd, file, F_OK, 0) < 0) {
		err_setx(err, -EOPNOTSUPP, "%s: this kernel has no '%s'", it->name, file);
		return it->key->instead ? err_hint(err, "%s", it->key->instead) : err->code;
	}
	if (it->key->unit == CGROUP_LINES)
		return plan_lines(p, i, file, err);
	if (!it->v2 && it->key->unit == CGROUP_BYTES && it->value.n == CGROUP_MAX)
		text = "-1";
	/* An empty list wants a byte too, to be a write at all. */
	return cgroup_plan_add(p, i, file, NULL, err, "%s", *text ? text : "\n");
}

static int plan_build(struct cgroup_plan *p, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < p->n_items && r == 0; i++) {
		struct cgroup_item *it = &p->items[i];
		const struct cgroup_key_ops *ops = it->key->ops;

		if (ops && ops->act)
			continue;
		it->fd = cgroup_join(p->cg, it->key->controller, err);
		if (it->fd < 0)
			return err_wrap(err, "%s", it->name);
	}
	for (i = 0; i < p->n_items && r == 0; i++) {
		struct cgroup_item *it = &p->items[i];
		const struct cgroup_key_ops *ops = it->key->ops;

		if (it->planned || (ops && ops->act))
			continue;
		it->planned = true;
		if (ops && (it->v2 ? ops->plan_v2 : ops->plan_v1))
			r = (it->v2 ? ops->plan_v2 : ops->plan_v1)(p, i, err);
		else
			r = plan_file(p, i, err);
	}
	return r;
}

static int write_step(struct cgroup_step *s, const char *value)
{
	return file_write_at(s->fd, s->file, *value ? value : "\n");
}

/*
 * Some pairs of files must be written in an order that depends on what they held (a limit and its
 * sum with swap, quota and period, quota and burst): what the kernel refuses is tried again when
 * another step has got in. Actions come when all else is done.
 */
static int run_steps(struct cgroup_plan *p, bool actions)
{
	bool progress, left;
	size_t i;

	do {
		progress = left = false;
		for (i = 0; i < p->n_steps; i++) {
			struct cgroup_step *s = &p->steps[i];
			bool action = p->items[s->item].key->flags & CGROUP_KEY_ACTION;

			if (s->done || action != actions)
				continue;
			s->error = write_step(s, s->value);
			s->done = s->error == 0;
			progress |= s->done;
			left |= !s->done;
		}
	} while (left && progress);
	return left ? -EINVAL : 0;
}

static void undo_steps(struct cgroup_plan *p)
{
	bool progress, left;
	size_t i;

	do {
		progress = left = false;
		for (i = p->n_steps; i-- > 0;) {
			struct cgroup_step *s = &p->steps[i];

			if (!s->done || !s->undo)
				continue;
			s->done = write_step(s, s->undo) < 0;
			progress |= !s->done;
			left |= s->done;
		}
	} while (left && progress);
	for (i = 0; left && i < p->n_steps; i++)
		if (p->steps[i].done && p->steps[i].undo)
			log_warn("cgroup '%s': cannot set '%s' back to '%s'", p->cg->path,
				p->steps[i].file, p->steps[i].undo);
}

static int step_error(struct cgroup_plan *p, struct err *err)
{
	size_t i;

	for (i = 0; i < p->n_steps && p->steps[i].error == 0; i++)
		;
	if (i == p->n_steps)
		return 0;
	cgroup_explain(p->cg, &p->items[p->steps[i].item], p->steps[i].file, p->steps[i].value,
		p->steps[i].error, err);
	return err->code;
}

static int run_acts(struct cgroup_plan *p, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < p->n_items && r == 0; i++) {
		const struct cgroup_key_ops *ops = p->items[i].key->ops;

		if (ops && ops->act && !p->items[i].planned)
			r = ops->act(p->cg, &p->items[i].value, err);
	}
	return r;
}

static int read_back(struct cgroup_plan *p, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < p->n_items && r == 0; i++) {
		struct cgroup_item *it = &p->items[i];
		autobuf struct buf b = {0};

		if ((it->key->ops && it->key->ops->act) || !(it->key->flags & CGROUP_KEY_READ))
			continue;
		if (cgroup_plan_find(p, it->key->name) != it)
			continue; /* a later one of this name stands */
		r = cgroup_key_read(p->cg, it, &b, err);
		if (r == 0)
			r = cgroup_compare(it, buf_str(&b), err);
	}
	return r;
}

int cgroup_set(struct cgroup *cg, const struct cgroup_setting *s, size_t n, struct err *err)
{
	autoplan struct cgroup_plan p = {.cg = cg};
	int r = plan_parse(cg->host, s, n, &p, err);

	if (r == 0)
		r = plan_build(&p, err);
	if (r < 0)
		return r;
	if (run_steps(&p, false) < 0)
		r = step_error(&p, err);
	if (r == 0)
		r = read_back(&p, err);
	if (r == 0)
		r = run_acts(&p, err);
	if (r == 0 && run_steps(&p, true) < 0)
		r = step_error(&p, err);
	if (r < 0)
		undo_steps(&p);
	return r;
}

int cgroup_get(struct cgroup *cg, const char *key, struct buf *ret, struct err *err)
{
	struct cgroup_item it = {0};
	int r = item_find(cg->host, key, &it, err);

	if (r < 0)
		return r;
	if (!(it.key->flags & CGROUP_KEY_READ))
		return err_setx(err, -EPERM, "%s can only be written", key);
	if (it.key->ops && it.key->ops->show)
		return it.key->ops->show(cg, ret, err);
	it.fd = cgroup_fd(cg, it.key->controller);
	return cgroup_key_read(cg, &it, ret, err);
}

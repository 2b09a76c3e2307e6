// SPDX-License-Identifier: Apache-2.0
/* io.*: v1 has a file for each rate; weights are BFQ's or those of io.cost. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "cgroup/ops.h"

#define FILE_MAX_LEN (1u << 20)

static const struct {
	const char *name, *v1;
} rates[] = {
	{"rbps", "blkio.throttle.read_bps_device"},
	{"wbps", "blkio.throttle.write_bps_device"},
	{"riops", "blkio.throttle.read_iops_device"},
	{"wiops", "blkio.throttle.write_iops_device"},
};

bool cgroup_device_line(const char *text, const char *device, char *ret, size_t size)
{
	size_t n = strlen(device);
	const char *p;

	for (p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (strncmp(p, device, n) != 0 || p[n] != ' ')
			continue;
		snprintf(ret, size, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
		return true;
	}
	return false;
}

/* Copies @device's line of a control file, or @otherwise, as what to go back to. */
static void line_undo(
	int fd, const char *file, const char *device, const char *otherwise, char *ret, size_t size)
{
	autobuf struct buf b = {0};
	char old[256];

	if (file_read_at(fd, file, &b, FILE_MAX_LEN) == 0 &&
		cgroup_device_line(buf_str(&b), device, old, sizeof(old)))
		snprintf(ret, size, "%s %s", device, old);
	else
		snprintf(ret, size, "%s %s", device, otherwise);
}

/* Calls @f for each line of the item's value, which is cut off at its first blank. */
static int each_line(struct cgroup_plan *p, size_t i, struct err *err,
	int (*f)(struct cgroup_plan *, size_t, const char *device, char *rest, struct err *))
{
	autofree char *text = strdup(buf_str(&p->items[i].value.text));
	char *save, *line, *rest;
	int r = 0;

	if (!text)
		return err_oom(err);
	for (line = strtok_r(text, "\n", &save); line && r == 0;
		line = strtok_r(NULL, "\n", &save)) {
		rest = strchr(line, ' ');
		if (!rest)
			return err_setx(
				err, -EINVAL, "bad line '%s' of %s", line, p->items[i].name);
		*rest++ = '\0';
		r = f(p, i, line, rest, err);
	}
	return r;
}

static int max_line_v1(
	struct cgroup_plan *p, size_t i, const char *device, char *rest, struct err *err)
{
	char undo[320], *save, *word, *value;
	size_t k;
	int r = 0;

	for (word = strtok_r(rest, " ", &save); word && r == 0; word = strtok_r(NULL, " ", &save)) {
		value = strchr(word, '=');
		*value++ = '\0'; /* the parser of the value put it there */
		for (k = 0; strcmp(rates[k].name, word) != 0; k++)
			;
		line_undo(p->items[i].fd, rates[k].v1, device, "0", undo, sizeof(undo));
		r = cgroup_plan_add(p, i, rates[k].v1, undo, err, "%s %s", device,
			strcmp(value, "max") == 0 ? "0" : value);
	}
	return r;
}

static int plan_max_v1(struct cgroup_plan *p, size_t i, struct err *err)
{
	return each_line(p, i, err, max_line_v1);
}

static int max_line_v2(
	struct cgroup_plan *p, size_t i, const char *device, char *rest, struct err *err)
{
	char undo[320];

	line_undo(p->items[i].fd, "io.max", device, "rbps=max wbps=max riops=max wiops=max", undo,
		sizeof(undo));
	return cgroup_plan_add(p, i, "io.max", undo, err, "%s %s", device, rest);
}

static int plan_max_v2(struct cgroup_plan *p, size_t i, struct err *err)
{
	return each_line(p, i, err, max_line_v2);
}

/* Adds the devices of a v1 file's lines that @list does not have yet. */
static int add_devices(const char *text, char ***list)
{
	char device[32];
	size_t i;
	const char *p;
	int r = 0;

	for (p = text; p && *p && r == 0; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (sscanf(p, "%31[0-9:] ", device) != 1 || !strchr(device, ':'))
			continue;
		for (i = 0; *list && (*list)[i] && strcmp((*list)[i], device) != 0; i++)
			;
		if (!*list || !(*list)[i])
			r = strv_push(list, device);
	}
	return r;
}

static int read_max_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	struct buf files[ARRAY_SIZE(rates)] = {0};
	autostrv char **devices = NULL;
	char value[64];
	size_t i, k;
	int r = 0;

	for (k = 0; k < ARRAY_SIZE(rates) && r == 0; k++) {
		r = file_read_at(fd, rates[k].v1, &files[k], FILE_MAX_LEN);
		if (r == 0)
			r = add_devices(buf_str(&files[k]), &devices);
	}
	for (i = 0; r == 0 && devices && devices[i]; i++) {
		r = buf_addf(ret, "%s%s", i ? "\n" : "", devices[i]);
		for (k = 0; k < ARRAY_SIZE(rates) && r == 0; k++)
			r = buf_addf(ret, " %s=%s", rates[k].name,
				cgroup_device_line(
					buf_str(&files[k]), devices[i], value, sizeof(value))
					? value
					: "max");
	}
	for (k = 0; k < ARRAY_SIZE(rates); k++)
		buf_done(&files[k]);
	return r;
}

const struct cgroup_key_ops cgroup_io_max_ops = {
	.plan_v1 = plan_max_v1,
	.plan_v2 = plan_max_v2,
	.read_v1 = read_max_v1,
};

/* Where weights are set: a file, a file for single devices, and whether the numbers are BFQ's. */
struct weight_files {
	const char *all, *device;
	bool bfq;
};

static int find_weight(int fd, bool v2, const struct weight_files **ret)
{
	static const struct weight_files v1_files[] =
		{
			{"blkio.bfq.weight", "blkio.bfq.weight_device", true},
			{"blkio.weight", "blkio.weight_device", true},
		},
					 v2_files[] = {
						 {"io.weight", "io.weight", false},
						 {"io.bfq.weight", "io.bfq.weight", true},
					 };
	const struct weight_files *f = v2 ? v2_files : v1_files;
	size_t i;

	for (i = 0; i < 2; i++)
		if (faccessat(fd, f[i].all, F_OK, 0) == 0) {
			*ret = &f[i];
			return 0;
		}
	return -ENOENT;
}

static int no_weight(struct cgroup_plan *p, size_t i, struct err *err)
{
	err_setx(err, -EOPNOTSUPP, "%s: no I/O scheduler of this kernel takes weights",
		p->items[i].name);
	return err_hint(err, "load the bfq scheduler (modprobe bfq), or limit by io.max");
}

static int weight_line(
	struct cgroup_plan *p, size_t i, const char *device, char *rest, struct err *err)
{
	const struct cgroup_item *it = &p->items[i];
	bool all = strcmp(device, "default") == 0;
	const struct weight_files *f;
	char undo[320] = "default ", value[32];
	uint64_t n;

	if (find_weight(it->fd, it->v2, &f) < 0)
		return no_weight(p, i, err);
	if (all)
		device = "default";
	if (parse_u64(rest, 10, &n) == 0)
		snprintf(value, sizeof(value), "%" PRIu64, f->bfq ? cgroup_bfq_of_io_weight(n) : n);
	else
		snprintf(value, sizeof(value), "default");
	if (all && !it->v2)
		return cgroup_plan_add(p, i, f->all, NULL, err, "%s", value);
	line_undo(it->fd, f->device, device, all ? "100" : "default", undo, sizeof(undo));
	return cgroup_plan_add(p, i, f->device, undo, err, "%s %s", device, value);
}

static int plan_weight(struct cgroup_plan *p, size_t i, struct err *err)
{
	return each_line(p, i, err, weight_line);
}

/* Adds a line of a weight file, its number turned into io.weight's. */
static int add_weight(const char *line, bool bfq, struct buf *ret)
{
	char who[32] = "default";
	uint64_t n;

	/* v1's main file is a bare number. */
	if (sscanf(line, "%" SCNu64, &n) != 1 || strchr(line, ':')) {
		if (sscanf(line, "%31s %" SCNu64, who, &n) != 2)
			return 0;
	}
	return buf_addf(ret, "%s%s %" PRIu64, ret->len ? "\n" : "", who,
		bfq ? cgroup_io_weight_of_bfq(n) : n);
}

static int add_weights(int fd, const char *file, bool bfq, bool devices_only, struct buf *ret)
{
	autobuf struct buf b = {0};
	char *save, *line;
	int r = file_read_at(fd, file, &b, FILE_MAX_LEN);

	if (r < 0 || !b.len)
		return r;
	for (line = strtok_r(b.data, "\n", &save); line && r == 0;
		line = strtok_r(NULL, "\n", &save))
		if (!devices_only || strchr(line, ':'))
			r = add_weight(line, bfq, ret);
	return r;
}

static int read_weight_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	const struct weight_files *f;
	int r = find_weight(fd, false, &f);

	if (r == 0)
		r = add_weights(fd, f->all, true, false, ret);
	return r < 0 ? r : add_weights(fd, f->device, true, true, ret);
}

static int read_weight_v2(struct cgroup *cg, int fd, struct buf *ret)
{
	const struct weight_files *f;
	int r = find_weight(fd, true, &f);

	return r < 0 ? r : add_weights(fd, f->all, f->bfq, false, ret);
}

const struct cgroup_key_ops cgroup_io_weight_ops = {
	.plan_v1 = plan_weight,
	.plan_v2 = plan_weight,
	.read_v1 = read_weight_v1,
	.read_v2 = read_weight_v2,
};

static int plan_bfq(struct cgroup_plan *p, size_t i, struct err *err)
{
	const struct cgroup_item *it = &p->items[i];
	const struct weight_files *f;
	uint64_t n = it->value.n;

	if (find_weight(it->fd, it->v2, &f) < 0)
		return no_weight(p, i, err);
	if (!f->bfq)
		n = cgroup_io_weight_of_bfq(n);
	return cgroup_plan_add(p, i, f->all, NULL, err, "%s%" PRIu64, it->v2 ? "default " : "", n);
}

static int read_bfq(int fd, bool v2, struct buf *ret)
{
	const struct weight_files *f;
	autobuf struct buf b = {0};
	uint64_t n;
	int r = find_weight(fd, v2, &f);

	if (r == 0)
		r = file_read_at(fd, f->all, &b, FILE_MAX_LEN);
	if (r < 0)
		return r;
	if (cgroup_flat_number(buf_str(&b), "default", &n) < 0 &&
		sscanf(buf_str(&b), "%" SCNu64, &n) != 1)
		return -EINVAL;
	return buf_addf(ret, "%" PRIu64, f->bfq ? n : cgroup_bfq_of_io_weight(n));
}

static int read_bfq_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	return read_bfq(fd, false, ret);
}

static int read_bfq_v2(struct cgroup *cg, int fd, struct buf *ret)
{
	return read_bfq(fd, true, ret);
}

const struct cgroup_key_ops cgroup_bfq_weight_ops = {
	.plan_v1 = plan_bfq,
	.plan_v2 = plan_bfq,
	.read_v1 = read_bfq_v1,
	.read_v2 = read_bfq_v2,
};

/* "8:0 Read N" and "8:0 Write N" of a v1 statistic. */
static uint64_t stat_of(const char *text, const char *device, const char *op)
{
	char key[64];
	uint64_t n = 0;

	snprintf(key, sizeof(key), "%s %s", device, op);
	(void)cgroup_flat_number(text, key, &n); /* without the line there was none: 0 */
	return n;
}

static int read_stat_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	autobuf struct buf bytes = {0}, ops = {0};
	autostrv char **devices = NULL;
	const char *d;
	size_t i;
	int r;

	r = file_read_at(fd, "blkio.throttle.io_service_bytes_recursive", &bytes, FILE_MAX_LEN);
	if (r == 0)
		r = file_read_at(fd, "blkio.throttle.io_serviced_recursive", &ops, FILE_MAX_LEN);
	if (r == 0)
		r = add_devices(buf_str(&bytes), &devices);
	for (i = 0; r == 0 && devices && devices[i]; i++) {
		d = devices[i];
		r = buf_addf(ret,
			"%s%s rbytes=%" PRIu64 " wbytes=%" PRIu64 " rios=%" PRIu64 " wios=%" PRIu64,
			i ? "\n" : "", d, stat_of(buf_str(&bytes), d, "Read"),
			stat_of(buf_str(&bytes), d, "Write"), stat_of(buf_str(&ops), d, "Read"),
			stat_of(buf_str(&ops), d, "Write"));
	}
	return r;
}

const struct cgroup_key_ops cgroup_io_stat_ops = {.read_v1 = read_stat_v1};

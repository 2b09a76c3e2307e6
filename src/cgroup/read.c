// SPDX-License-Identifier: Apache-2.0
/* Reading keys in v2's form, and telling whether what was written came to hold. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "cgroup/ops.h"

#define FILE_MAX_LEN (1u << 20)
/* v1 counts in pages and says this, or nearly this, for "no limit". */
#define V1_UNLIMITED UINT64_C(0x7ffffffffff00000)

int cgroup_read_number(int fd, const char *file, uint64_t *ret)
{
	autobuf struct buf b = {0};
	int r = file_read_at(fd, file, &b, 4096);

	if (r < 0)
		return r;
	while (b.len && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	if (strcmp(buf_str(&b), "max") == 0 || strcmp(buf_str(&b), "-1") == 0) {
		*ret = CGROUP_MAX;
		return 0;
	}
	r = parse_u64(buf_str(&b), 10, ret);
	if (r == 0 && *ret >= V1_UNLIMITED)
		*ret = CGROUP_MAX;
	return r;
}

int cgroup_flat_number(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);
	const char *p;

	for (p = text; (p = strstr(p, key)); p += n)
		if ((p == text || p[-1] == '\n') && p[n] == ' ')
			return sscanf(p + n + 1, "%" SCNu64, ret) == 1 ? 0 : -EINVAL;
	return -ENOENT;
}

static int read_file(const struct cgroup_item *it, struct buf *ret)
{
	char file[CGROUP_KEY_NAME_MAX];
	autobuf struct buf b = {0};
	const char *row = it->v2 ? it->key->v2 : it->key->v1;
	uint64_t n;
	int r;

	if (!row)
		return -ENOENT;
	cgroup_key_file(row, it->size, file, sizeof(file));
	if (!it->v2 && it->key->unit == CGROUP_BYTES) {
		r = cgroup_read_number(it->fd, file, &n);
		if (r < 0)
			return r;
		return n == CGROUP_MAX ? buf_adds(ret, "max") : buf_addf(ret, "%" PRIu64, n);
	}
	r = file_read_at(it->fd, file, &b, FILE_MAX_LEN);
	return r < 0 ? r : buf_adds(ret, buf_str(&b));
}

int cgroup_key_read(
	struct cgroup *cg, const struct cgroup_item *it, struct buf *ret, struct err *err)
{
	const struct cgroup_key_ops *ops = it->key->ops;
	int (*read)(struct cgroup *, int, struct buf *);
	size_t start = ret->len;
	int r;

	read = !ops ? NULL : it->v2 ? ops->read_v2 : ops->read_v1;
	if (it->fd < 0 && !(ops && ops->unjoined))
		r = it->key->unset ? buf_adds(ret, it->key->unset) : -ENOENT;
	else
		r = read ? read(cg, it->fd, ret) : read_file(it, ret);
	/* On cgroup2 a controller that is not enabled limits nothing either. */
	if (r == -ENOENT && it->v2 && it->key->unset && !(cg->roots & (1u << cg->host->v2)))
		r = buf_adds(ret, it->key->unset);
	if (r == -ENOENT && it->fd < 0)
		return err_setx(err, r, "%s is not counted: cgroup '%s' is not in the %s hierarchy",
			it->name, cg->path, cgroup_controller_name(it->key->controller, it->v2));
	if (r == -ENOENT) {
		err_setx(err, -EOPNOTSUPP, "%s: cgroup '%s' has no such file", it->name, cg->path);
		return it->key->instead ? err_hint(err, "%s", it->key->instead) : err->code;
	}
	if (r < 0)
		return err_set(err, r, "cannot read %s of cgroup '%s'", it->name, cg->path);
	while (ret->len > start && ret->data[ret->len - 1] == '\n')
		ret->data[--ret->len] = '\0';
	return 0;
}

static bool same_bytes(const struct cgroup_item *it, const char *got)
{
	uint64_t want = it->value.n, n, grain = sysconf(_SC_PAGESIZE);

	if (parse_size(got, &n) < 0)
		return false;
	if (it->size[0] && parse_size(it->size, &grain) < 0)
		return false;
	/* The kernel counts in pages; swap on v1 is a difference of two such counts. */
	return n == want ||
	       (n != CGROUP_MAX && want != CGROUP_MAX && (n < want ? want - n : n - want) < grain);
}

static bool same_number(const struct cgroup_item *it, const char *got)
{
	uint64_t n;

	if (strcmp(got, "max") == 0)
		return it->value.n == CGROUP_MAX;
	if (parse_u64(got, 10, &n) < 0)
		return false;
	if (strcmp(it->key->name, "cpu.shares") == 0) /* v2 keeps the weight only */
		return cgroup_weight_of_shares(n) == cgroup_weight_of_shares(it->value.n);
	return n == it->value.n;
}

static bool same_bandwidth(const struct cgroup_item *it, const char *got)
{
	char quota[32];
	uint64_t n, period;

	if (sscanf(got, "%31s %" SCNu64, quota, &period) != 2)
		return false;
	if (it->value.period && it->value.period != period)
		return false;
	if (strcmp(quota, "max") == 0)
		return it->value.n == CGROUP_MAX;
	return parse_u64(quota, 10, &n) == 0 && n == it->value.n;
}

static bool same_list(const struct cgroup_item *it, const char *got)
{
	struct cgroup_list a, b;

	return cgroup_list_parse(buf_str(&it->value.text), &a) == 0 &&
	       cgroup_list_parse(got, &b) == 0 && memcmp(&a, &b, sizeof(a)) == 0;
}

/* Every "NAME=N" that was asked for stands on the device's line; "max" may be no line at all. */
static bool same_io_max(const struct cgroup_item *it, const char *got)
{
	char line[256], device[32], token[64], have[256];
	const char *p = buf_str(&it->value.text), *t;
	int n;

	for (; *p; p += strcspn(p, "\n"), p += *p ? 1 : 0) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
		if (sscanf(line, "%31s %n", device, &n) != 1)
			return false;
		have[0] = ' ';
		if (!cgroup_device_line(got, device, have + 1, sizeof(have) - 2))
			have[1] = '\0';
		strcat(have, " ");
		for (t = line + n; sscanf(t, "%62s %n", token + 1, &n) == 1; t += n) {
			token[0] = ' ';
			strcat(token, " ");
			if (!strstr(have, token) && (have[1] != ' ' || !strstr(token, "=max ")))
				return false;
			token[strlen(token) - 1] = '\0';
		}
	}
	return true;
}

static bool same_io_weight(const struct cgroup_item *it, const char *got)
{
	char who[32], what[32], have[64];
	const char *p = buf_str(&it->value.text);
	uint64_t a, b;

	for (; *p; p += strcspn(p, "\n"), p += *p ? 1 : 0) {
		if (sscanf(p, "%31s %31s", who, what) != 2)
			return false;
		if (strcmp(what, "default") == 0)
			continue;
		if (!cgroup_device_line(got, who, have, sizeof(have)) ||
			parse_u64(what, 10, &a) < 0 || parse_u64(have, 10, &b) < 0 ||
			cgroup_bfq_of_io_weight(a) != cgroup_bfq_of_io_weight(b))
			return false;
	}
	return true;
}

int cgroup_compare(const struct cgroup_item *it, const char *got, struct err *err)
{
	bool same = true;

	switch (it->key->unit) {
	case CGROUP_BYTES:
		same = same_bytes(it, got);
		break;
	case CGROUP_COUNT:
	case CGROUP_FLAG:
	case CGROUP_USEC:
		same = same_number(it, got);
		break;
	case CGROUP_BANDWIDTH:
		same = same_bandwidth(it, got);
		break;
	case CGROUP_LIST:
		same = same_list(it, got);
		break;
	case CGROUP_IO_MAX:
		same = same_io_max(it, got);
		break;
	case CGROUP_IO_WEIGHT:
		same = same_io_weight(it, got);
		break;
	case CGROUP_LINES: /* each file has a form of its own */
	case CGROUP_TEXT:
	case CGROUP_RULES:
	case CGROUP_UNITS:
		break;
	}
	if (same)
		return 0;
	return err_setx(err, -EIO, "%s: the kernel took '%s' and holds '%s'", it->name,
		buf_str(&it->value.text), got);
}

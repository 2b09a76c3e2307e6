// SPDX-License-Identifier: Apache-2.0
/* Parsers of what users write into keys. Text in, text and numbers out; see keys.h. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>

#include "base/parse.h"
#include "base/util.h"
#include "cgroup/keys.h"

#define PERIOD_DEFAULT 100000
#define PERIOD_MIN     1000
#define PERIOD_MAX     1000000
#define LINE_MAX_LEN   4096

static const char *const unit_forms[CGROUP_UNITS] = {
	[CGROUP_BYTES] = "bytes such as 512M or 2G, or a share of the host's memory such as 25%",
	[CGROUP_COUNT] = "a number",
	[CGROUP_FLAG] = "0 or 1",
	[CGROUP_USEC] = "microseconds, or a time such as 10ms",
	[CGROUP_BANDWIDTH] =
		"'QUOTA PERIOD' in microseconds, a share such as 50%, or processors such as 1.5cpu",
	[CGROUP_LIST] = "a list such as 0-3,5",
	[CGROUP_IO_MAX] = "'DEVICE rbps=N wbps=N riops=N wiops=N', DEVICE as /dev/sda or 8:0",
	[CGROUP_IO_WEIGHT] = "a number, 'default N', or 'DEVICE N'",
	[CGROUP_LINES] = "one line an object",
	[CGROUP_TEXT] = "nothing: it can only be read",
	[CGROUP_RULES] = "rules such as 'deny-all; allow c 1:3 rwm'",
};

void cgroup_value_done(struct cgroup_value *v)
{
	buf_done(&v->text);
}

static int refuse(const struct cgroup_key *key, const char *text, struct err *err)
{
	err_setx(err, -EINVAL, "bad value '%s' for %s", text, key->name);
	if (key->unit == CGROUP_COUNT || key->unit == CGROUP_IO_WEIGHT)
		return err_hint(err, "it takes %s from %" PRIu64 " to %" PRIu64 "%s",
			unit_forms[key->unit], key->min, key->max,
			key->flags & CGROUP_KEY_MAX ? ", or max" : "");
	return err_hint(err, "it takes %s%s", unit_forms[key->unit],
		key->flags & CGROUP_KEY_MAX ? ", or max" : "");
}

static int put_number(struct cgroup_value *v)
{
	return v->n == CGROUP_MAX ? buf_adds(&v->text, "max")
				  : buf_addf(&v->text, "%" PRIu64, v->n);
}

/* "12.5%": the part before the sign as a fraction. */
static int parse_percent(const char *s, double *ret)
{
	double d;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	d = strtod(s, &end);
	if (errno || strcmp(end, "%") != 0 || !isfinite(d))
		return -EINVAL;
	*ret = d / 100;
	return 0;
}

static int parse_bytes(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	struct sysinfo info;
	double part;

	if (parse_percent(s, &part) == 0) {
		if (part > 1 || sysinfo(&info) < 0)
			return -EINVAL;
		v->n = (uint64_t)(part * (double)info.totalram * info.mem_unit);
		return put_number(v);
	}
	if (parse_size(s, &v->n) < 0 || (v->n == CGROUP_MAX && !(key->flags & CGROUP_KEY_MAX)))
		return -EINVAL;
	return put_number(v);
}

static int parse_count(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	if (strcmp(s, "max") == 0 && (key->flags & CGROUP_KEY_MAX))
		v->n = CGROUP_MAX;
	else if (parse_u64(s, 10, &v->n) < 0 || v->n < key->min || v->n > key->max)
		return -EINVAL;
	return put_number(v);
}

static int parse_flag(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	static const char *const words[2][4] = {
		{"0", "no", "off", "false"}, {"1", "yes", "on", "true"}};
	size_t i, k;

	for (i = 0; i < 2; i++)
		for (k = 0; k < 4; k++)
			if (i >= key->min && strcasecmp(s, words[i][k]) == 0) {
				v->n = i;
				return put_number(v);
			}
	return -EINVAL;
}

/* A time to microseconds; @ret_end behind it. */
static int parse_time(const char *s, uint64_t *ret)
{
	static const struct {
		const char *name;
		double us;
	} units[] = {{"", 1}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}};
	double d;
	char *end;
	size_t i;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	d = strtod(s, &end);
	for (i = 0; !errno && i < ARRAY_SIZE(units); i++)
		if (strcmp(end, units[i].name) == 0 && d * units[i].us < 1e18) {
			*ret = (uint64_t)(d * units[i].us);
			return 0;
		}
	return -EINVAL;
}

static int parse_usec(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	if (parse_time(s, &v->n) < 0 || v->n > key->max)
		return -EINVAL;
	return put_number(v);
}

/* "50%" or "1.5cpu" of processors. */
static int parse_cpus(const char *s, double *ret)
{
	double d;
	char *end;

	if (parse_percent(s, ret) == 0)
		return 0;
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	d = strtod(s, &end);
	if (errno || !isfinite(d) || (strcmp(end, "cpu") != 0 && strcmp(end, "cpus") != 0))
		return -EINVAL;
	*ret = d;
	return 0;
}

static int parse_bandwidth(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	char quota[64], period[64] = "";
	double cpus;
	int n = 0;

	if (sscanf(s, "%63s %63s %n", quota, period, &n) == 2 && s[n])
		return -EINVAL;
	if (!*quota || (*period && parse_time(period, &v->period) < 0))
		return -EINVAL;
	if (*period && (v->period < PERIOD_MIN || v->period > key->max))
		return -EINVAL;
	if (strcmp(quota, "max") == 0 && (key->flags & CGROUP_KEY_MAX)) {
		v->n = CGROUP_MAX;
	} else if (parse_cpus(quota, &cpus) == 0) {
		if (!v->period)
			v->period = PERIOD_DEFAULT;
		if (cpus <= 0 || cpus > 65536)
			return -EINVAL;
		v->n = (uint64_t)(cpus * (double)v->period + 0.5);
	} else if (parse_time(quota, &v->n) < 0) {
		return -EINVAL;
	}
	if (v->n < key->min)
		return -EINVAL; /* the kernel takes no less */
	if (put_number(v) < 0)
		return -ENOMEM;
	return v->period ? buf_addf(&v->text, " %" PRIu64, v->period) : 0;
}

int cgroup_list_parse(const char *text, struct cgroup_list *ret)
{
	struct cgroup_list l = {0};
	unsigned long a, b;
	const char *p = text;
	char *end;

	while (*p && *p != '\n') {
		if (!isdigit((unsigned char)*p))
			return -EINVAL;
		a = b = strtoul(p, &end, 10);
		if (*end == '-') {
			p = end + 1;
			if (!isdigit((unsigned char)*p))
				return -EINVAL;
			b = strtoul(p, &end, 10);
		}
		if (b < a)
			return -EINVAL;
		if (b >= CGROUP_LIST_MAX)
			return -ERANGE;
		for (; a <= b; a++)
			l.bits[a / 64] |= UINT64_C(1) << (a % 64);
		p = end;
		if (*p == ',' && isdigit((unsigned char)p[1]))
			p++;
		else if (*p && *p != '\n')
			return -EINVAL;
	}
	*ret = l;
	return 0;
}

static int parse_list(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	struct cgroup_list l;

	if (cgroup_list_parse(s, &l) < 0)
		return -EINVAL;
	return buf_adds(&v->text, s);
}

/* "8:0" or a block device's path; writes "8:0". */
static int parse_device(const char *s, struct buf *b)
{
	unsigned int major_, minor_;
	struct stat st;
	int n = 0;

	if (s[0] == '/') {
		if (stat(s, &st) < 0)
			return -errno;
		if (!S_ISBLK(st.st_mode))
			return -ENOTBLK;
		return buf_addf(b, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	}
	if (sscanf(s, "%u:%u%n", &major_, &minor_, &n) != 2 || s[n])
		return -EINVAL;
	return buf_addf(b, "%u:%u", major_, minor_);
}

static int io_max_line(const struct cgroup_key *key, char *line, struct buf *b)
{
	static const char *const names[] = {"rbps", "wbps", "riops", "wiops"};
	char *save, *word = strtok_r(line, " \t", &save), *eq;
	uint64_t n;
	size_t i, given = 0;
	int r = parse_device(word, b);

	while (r == 0 && (word = strtok_r(NULL, " \t", &save))) {
		eq = strchr(word, '=');
		if (!eq || parse_size(eq + 1, &n) < 0 || n == 0)
			return -EINVAL;
		*eq = '\0';
		for (i = 0; i < ARRAY_SIZE(names) && strcmp(word, names[i]) != 0; i++)
			;
		if (i == ARRAY_SIZE(names))
			return -EINVAL;
		r = n == CGROUP_MAX ? buf_addf(b, " %s=max", word)
				    : buf_addf(b, " %s=%" PRIu64, word, n);
		given++;
	}
	return r == 0 && !given ? -EINVAL : r;
}

static int io_weight_line(const struct cgroup_key *key, char *line, struct buf *b)
{
	char *save, *who = strtok_r(line, " \t", &save), *what = strtok_r(NULL, " \t", &save);
	uint64_t n;
	int r;

	if (!what) {
		what = who;
		who = "default";
	}
	if (strcmp(what, "default") == 0 && strcmp(who, "default") != 0)
		n = 0; /* the device's own weight is given up */
	else if (strtok_r(NULL, " \t", &save) || parse_u64(what, 10, &n) < 0 || n < key->min ||
		 n > key->max)
		return -EINVAL;
	r = strcmp(who, "default") == 0 ? buf_adds(b, "default") : parse_device(who, b);
	if (r < 0)
		return r;
	return n ? buf_addf(b, " %" PRIu64, n) : buf_adds(b, " default");
}

static int plain_line(const struct cgroup_key *key, char *line, struct buf *b)
{
	return buf_adds(b, line);
}

/* Lines, parted by newlines or semicolons, each through @parse. */
static int parse_lines(const struct cgroup_key *key, const char *s, struct cgroup_value *v,
	int (*parse)(const struct cgroup_key *, char *, struct buf *))
{
	char line[LINE_MAX_LEN];
	size_t n;
	int r = 0;

	for (; *s && r == 0; s += n, s += *s ? 1 : 0) {
		s += strspn(s, " \t\n;");
		n = strcspn(s, "\n;");
		if (n >= sizeof(line))
			return -E2BIG;
		memcpy(line, s, n);
		while (n && isspace((unsigned char)line[n - 1]))
			line[--n] = '\0';
		line[n] = '\0';
		n = strcspn(s, "\n;");
		if (!*line)
			continue;
		if (v->text.len)
			r = buf_adds(&v->text, "\n");
		if (r == 0)
			r = parse(key, line, &v->text);
	}
	return r == 0 && !v->text.len ? -EINVAL : r;
}

static int parse_io_max(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	return parse_lines(key, s, v, io_max_line);
}

static int parse_io_weight(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	return parse_lines(key, s, v, io_weight_line);
}

static int parse_plain_lines(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	return parse_lines(key, s, v, plain_line);
}

static int parse_nothing(const struct cgroup_key *key, const char *s, struct cgroup_value *v)
{
	return -EINVAL;
}

static int (*const unit_parsers[CGROUP_UNITS])(
	const struct cgroup_key *, const char *, struct cgroup_value *) = {
	[CGROUP_BYTES] = parse_bytes,
	[CGROUP_COUNT] = parse_count,
	[CGROUP_FLAG] = parse_flag,
	[CGROUP_USEC] = parse_usec,
	[CGROUP_BANDWIDTH] = parse_bandwidth,
	[CGROUP_LIST] = parse_list,
	[CGROUP_IO_MAX] = parse_io_max,
	[CGROUP_IO_WEIGHT] = parse_io_weight,
	[CGROUP_LINES] = parse_plain_lines,
	[CGROUP_TEXT] = parse_nothing,
	[CGROUP_RULES] = parse_plain_lines, /* devices.c parses them further */
};

int cgroup_value_parse(
	const struct cgroup_key *key, const char *text, struct cgroup_value *ret, struct err *err)
{
	struct cgroup_value v = {0};
	int r;

	if (!(key->flags & CGROUP_KEY_WRITE))
		return err_setx(err, -EPERM, "%s can only be read", key->name);
	r = unit_parsers[key->unit](key, text, &v);
	if (r == 0 && v.text.failed)
		r = -ENOMEM;
	if (r == 0) {
		*ret = v;
		return 0;
	}
	cgroup_value_done(&v);
	if (r == -ENOMEM)
		return err_oom(err);
	if (r == -ENOENT || r == -ENOTBLK || r == -EACCES)
		return err_set(err, r, "no block device in '%s' for %s", text, key->name);
	return refuse(key, text, err);
}

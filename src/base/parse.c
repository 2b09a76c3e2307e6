// SPDX-License-Identifier: Apache-2.0
/* See parse.h. */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

int parse_u64(const char *s, int base, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (!s || !isxdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, base);
	if (errno)
		return -errno;
	if (end == s || *end)
		return -EINVAL;
	*ret = v;
	return 0;
}

int parse_i64(const char *s, int base, int64_t *ret)
{
	long long v;
	char *end;

	if (!s || isspace((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoll(s, &end, base);
	if (errno)
		return -errno;
	if (end == s || *end)
		return -EINVAL;
	*ret = v;
	return 0;
}

int parse_u32(const char *s, int base, uint32_t *ret)
{
	uint64_t v;
	int r = parse_u64(s, base, &v);

	if (r < 0)
		return r;
	if (v > UINT32_MAX)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_int(const char *s, int *ret)
{
	int64_t v;
	int r = parse_i64(s, 10, &v);

	if (r < 0)
		return r;
	if (v < INT_MIN || v > INT_MAX)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_size(const char *s, uint64_t *ret)
{
	static const char units[] = "KMGTPE";
	long double v;
	const char *u;
	char *end;

	if (!s)
		return -EINVAL;
	if (strcmp(s, "max") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (!isdigit((unsigned char)*s) || s[1] == 'x' || s[1] == 'X')
		return -EINVAL;
	errno = 0;
	v = strtold(s, &end);
	if (errno)
		return -errno;
	u = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (u) {
		for (; u >= units; u--)
			v *= 1024;
		end++;
		if (*end == 'i')
			end++;
	}
	if (*end == 'B')
		end++;
	if (*end)
		return -EINVAL;
	if (v >= 18446744073709551615.0L)
		return -ERANGE;
	*ret = (uint64_t)v;
	return 0;
}

static int realtime_signal(const char *name, int *ret)
{
	int n = 0;

	if (strncmp(name, "RTMIN", 5) == 0) {
		if (name[5] && (name[5] != '+' || parse_int(name + 6, &n) < 0))
			return -EINVAL;
		*ret = SIGRTMIN + n;
	} else if (strncmp(name, "RTMAX", 5) == 0) {
		if (name[5] && (name[5] != '-' || parse_int(name + 6, &n) < 0))
			return -EINVAL;
		*ret = SIGRTMAX - n;
	} else {
		return -EINVAL;
	}
	return n >= 0 && *ret >= SIGRTMIN && *ret <= SIGRTMAX ? 0 : -EINVAL;
}

int parse_signal(const char *text, int *ret)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text, *abbrev;
	int sig;

	if (parse_int(text, &sig) == 0 && sig > 0 && sig < NSIG) {
		*ret = sig;
		return 0;
	}
	for (sig = 1; sig < NSIG; sig++) {
		abbrev = sigabbrev_np(sig);
		if (abbrev && strcasecmp(abbrev, name) == 0) {
			*ret = sig;
			return 0;
		}
	}
	return realtime_signal(name, ret);
}

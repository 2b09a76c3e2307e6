// SPDX-License-Identifier: Apache-2.0
/* See human.h. */
#include "cli/human.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"

const char *human_bytes(uint64_t n, char ret[HUMAN_MAX])
{
	static const char units[] = "KMGTPE";
	double v = (double)n;
	int u = -1;

	if (n == UINT64_MAX) {
		snprintf(ret, HUMAN_MAX, "-");
		return ret;
	}
	while (v >= 1024 && u + 1 < (int)sizeof(units) - 1) {
		v /= 1024;
		u++;
	}
	if (u < 0)
		snprintf(ret, HUMAN_MAX, "%" PRIu64, n);
	else if (v >= 100 || v == (double)(uint64_t)v)
		snprintf(ret, HUMAN_MAX, "%.0f%c", v, units[u]);
	else
		snprintf(ret, HUMAN_MAX, "%.1f%c", v, units[u]);
	return ret;
}

const char *human_usec(uint64_t us, char ret[HUMAN_MAX])
{
	uint64_t s = us / 1000000;

	if (us == UINT64_MAX)
		snprintf(ret, HUMAN_MAX, "-");
	else if (us == 0)
		snprintf(ret, HUMAN_MAX, "0");
	else if (us < 1000)
		snprintf(ret, HUMAN_MAX, "%" PRIu64 "us", us);
	else if (s == 0)
		snprintf(ret, HUMAN_MAX, "%.1fms", (double)us / 1e3);
	else if (s < 60)
		snprintf(ret, HUMAN_MAX, "%.2fs", (double)us / 1e6);
	else if (s < 3600)
		snprintf(ret, HUMAN_MAX, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else
		snprintf(ret, HUMAN_MAX, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	return ret;
}

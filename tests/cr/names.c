// SPDX-License-Identifier: Apache-2.0
/* What the namespaces say: host name, and clocks that go on without a jump backwards. */
#include <sys/utsname.h>
#include <time.h>

#include "cr.h"

static double clock_of(clockid_t c)
{
	struct timespec t;

	MUST(clock_gettime(c, &t) == 0);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct utsname was, now;
	double mono, boot, real, away, passed;

	cr_init(argc, argv);
	MUST(uname(&was) == 0);
	mono = clock_of(CLOCK_MONOTONIC);
	boot = clock_of(CLOCK_BOOTTIME);
	real = clock_of(CLOCK_REALTIME);
	cr_wait();
	MUST(uname(&now) == 0);
	CHECK(strcmp(now.nodename, was.nodename) == 0, "name '%s', not '%s'", now.nodename,
		was.nodename);
	CHECK(strcmp(now.domainname, was.domainname) == 0, "domain '%s'", now.domainname);
	away = cr_away();
	passed = clock_of(CLOCK_REALTIME) - real;
	mono = clock_of(CLOCK_MONOTONIC) - mono;
	boot = clock_of(CLOCK_BOOTTIME) - boot;
	CHECK(mono >= 0 && mono <= passed + 0.1, "monotonic clock: %.3f s in %.3f", mono, passed);
	CHECK(mono >= passed - away - 0.5, "monotonic clock lost %.3f s", passed - mono);
	CHECK(boot >= 0 && boot <= passed + 0.1, "boot clock: %.3f s in %.3f", boot, passed);
	return cr_done();
}

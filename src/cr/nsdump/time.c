// SPDX-License-Identifier: Apache-2.0
/* The clocks that count from boot, time_namespaces(7): after a restore they go on. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"
#include "sys/proc.h"

#define NSEC 1000000000ll

/* The offset of @clock ("monotonic") in timens_offsets(5), in ns; 0 where there are none. */
static int read_offset(int proc_pid_fd, const char *clock, int64_t *ret)
{
	autobuf struct buf b = {0};
	int64_t sec, nsec;
	const char *p;
	int r;

	*ret = 0;
	r = proc_read(proc_pid_fd, "timens_offsets", &b);
	if (r == -ENOENT)
		return 0; /* a kernel without time namespaces */
	if (r < 0)
		return r;
	p = strstr(buf_str(&b), clock);
	if (!p || sscanf(p + strlen(clock), " %" SCNd64 " %" SCNd64, &sec, &nsec) != 2 ||
		sec > INT64_MAX / NSEC / 2 || sec < INT64_MIN / NSEC / 2)
		return -EINVAL;
	*ret = sec * NSEC + nsec;
	return 0;
}

/*
 * The difference between their offset and ours. Children of a process may be in a newer time
 * namespace than itself; the offsets file tells of theirs, which is where a container lives.
 */
static int their_offset(struct nsdump *d, const char *clock, int64_t *ret, struct err *err)
{
	autoclose int self = proc_open_pid(d->procfd, getpid());
	int64_t theirs, ours;
	int r;

	if (self < 0)
		return err_set(err, self, "cannot open '/proc/self'");
	r = read_offset(d->env->proc_pid_fd, clock, &theirs);
	if (r == 0)
		r = read_offset(self, clock, &ours);
	if (r < 0)
		return err_set(err, r, "cannot read the container's '%s' clock offset", clock);
	*ret = theirs - ours;
	return 0;
}

int time_save(struct nsdump *d, struct err *err)
{
	Kist__Time msg = KIST__TIME__INIT;
	int64_t monotonic, boottime;
	int own, r;

	own = visit_differs(d->env->proc_pid_fd, "time", err);
	if (own < 0)
		return own;
	r = their_offset(d, "monotonic", &monotonic, err);
	if (r == 0)
		r = their_offset(d, "boottime", &boottime, err);
	if (r < 0)
		return r;
	msg.monotonic_ns = (int64_t)clock_ns(CLOCK_MONOTONIC) + monotonic;
	msg.boottime_ns = (int64_t)clock_ns(CLOCK_BOOTTIME) + boottime;
	msg.realtime_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	msg.own_namespace = own;
	return image_put(d->w, RECORD_TIME, &msg.base, err);
}

int nsdump_time_offsets(
	const struct image *img, int64_t *ret_monotonic, int64_t *ret_boottime, struct err *err)
{
	const Kist__Time *msg = (const Kist__Time *)image_get(img, RECORD_TIME, 0);

	if (!msg)
		return err_setx(err, -ENOENT, "the image has no clocks");
	/* 30 years: beyond it the kernel refuses, and our sums could overflow */
	if (msg->monotonic_ns > 946080000ull * NSEC || msg->boottime_ns > 946080000ull * NSEC)
		return err_setx(err, -EBADMSG, "the image is damaged: impossible clocks");
	*ret_monotonic = (int64_t)msg->monotonic_ns - (int64_t)clock_ns(CLOCK_MONOTONIC);
	*ret_boottime = (int64_t)msg->boottime_ns - (int64_t)clock_ns(CLOCK_BOOTTIME);
	return 0;
}

/* A negative time as the kernel wants it: seconds down, nanoseconds ≥ 0. */
static void split(int64_t ns, int64_t *ret_sec, int64_t *ret_nsec)
{
	*ret_sec = ns / NSEC;
	*ret_nsec = ns % NSEC;
	if (*ret_nsec < 0) {
		*ret_nsec += NSEC;
		--*ret_sec;
	}
}

int time_restore_spec(const struct image *img, struct spec *spec, struct err *err)
{
	struct spec_linux *l = &spec->linux_;
	int64_t monotonic, boottime;
	int r;

	if (image_count(img, RECORD_TIME) == 0)
		return 0;
	r = nsdump_time_offsets(img, &monotonic, &boottime, err);
	if (r < 0)
		return r;
	if (access("/proc/self/timens_offsets", F_OK) < 0) {
		err_setx(err, -EOPNOTSUPP,
			"this kernel has no time namespaces: the container's "
			"monotonic clock would jump");
		err_hint(err, "use a kernel with CONFIG_TIME_NS");
		return -EOPNOTSUPP;
	}
	l->ns[SPEC_NS_TIME].enabled = true;
	free(l->ns[SPEC_NS_TIME].path);
	l->ns[SPEC_NS_TIME].path = NULL;
	split(monotonic, &l->time_monotonic_sec, &l->time_monotonic_nsec);
	split(boottime, &l->time_boottime_sec, &l->time_boottime_nsec);
	return 0;
}

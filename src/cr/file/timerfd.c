// SPDX-License-Identifier: Apache-2.0
/* timerfd_create(2): clock, ticks not yet read, the time that is left. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/util.h"
#include "cr/file/file-internal.h"
#include "sys/proc.h"

#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t) /* linux/timerfd.h clashes with the libc's */

static int timerfd_probe(struct file_dump *d, const struct fd_view *v)
{
	return strcmp(v->link, "anon_inode:[timerfd]") == 0;
}

static bool wall_clock(uint32_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
}

/* A date stays a date; everything else goes on with the time that was left. */
static void save_value(Kist__Timerfd *msg, const struct itimerspec *its, unsigned int flags)
{
	struct timespec value = its->it_value, now;

	if ((value.tv_sec || value.tv_nsec) && (flags & TFD_TIMER_ABSTIME) &&
		wall_clock(msg->clock)) {
		(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
		value.tv_sec += now.tv_sec;
		value.tv_nsec += now.tv_nsec;
		if (value.tv_nsec >= 1000000000) {
			value.tv_nsec -= 1000000000;
			value.tv_sec++;
		}
		msg->has_absolute = msg->absolute = true;
		msg->has_cancel = msg->cancel = flags & TFD_TIMER_CANCEL_ON_SET;
	}
	msg->has_value_sec = msg->has_value_nsec = true;
	msg->value_sec = value.tv_sec;
	msg->value_nsec = value.tv_nsec;
	msg->has_interval_sec = msg->has_interval_nsec = true;
	msg->interval_sec = its->it_interval.tv_sec;
	msg->interval_nsec = its->it_interval.tv_nsec;
}

static int timerfd_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Timerfd msg = KIST__TIMERFD__INIT;
	autobuf struct buf info = {0};
	struct itimerspec its;
	uint64_t clock, flags = 0;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	char name[48];
	int r;

	/* also makes the kernel count the ticks of an interval timer that nobody has read */
	if (timerfd_gettime(v->local, &its) < 0)
		return file_refuse(v, err, -errno, "its time cannot be read: %m");
	snprintf(name, sizeof(name), "self/fdinfo/%d", v->local);
	r = proc_read(file_dump_procfd(d), name, &info);
	if (r < 0 || proc_field_u64(buf_str(&info), info.len, "clockid", 10, &clock) < 0 ||
		proc_field_u64(buf_str(&info), info.len, "ticks", 10, &msg.ticks) < 0)
		return file_refuse(v, err, -ENOTSUP, "the kernel does not tell its ticks");
	(void)proc_field_u64(buf_str(&info), info.len, "settime flags", 8, &flags); /* or 0 */
	msg.clock = clock;
	save_value(&msg, &its, flags);
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	return file_dump_put(d, v, RECORD_TIMERFD, &msg, err);
}

static int timerfd_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Timerfd *msg = (const Kist__Timerfd *)m;

	if (msg->value_nsec >= 1000000000 || msg->interval_nsec >= 1000000000 ||
		msg->value_sec > INT64_MAX || msg->interval_sec > INT64_MAX)
		return err_setx(err, -EINVAL, "image: the time of the timer makes no sense");
	return 0;
}

static int timerfd_open(
	struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Timerfd *msg = (const Kist__Timerfd *)m;
	autoclose int fd = timerfd_create((int)msg->clock, TFD_CLOEXEC);
	struct itimerspec its = {
		.it_value = {.tv_sec = msg->value_sec, .tv_nsec = msg->value_nsec},
		.it_interval = {.tv_sec = msg->interval_sec, .tv_nsec = msg->interval_nsec},
	};
	int flags = (msg->absolute ? TFD_TIMER_ABSTIME : 0) |
		    (msg->cancel ? TFD_TIMER_CANCEL_ON_SET : 0);

	if (fd < 0)
		return err_set(err, -errno, "cannot make a timer of clock %u", msg->clock);
	if (timerfd_settime(fd, flags, &its, NULL) < 0)
		return err_set(err, -errno, "cannot set a timer");
	if (msg->ticks && ioctl(fd, TFD_IOC_SET_TICKS, &msg->ticks) < 0) {
		(void)err_set(err, -errno, "cannot set the ticks of a timer");
		return err_hint(err, "the kernel needs CONFIG_CHECKPOINT_RESTORE");
	}
	return file_store(r, msg->desc->id, TAKE_FD(fd), err);
}

const struct file_kind file_kind_timerfd = {
	.name = "timerfd",
	.record = RECORD_TIMERFD,
	.probe = timerfd_probe,
	.dump = timerfd_dump,
	.check = timerfd_check,
	.open = timerfd_open,
};

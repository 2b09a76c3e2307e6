// SPDX-License-Identifier: Apache-2.0
/* Interval timers (getitimer(2)) and POSIX timers (timer_create(2), /proc/PID/timers). */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "base/util.h"
#include "cr/task/task-internal.h"
#include "sys/proc.h"

#define NSEC 1000000000ull
/* prctl(2) since Linux 6.15: timer_create(2) gives the id that its argument holds. */
#define PR_TIMER_CREATE_RESTORE_IDS 77

static uint64_t usec(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000 + tv->tv_usec;
}

static int itimers_dump(struct target *t, Kist__Task *task, struct arena *a, struct err *err)
{
	struct tape tape = {0};
	struct itimerval v;
	uint64_t at[3];
	size_t i;
	int r;

	for (i = 0; i < 3; i++) {
		at[i] = tape_data(&tape, NULL, sizeof(v));
		TAPE_ADD(&tape, "read an interval timer", TAPE_STOP | TAPE_DATA(1), SYS_getitimer,
			i, at[i]);
	}
	task->itimers = arena_alloc(a, 3 * sizeof(*task->itimers));
	r = task->itimers ? target_play(t, 0, &tape, err) : err_oom(err);
	for (i = 0; r == 0 && i < 3; i++) {
		Kist__Itimer *rec = arena_alloc(a, sizeof(*rec));

		if (!rec) {
			r = err_oom(err);
			break;
		}
		memcpy(&v, tape.data.data + at[i], sizeof(v));
		kist__itimer__init(rec);
		rec->interval = usec(&v.it_interval);
		rec->value = usec(&v.it_value);
		task->itimers[task->n_itimers++] = rec;
	}
	tape_done(&tape);
	return r;
}

/* "notify: signal/pid.123"; the id is the one that we see. */
static void parse_notify(const char *p, const struct target *t, Kist__PosixTimer *rec)
{
	char how[32], what[8];
	size_t i;
	int id;

	if (sscanf(p, "notify: %31[a-z]/%7[a-z].%d", how, what, &id) != 3)
		return;
	rec->notify = strcmp(how, "signal") == 0   ? SIGEV_SIGNAL
		      : strcmp(how, "thread") == 0 ? SIGEV_THREAD
						   : SIGEV_NONE;
	if (strcmp(what, "tid") != 0)
		return;
	rec->notify |= SIGEV_THREAD_ID;
	for (i = 0; i < t->n_threads; i++)
		if (t->threads[i].tid == id) {
			rec->has_thread = true;
			rec->thread = t->threads[i].vtid;
		}
}

static int by_id_up(const void *a, const void *b)
{
	const Kist__PosixTimer *x = *(Kist__PosixTimer *const *)a;
	const Kist__PosixTimer *y = *(Kist__PosixTimer *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

/* A timer is the lines "ID: 0", "signal: 14/00007ffe…", "notify: …", "ClockID: 0". */
static int parse_timers(
	const char *text, struct target *t, Kist__Task *task, struct arena *a, struct err *err)
{
	Kist__PosixTimer *rec = NULL;
	const char *p;
	size_t n = 0;
	uint32_t id;

	for (p = text; (p = strstr(p, "ID: ")); p += 4)
		n++;
	task->timers = arena_alloc(a, n * sizeof(*task->timers));
	if (!task->timers)
		return err_oom(err);
	for (p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (sscanf(p, "ID: %" SCNu32, &id) == 1) {
			rec = task->n_timers < n ? arena_alloc(a, sizeof(*rec)) : NULL;
			if (!rec)
				return err_oom(err);
			kist__posix_timer__init(rec);
			rec->id = id;
			task->timers[task->n_timers++] = rec;
		} else if (rec && strncmp(p, "signal: ", 8) == 0) {
			if (sscanf(p, "signal: %" SCNu32 "/%" SCNx64, &rec->signal, &rec->value) !=
				2)
				return err_setx(
					err, -EIO, "cannot parse the timers of process %d", t->pid);
		} else if (rec && strncmp(p, "notify: ", 8) == 0) {
			parse_notify(p, t, rec);
		} else if (rec && strncmp(p, "ClockID: ", 9) == 0) {
			rec->clock = (uint32_t)strtol(p + 9, NULL, 10);
		}
	}
	/* older kernels list the newest first, and a restore there counts up */
	if (task->n_timers)
		qsort(task->timers, task->n_timers, sizeof(*task->timers), by_id_up);
	return 0;
}

static uint64_t nsec(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * NSEC + ts->tv_nsec;
}

/* A few hundred timers a tape: it has to fit into the injected area. */
static int read_batch(struct target *t, Kist__PosixTimer **recs, size_t n, struct err *err)
{
	struct tape tape = {0};
	struct itimerspec v;
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		TAPE_ADD(&tape, "read a timer", TAPE_STOP | TAPE_DATA(1), SYS_timer_gettime,
			recs[i]->id, tape_data(&tape, NULL, 64));
	}
	r = target_play(t, 0, &tape, err);
	for (i = 0; r == 0 && i < n; i++) {
		memcpy(&v, tape.data.data + i * 64, sizeof(v));
		recs[i]->interval_ns = nsec(&v.it_interval);
		recs[i]->left_ns = nsec(&v.it_value);
	}
	tape_done(&tape);
	return r;
}

int timers_dump(struct target *t, Kist__Task *task, struct arena *a, struct err *err)
{
	autobuf struct buf text = {0};
	size_t i, n;
	int r;

	r = itimers_dump(t, task, a, err);
	if (r < 0)
		return r;
	r = proc_read(t->procfd, "timers", &text);
	if (r < 0)
		return err_set(
			err, r, "cannot read the timers of process %d (%s)", t->pid, t->comm);
	r = parse_timers(buf_str(&text), t, task, a, err);
	for (i = 0; r == 0 && i < task->n_timers; i += n) {
		n = MIN(task->n_timers - i, (size_t)200);
		r = read_batch(t, task->timers + i, n, err);
	}
	return r;
}

static struct timespec timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = ns / NSEC, .tv_nsec = ns % NSEC};
}

/* Before Linux 6.15 ids count up: the ones between are made and deleted again. */
static void create_by_counting(
	struct tape *t, const Kist__PosixTimer *rec, uint64_t event, uint32_t *next)
{
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	uint64_t none_at = tape_data(t, &none, sizeof(none)), id_at = tape_data(t, NULL, 8);
	uint32_t i;

	for (i = *next; i < rec->id; i++) {
		TAPE_ADD(t, "count timer ids", TAPE_STOP | TAPE_DATA(1) | TAPE_DATA(2),
			SYS_timer_create, CLOCK_MONOTONIC, none_at, id_at);
		TAPE_ADD(t, "count timer ids", TAPE_STOP, SYS_timer_delete, i);
	}
	TAPE_ADD(t, "create a timer", TAPE_STOP | TAPE_DATA(1) | TAPE_DATA(2), SYS_timer_create,
		(uint64_t)(int64_t)(int32_t)rec->clock, event, id_at);
	*next = rec->id + 1;
}

static void create_timer(struct tape *t, const Kist__PosixTimer *rec, bool by_id, uint32_t *next)
{
	struct {
		uint64_t value;
		uint32_t signo, notify, tid, pad[11];
	} event = {rec->value, rec->signal, rec->notify, rec->thread, {0}};
	uint64_t at = tape_data(t, &event, sizeof(event));

	if (by_id)
		TAPE_ADD(t, "create a timer", TAPE_STOP | TAPE_DATA(1) | TAPE_DATA(2),
			SYS_timer_create, (uint64_t)(int64_t)(int32_t)rec->clock, at,
			tape_data(t, &rec->id, sizeof(rec->id)));
	else
		create_by_counting(t, rec, at, next);
}

void timers_tape(struct tape *t, const Kist__Task *task)
{
	bool by_id = prctl(PR_TIMER_CREATE_RESTORE_IDS, 2, 0, 0, 0) >= 0;
	uint32_t next = 0;
	size_t i;

	for (i = 0; i < task->n_itimers && i < 3; i++) {
		const Kist__Itimer *v = task->itimers[i];
		struct itimerval it = {
			.it_interval = {v->interval / 1000000, v->interval % 1000000},
			.it_value = {v->value / 1000000, v->value % 1000000},
		};

		if (v->value)
			TAPE_ADD(t, "set an interval timer", TAPE_STOP | TAPE_DATA(1),
				SYS_setitimer, i, tape_data(t, &it, sizeof(it)), 0);
	}
	if (!task->n_timers)
		return;
	if (by_id)
		TAPE_ADD(t, "ask for timer ids", TAPE_STOP, SYS_prctl, PR_TIMER_CREATE_RESTORE_IDS,
			1);
	for (i = 0; i < task->n_timers; i++)
		create_timer(t, task->timers[i], by_id, &next);
	if (by_id)
		TAPE_ADD(t, "ask for timer ids", TAPE_STOP, SYS_prctl, PR_TIMER_CREATE_RESTORE_IDS,
			0);
	for (i = 0; i < task->n_timers; i++) {
		const Kist__PosixTimer *v = task->timers[i];
		struct itimerspec it = {timespec(v->interval_ns), timespec(v->left_ns)};

		if (v->left_ns)
			TAPE_ADD(t, "set a timer", TAPE_STOP | TAPE_DATA(2), SYS_timer_settime,
				v->id, 0, tape_data(t, &it, sizeof(it)), 0);
	}
}

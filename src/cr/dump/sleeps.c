// SPDX-License-Identifier: Apache-2.0
/* How much of their sleep interrupted threads had left, all of the tree in one pass. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/util.h"
#include "container/container.h"
#include "cr/dump/dump-internal.h"
#include "sys/restart-block.h"

#define ERESTART_RESTARTBLOCK 516

struct sleepers {
	struct target_thread **threads;
	size_t n, cap;
};

/* A poll without a time limit says so in its arguments, unless it was interrupted before. */
static bool sleeps_for_a_time(const struct user_regs_struct *gp)
{
	return (int64_t)gp->rax == -ERESTART_RESTARTBLOCK &&
	       !(gp->orig_rax == SYS_poll && (int32_t)gp->rdx < 0);
}

static int find_sleepers(struct dump *d, struct sleepers *s)
{
	size_t i, k;

	for (i = 0; i < d->n; i++)
		for (k = 0; k < d->tasks[i]->target.n_threads; k++) {
			struct target_thread *th = &d->tasks[i]->target.threads[k];

			if (!sleeps_for_a_time(&th->regs.gp))
				continue;
			if (array_reserve(&s->threads, &s->cap, s->n + 1, sizeof(*s->threads)) < 0)
				return -ENOMEM;
			s->threads[s->n++] = th;
		}
	return 0;
}

static int read_ends(struct sleepers *s, struct err *err)
{
	autofree struct restart_info *infos = calloc(s->n, sizeof(*infos));
	autofree pid_t *tids = calloc(s->n, sizeof(*tids));
	struct restart_reader *reader = NULL;
	struct err why = {0};
	size_t i;
	int r;

	if (!infos || !tids)
		return err_oom(err);
	for (i = 0; i < s->n; i++)
		tids[i] = s->threads[i]->tid;
	(void)mkdir(CONTAINER_ROOT_DEFAULT, 0711); /* without it nothing is kept */
	r = restart_reader_new(CONTAINER_ROOT_DEFAULT, &reader, &why);
	if (r == 0)
		r = restart_reader_read(reader, tids, s->n, infos, &why);
	restart_reader_free(reader);
	if (r < 0) {
		log_info("interrupted sleeps will begin anew: %s", why.text);
		return 0;
	}
	for (i = 0; i < s->n; i++) {
		if (infos[i].kind == RESTART_NONE || infos[i].kind == RESTART_OTHER)
			continue;
		s->threads[i]->sleep = malloc(sizeof(infos[i]));
		if (!s->threads[i]->sleep)
			return err_oom(err);
		*s->threads[i]->sleep = infos[i];
	}
	return 0;
}

int dump_read_sleeps(struct dump *d, struct err *err)
{
	struct sleepers s = {0};
	int r = find_sleepers(d, &s);

	if (r < 0)
		r = err_oom(err);
	else if (s.n)
		r = read_ends(&s, err);
	free(s.threads);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/* See workers.h. */
#include "base/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define QUEUE 64u

struct workers;
struct thread {
	struct workers *w;
	pthread_t id;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t some, idle; /* a job or the end; nobody at work */
	size_t size;
	uint64_t patience, added; /* weights; since the last wait */
	workers_fn fn;
	void *arg;
	char *queue; /* a ring of QUEUE jobs */
	unsigned int first, n, busy;
	bool end;
	struct err err; /* of the first failure */
	struct thread threads[WORKERS_MAX];
	unsigned int n_threads, max_threads;
};

/* Takes the next job and does it; with the lock held, which is let go meanwhile. */
static void work(struct workers *w, unsigned int worker, char *job)
{
	struct err err = {0};
	int r;

	memcpy(job, w->queue + w->first * w->size, w->size);
	w->first = (w->first + 1) % QUEUE;
	w->n--;
	w->busy++;
	pthread_mutex_unlock(&w->lock);
	r = w->fn(w->arg, worker, job, &err);
	pthread_mutex_lock(&w->lock);
	if (r < 0 && !w->err.code) {
		w->err = err;
		w->err.code = r;
		w->n = 0;
	}
	if (--w->busy == 0 && !w->n)
		pthread_cond_broadcast(&w->idle);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	struct workers *w = t->w;
	char *job = (char *)w->queue + (QUEUE + 1 + (t - w->threads)) * w->size;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->n && !w->end)
			pthread_cond_wait(&w->some, &w->lock);
		if (w->end)
			break;
		work(w, 1 + (t - w->threads), job);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int workers_new(size_t size, uint64_t patience, workers_fn fn, void *arg, struct workers **ret,
	struct err *err)
{
	struct workers *w = calloc(1, sizeof(*w));
	cpu_set_t cpus;

	if (!w)
		return err_oom(err);
	/* The ring, and a job for each who works. */
	w->queue = calloc(QUEUE + 1 + WORKERS_MAX, size);
	if (!w->queue) {
		free(w);
		return err_oom(err);
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->some, NULL);
	pthread_cond_init(&w->idle, NULL);
	w->size = size;
	w->patience = patience;
	w->fn = fn;
	w->arg = arg;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		w->max_threads = MIN((unsigned int)CPU_COUNT(&cpus), WORKERS_MAX) - 1;
	*ret = w;
	return 0;
}

/* One that cannot be started is no loss: the others do its work. */
static void start_threads(struct workers *w)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; w->n_threads < w->max_threads; w->n_threads++) {
		struct thread *t = &w->threads[w->n_threads];

		t->w = w;
		if (pthread_create(&t->id, NULL, thread_main, t) != 0)
			w->max_threads = w->n_threads;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int failure(const struct workers *w, struct err *err)
{
	if (w->err.code && err)
		*err = w->err;
	return w->err.code;
}

int workers_add(struct workers *w, const void *job, uint64_t weight, struct err *err)
{
	unsigned int last;
	int r;

	pthread_mutex_lock(&w->lock);
	if (w->n == QUEUE)
		work(w, 0, w->queue + QUEUE * w->size);
	r = failure(w, err);
	if (r == 0) {
		last = (w->first + w->n++) % QUEUE;
		memcpy(w->queue + last * w->size, job, w->size);
		w->added += weight;
		if (w->added > w->patience && w->n_threads < w->max_threads)
			start_threads(w);
		pthread_cond_signal(&w->some);
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

int workers_wait(struct workers *w, struct err *err)
{
	int r;

	pthread_mutex_lock(&w->lock);
	while (w->n || w->busy)
		if (w->n)
			work(w, 0, w->queue + QUEUE * w->size);
		else
			pthread_cond_wait(&w->idle, &w->lock);
	w->added = 0;
	r = failure(w, err);
	pthread_mutex_unlock(&w->lock);
	return r;
}

void workers_free(struct workers *w)
{
	unsigned int i;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->n = 0;
	w->end = true;
	pthread_cond_broadcast(&w->some);
	pthread_mutex_unlock(&w->lock);
	for (i = 0; i < w->n_threads; i++)
		pthread_join(w->threads[i].id, NULL);
	pthread_cond_destroy(&w->some);
	pthread_cond_destroy(&w->idle);
	pthread_mutex_destroy(&w->lock);
	free(w->queue);
	free(w);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs of one kind that several threads do, in the order in which they were added. The caller's
 * thread is one of them: it works when the queue is full, and while it waits.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WORKERS_MAX 8u

/* @worker: which thread, from 0 (the caller's). Returns 0 or a negative error. */
typedef int (*workers_fn)(void *arg, unsigned int worker, const void *job, struct err *err);

struct workers;
/*
 * Jobs are copies of @size bytes. Threads are started when jobs of more than @patience weight were
 * added since the last wait, as many as there are processors for us: what is small is done without
 * any. They block all signals.
 */
int workers_new(size_t size, uint64_t patience, workers_fn fn, void *arg, struct workers **ret,
	struct err *err);
/* Fails with the first failure of any job; then nothing more is done. */
int workers_add(struct workers *w, const void *job, uint64_t weight, struct err *err);
/* Until all jobs that were added are done; the first failure of one. */
int workers_wait(struct workers *w, struct err *err);
/* Drops what was not begun, ends the threads. Takes NULL. */
void workers_free(struct workers *w);

/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that act on containers by name have in common. */
#pragma once

#include "base/verb.h"
#include "container/container.h"

/* The one operand NAME, after options without effect here. NULL with @err filled. */
const char *names_only(const struct verb *v, int argc, char **argv, struct err *err);

/*
 * Calls @each with every name from args->next on; goes on after a failure, which is printed. Gives
 * the exit status: 1 when one failed. -EINVAL without a name.
 */
int names_each(const struct verb_args *args,
	int (*each)(const char *name, void *arg, struct err *err), void *arg, struct err *err);

/* "TERM", "SIGTERM", "15", "RTMIN+1". */
int names_signal(const char *text, int *ret, struct err *err);
/* Whole seconds, at most a day. */
int names_seconds(const char *text, int *ret, struct err *err);

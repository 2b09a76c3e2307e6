/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the verbs that start processes, and what they do to a container's parameters. */
#pragma once

#include "base/verb.h"
#include "container/container.h"

/* The rows of `kist run`. */
extern const struct verb_option run_options[];

/*
 * Parses a `kist run` command line: options, then the command. *ret is the caller's
 * (container_params_free), complete, with a name.
 */
int run_params_parse(const struct verb *v, int argc, char **argv, struct container_params **ret,
	struct err *err);

/* Parts that `exec` takes too. "UID[:GID]"; "NAME=VALUE", or "NAME" for the caller's value. */
int option_user(struct spec_process *p, const char *value, struct err *err);
int option_env(struct spec_process *p, const char *value, struct err *err);
/* A terminal as large as the caller's. */
void option_tty(struct spec_process *p);
/* Sets HOME when nobody did. */
int option_home(struct spec_process *p, struct err *err);
/* The operands from @args->next on become the command. */
int option_command(const struct verb_args *args, struct spec_process *p, struct err *err);

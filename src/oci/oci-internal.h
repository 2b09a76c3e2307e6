/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `kist-oci` share. A file a verb, or a few that belong together; oci.c has the
 * table. */
#pragma once

#include "base/verb.h"
#include "container/oci.h"

/*
 * A command line as callers of OCI runtimes write it: options may stand behind operands, and long
 * ones may begin with a single dash ("-no-subreaper").
 */
struct oci_args {
	struct verb_args args;
	const char *operand[2]; /* the container's id, and a second one (a signal) */
	int n_operands;
	/* The verb takes a command behind the id: what begins there is not looked at. */
	bool command;
	bool ended; /* "--" was met */
};
/* -EINVAL without memory or with a broken line, else 0. */
void oci_args_init(struct oci_args *a, const struct verb *v, int argc, char **argv);
/* The next option's row; NULL at the end, or with err->code set. */
const struct verb_option *oci_args_next(struct oci_args *a, struct err *err);
/* The id, which must be there; NULL with @err filled. */
const char *oci_args_id(const struct oci_args *a, struct err *err);
/* For verbs without options of their own. */
const char *oci_only_id(const struct verb *v, int argc, char **argv, struct err *err);

/* What create, run and restore take, beside the bundle. */
struct oci_making {
	const char *id, *bundle, *config, *pid_file, *console_socket;
	bool no_new_keyring, detach, foreground, keep_stopped;
	int preserve_fds;
};
/* Rows of these options, and what each does. Returns 1 if @name is none of them. */
#define OCI_MAKING_OPTIONS                                                                        \
	{'b', "bundle", "DIR", "the bundle, the current directory by default"},                   \
		{'f', "config", "FILE", "its description, config.json in the bundle by default"}, \
		{0, "console-socket", "SOCKET", "where the terminal's master is sent"},           \
		{0, "pid-file", "FILE", "where the first process's pid is written"},              \
		{0, "preserve-fds", "N", "pass so many fds on, from 3"},                          \
		{0, "no-pivot", NULL, "accepted; the root is always entered by pivot_root"},      \
	{                                                                                         \
		0, "no-new-keyring", NULL, "keep the caller's session keyring"                    \
	}
int oci_making_option(
	struct oci_making *m, const struct verb_option *o, const char *value, struct err *err);
/* Reads the bundle: *ret is what container_create takes. The caller's. */
int oci_params(const struct oci_making *m, struct container_params **ret, struct err *err);

/* The pid as text without a newline, replacing the file at once. */
int oci_write_pid(const char *path, pid_t pid, struct err *err);
/* Sends the master of a terminal to whoever listens at the socket @path. */
int oci_send_console(const char *path, int master, struct err *err);
/* What "paused" callers expect in the place of "frozen". */
const char *oci_status(enum container_status status);
/* The state document with what is beside the specification: rootfs, created, owner. */
int oci_state_json(const struct container *c, json_t **ret, struct err *err);
/* Whole files, or standard input for "-". The caller frees *ret. */
int oci_read_file(const char *path, char **ret, size_t *ret_len, struct err *err);
/* Prints @j and a newline, and lets go of it. */
int oci_print_json(json_t *j, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `kist-criu` share. Images are kist's own; only the command line is CRIU's. */
#pragma once

#include "base/verb.h"

/* Options that stand in every verb's table, and are about the program and not its work. */
#define CRIU_COMMON_OPTIONS                                                                   \
	{'D', "images-dir", "DIR", "the image's directory, the current one by default"},      \
		{'W', "work-dir", "DIR", "where the log is written, the images' by default"}, \
		{'o', "log-file", "FILE", "what was done, and why it failed"},                \
		{'v', "verbosity", "N", "accepted"},                                          \
		{0, "no-default-config", NULL, "accepted: there is no configuration"},        \
		{0, "config", "FILE", "accepted: there is no configuration"},                 \
		{0, "log-pid", NULL, "accepted"},                                             \
	{                                                                                     \
		0, "display-stats", NULL, "accepted"                                          \
	}

/* Accepted on a dump and on a restore, for they ask for what is always done, or tune CRIU. */
#define CRIU_ACCEPTED_OPTIONS                                                                   \
	{0, "cgroup-root", "PATH", "accepted: cgroups belong to containers"},                   \
		{0, "cgroup-yard", "DIR", "accepted: the same"},                                \
		{0, "ghost-fiemap", NULL, "accepted: holes are always left out"},               \
		{0, "no-ghost-fiemap", NULL, "accepted: the same"},                             \
		{0, "irmap-scan-path", "PATH", "accepted: paths are searched from the root"},   \
		{0, "manage-cgroups", NULL, "accepted: cgroups belong to containers"},          \
		{0, "ghost-limit", "SIZE", "accepted: there is no limit"},                      \
		{0, "network-lock", "METHOD", "accepted: always nftables"},                     \
		{'l', "file-locks", NULL, "locks of files are part of it"},                     \
		{0, "link-remap", NULL, "accepted: removed files are part of the image"},       \
		{0, "evasive-devices", NULL, "accepted"},                                       \
		{0, "force-irmap", NULL, "accepted: inotify's paths are always searched"},      \
		{0, "skip-in-flight", NULL, "accepted: unaccepted connections are waited for"}, \
		{0, "cpu-cap", "CAP", "accepted: what is used is checked"},                     \
		{0, "file-validation", "METHOD", "accepted"},                                   \
	{                                                                                       \
		0, "mntns-compat-mode", NULL, "accepted"                                        \
	}

struct criu_common {
	const char *images, *work, *log;
};
/* 1: not one of these. */
int criu_common_option(struct criu_common *c, const struct verb_option *o, const char *value);
/*
 * Writes the outcome of @verb to the log, if one was asked for; on success (@r ≥ 0) too, since
 * callers look for the file. Returns @r.
 */
int criu_finish(const struct criu_common *c, const char *verb, int r, const struct err *err);
/* The fd of the images' directory. */
int criu_open_images(const struct criu_common *c, struct err *err);

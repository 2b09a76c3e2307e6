// SPDX-License-Identifier: Apache-2.0
/* The table of verbs, sorted by name within its group, as `kist help` prints it. */
#include "cli/verb.h"

#include <stddef.h>

extern const struct verb verb_attach, verb_exec, verb_freeze, verb_get, verb_help, verb_image,
	verb_inspect, verb_keys, verb_kill, verb_list, verb_logs, verb_rm, verb_run, verb_set,
	verb_start, verb_stat, verb_stop, verb_thaw, verb_version;

const struct verb *const verbs[] = {
	&verb_attach,
	&verb_exec,
	&verb_freeze,
	&verb_get,
	&verb_help,
	&verb_image,
	&verb_inspect,
	&verb_keys,
	&verb_kill,
	&verb_list,
	&verb_logs,
	&verb_rm,
	&verb_run,
	&verb_set,
	&verb_start,
	&verb_stat,
	&verb_stop,
	&verb_thaw,
	&verb_version,
	NULL,
};

// SPDX-License-Identifier: Apache-2.0
/* The table of verbs, sorted by name within its group, as `kist help` prints it. */
#include "cli/verbs.h"

#include <stddef.h>

extern const struct verb verb_attach;
extern const struct verb verb_checkpoint;
extern const struct verb verb_doctor;
extern const struct verb verb_exec;
extern const struct verb verb_freeze;
extern const struct verb verb_get;
extern const struct verb verb_help;
extern const struct verb verb_image;
extern const struct verb verb_inspect;
extern const struct verb verb_keys;
extern const struct verb verb_kill;
extern const struct verb verb_list;
extern const struct verb verb_logs;
extern const struct verb verb_restore;
extern const struct verb verb_rm;
extern const struct verb verb_run;
extern const struct verb verb_set;
extern const struct verb verb_start;
extern const struct verb verb_stat;
extern const struct verb verb_stop;
extern const struct verb verb_thaw;
extern const struct verb verb_version;

const struct verb *const verbs[] = {
	&verb_attach,
	&verb_checkpoint,
	&verb_doctor,
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
	&verb_restore,
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

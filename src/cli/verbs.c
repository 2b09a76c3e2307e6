// SPDX-License-Identifier: Apache-2.0
/* The table of verbs, sorted by name within its group, as `kist help` prints it. */
#include "cli/verb.h"

#include <stddef.h>

extern const struct verb verb_get, verb_help, verb_image, verb_keys, verb_run, verb_set, verb_stat,
	verb_version;

const struct verb *const verbs[] = {
	&verb_get,
	&verb_help,
	&verb_image,
	&verb_keys,
	&verb_run,
	&verb_set,
	&verb_stat,
	&verb_version,
	NULL,
};

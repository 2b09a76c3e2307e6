/* SPDX-License-Identifier: Apache-2.0 */
/* Printing of the table of verbs. */
#pragma once

#include "cli/verb.h"

void verb_help_print(const struct verb *v);
/* NULL for an unknown name. */
const struct verb *verb_find(const char *name);

/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the verbs of `kist`, NULL-terminated. */
#pragma once

#include "base/verb.h"

extern const struct verb *const verbs[];

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points at which a test may kill kist, or let a step fail as if the kernel had refused it. In the
 * program that is installed nothing happens there; the tests link one in which something does
 * (tests/helpers/fault.c).
 */
#pragma once

#include "base/err.h"

/*
 * Step @step of @what ("create", "dump", …) comes next, or was the last ("end"). Returns 0, or an
 * error that the caller must treat as one of the step itself.
 */
int fault(const char *what, const char *step, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* The two small programs inside kist (tiny/), and starting them from memory. */
#pragma once

#include "base/err.h"

extern const unsigned char embedded_init[], embedded_monitor[];
extern const unsigned int embedded_init_size, embedded_monitor_size;

/* A sealed memfd named @name with this content; close-on-exec. execveat(2) with AT_EMPTY_PATH. */
int embedded_open(const char *name, const unsigned char *data, unsigned int size, struct err *err);

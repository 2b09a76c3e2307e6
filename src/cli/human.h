/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them. Each writes into @ret and returns it; UINT64_MAX prints "-". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HUMAN_MAX 32

/* "0", "512", "1.5K", "64M": powers of 1024, as parse_size() reads them. */
const char *human_bytes(uint64_t n, char ret[HUMAN_MAX]);
/* "12us", "3.4ms", "1.23s", "2m05s", "3h12m". */
const char *human_usec(uint64_t us, char ret[HUMAN_MAX]);

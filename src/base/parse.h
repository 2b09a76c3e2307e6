/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and human units in text; each takes the whole string or refuses it. */
#pragma once

#include <stdint.h>

/* Each returns 0, or -EINVAL (not a number, trailing text), -ERANGE. @base as in strtoull(3). */
int parse_u64(const char *s, int base, uint64_t *ret);
int parse_i64(const char *s, int base, int64_t *ret);
int parse_u32(const char *s, int base, uint32_t *ret);
int parse_int(const char *s, int *ret);
/* A signal: "TERM", "SIGTERM", "15", "RTMIN+1". */
int parse_signal(const char *text, int *ret);
/* Bytes: "4096", "512K", "1.5G", "2Ti", "10MB" (powers of 1024); "max" gives UINT64_MAX. */
int parse_size(const char *s, uint64_t *ret);

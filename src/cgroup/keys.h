/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key table: one row a key, from which `kist set/get/keys`, the OCI documents, the backends and
 * the tests are fed. The names and forms are cgroup v2's; kist's own keys have a prefix of theirs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum cgroup_controller {
	CGROUP_CORE, /* files of cgroup2 itself: cgroup.*, *.pressure */
	CGROUP_CPU,
	CGROUP_CPUACCT,
	CGROUP_CPUSET,
	CGROUP_DEVICES,
	CGROUP_FREEZER,
	CGROUP_HUGETLB,
	CGROUP_IO, /* "blkio" on v1 */
	CGROUP_MEMORY,
	CGROUP_NET_CLS,
	CGROUP_NET_PRIO,
	CGROUP_PIDS,
	CGROUP_RDMA,
	CGROUP_CONTROLLERS,
};

enum cgroup_unit {
	CGROUP_BYTES,	  /* "512M", "50%" of the host's memory, "max" */
	CGROUP_COUNT,	  /* a number, or "max" where the row allows it */
	CGROUP_FLAG,	  /* 0 or 1; yes, no, on, off, true, false */
	CGROUP_USEC,	  /* microseconds; "10ms", "1s" */
	CGROUP_BANDWIDTH, /* "QUOTA PERIOD", "QUOTA", "max", "50%", "1.5cpu" */
	CGROUP_LIST,	  /* "0-3,5" */
	CGROUP_IO_MAX,	  /* lines "MAJ:MIN rbps=N wbps=N riops=N wiops=N"; a device path too */
	CGROUP_IO_WEIGHT, /* "N", lines "default N" and "MAJ:MIN N" */
	CGROUP_LINES,	  /* lines that the kernel takes one at a time */
	CGROUP_TEXT,	  /* only read */
	CGROUP_RULES,	  /* lines "allow|deny a|b|c MAJ:MIN rwm"; "allow-all", "deny-all" */
	CGROUP_UNITS,
};

enum {
	CGROUP_KEY_READ = 1,
	CGROUP_KEY_WRITE = 2,
	CGROUP_KEY_MAX = 4,    /* "max" is allowed */
	CGROUP_KEY_ACTION = 8, /* does something at once, and is done last in a batch */
};

/* How a key is read and written where it takes more than one plain file: ops.h. */
struct cgroup_key_ops;

struct cgroup_key {
	const char *name; /* may contain SIZE, for hugetlb */
	enum cgroup_controller controller;
	enum cgroup_unit unit;
	unsigned int flags;
	uint64_t min, max;   /* of numbers */
	const char *v2, *v1; /* the files, of several the main one; NULL: there is none */
	const struct cgroup_key_ops *ops; /* NULL: one file, converted by unit */
	const char *unset;   /* what holds in a hierarchy that was not joined; NULL: not told */
	const char *instead; /* what to do on hosts whose kind of cgroups lacks it */
	const char *help;
};

/* Sorted by name; ends with a row without a name. */
extern const struct cgroup_key cgroup_keys[];

#define CGROUP_KEY_NAME_MAX 64

/*
 * Finds the row of @name. @ret_size gets what stands for SIZE ("2MB"), else "". An unknown key is
 * refused with the nearest name as a hint.
 */
int cgroup_key_find(const char *name, const struct cgroup_key **ret, char *ret_size, size_t size,
	struct err *err);
/* Writes @file of a row with SIZE filled in. */
void cgroup_key_file(const char *file, const char *size, char *ret, size_t ret_len);

struct cgroup_host;
/* Whether this host serves the row, by which file (the main one), and whether on cgroup2. */
bool cgroup_key_here(const struct cgroup_host *host, const struct cgroup_key *key,
	const char **ret_file, bool *ret_v2);

/* A parsed value. CGROUP_MAX stands for "max". */
#define CGROUP_MAX UINT64_MAX
struct cgroup_value {
	uint64_t n;	 /* the number; the quota of a bandwidth */
	uint64_t period; /* of a bandwidth; 0: keep the present one */
	struct buf text; /* as the v2 file takes it; lines parted by '\n' */
};
void cgroup_value_done(struct cgroup_value *v);
/* Parses @text for @key; says what is wrong and what is taken. */
int cgroup_value_parse(
	const struct cgroup_key *key, const char *text, struct cgroup_value *ret, struct err *err);

/* Sets of CPU or node numbers, "0-3,5"; at most CGROUP_LIST_MAX. -EINVAL, -ERANGE. */
#define CGROUP_LIST_MAX 8192
struct cgroup_list {
	uint64_t bits[CGROUP_LIST_MAX / 64];
};
int cgroup_list_parse(const char *text, struct cgroup_list *ret);

/* cpu.weight (1…10000) and cpu.shares (2…262144) of the same meaning; inverse of each other. */
uint64_t cgroup_weight_of_shares(uint64_t shares);
uint64_t cgroup_shares_of_weight(uint64_t weight);
/* io.weight (1…10000) and BFQ's weight (1…1000); 100 is the default of both and stays 100. */
uint64_t cgroup_bfq_of_io_weight(uint64_t weight);
uint64_t cgroup_io_weight_of_bfq(uint64_t weight);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a key does on a host: a write becomes steps of a plan (one write to one control file each),
 * a read becomes text in v2's form. Keys of one plain file need nothing of this.
 */
#pragma once

#include "cgroup/cgroup-internal.h"
#include "cgroup/keys.h"

/* One setting of a batch, parsed. */
struct cgroup_item {
	const struct cgroup_key *key;
	char size[16];	  /* what stands for SIZE */
	const char *name; /* as the caller wrote it */
	struct cgroup_value value;
	int fd; /* of the directory that serves it, joined */
	bool v2;
	bool planned; /* by another item's plan */
};

struct cgroup_step {
	size_t item;
	int fd;
	char file[64];
	char *value, *undo; /* undo NULL: cannot be undone */
	bool done;
	int error;
};

struct cgroup_plan {
	struct cgroup *cg;
	struct cgroup_item *items;
	size_t n_items;
	struct cgroup_step *steps;
	size_t n_steps, cap;
};

/*
 * Adds a step for item @i. The undo value is @undo, or with NULL what the file holds now. Returns
 * 0 or -errno with @err.
 */
int cgroup_plan_add(struct cgroup_plan *p, size_t i, const char *file, const char *undo,
	struct err *err, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* The item of the batch that sets @name, or NULL. */
struct cgroup_item *cgroup_plan_find(struct cgroup_plan *p, const char *name);

struct cgroup_key_ops {
	/* Steps for the item; NULL: one step to the row's file. */
	int (*plan_v1)(struct cgroup_plan *p, size_t i, struct err *err);
	int (*plan_v2)(struct cgroup_plan *p, size_t i, struct err *err);
	/*
	 * Appends the value in v2's form, without the final newline; -ENOENT without the file.
	 * With @unjoined, read_v1 is asked with fd -EBADF too, else the row's unset text counts.
	 */
	int (*read_v1)(struct cgroup *cg, int fd, struct buf *ret);
	int (*read_v2)(struct cgroup *cg, int fd, struct buf *ret);
	bool unjoined;
	/* Instead of all that: for what is no file. */
	int (*act)(struct cgroup *cg, const struct cgroup_value *v, struct err *err);
	int (*show)(struct cgroup *cg, struct buf *ret, struct err *err);
};

extern const struct cgroup_key_ops cgroup_bfq_weight_ops, cgroup_cpu_max_ops, cgroup_cpu_rt_ops,
	cgroup_cpu_shares_ops, cgroup_cpu_stat_ops, cgroup_cpu_weight_ops,
	cgroup_cpus_effective_ops, cgroup_devices_ops, cgroup_freeze_ops, cgroup_io_max_ops,
	cgroup_io_stat_ops, cgroup_io_weight_ops, cgroup_kill_ops, cgroup_memory_events_ops,
	cgroup_memory_low_ops, cgroup_memory_max_ops, cgroup_memory_reclaim_ops,
	cgroup_memory_stat_ops, cgroup_mems_effective_ops, cgroup_oom_control_ops,
	cgroup_pids_current_ops, cgroup_swap_max_ops, cgroup_swap_current_ops;

/* Reads a key of a joined directory in v2's form, appended without the final newline. */
int cgroup_key_read(
	struct cgroup *cg, const struct cgroup_item *item, struct buf *ret, struct err *err);

/* Whether what was read (@got) is what the item asked for; -EIO with both when not. */
int cgroup_compare(const struct cgroup_item *item, const char *got, struct err *err);
/* Fills @err for a write that the kernel refused with @error: what that means for this key. */
void cgroup_explain(struct cgroup *cg, const struct cgroup_item *item, const char *file,
	const char *value, int error, struct err *err);
/* Checks the text of the devices key. */
int cgroup_rules_check(const char *text, struct err *err);
/* What follows "DEVICE " on @device's line of @text, up to its end; false without the line. */
bool cgroup_device_line(const char *text, const char *device, char *ret, size_t size);

/* A number in a small file; "max", "-1" and v1's largest give CGROUP_MAX. 0 or -errno. */
int cgroup_read_number(int fd, const char *file, uint64_t *ret);
/* The number after "KEY " in a flat-keyed text; -ENOENT. */
int cgroup_flat_number(const char *text, const char *key, uint64_t *ret);

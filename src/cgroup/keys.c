// SPDX-License-Identifier: Apache-2.0
/* The table of keys. See keys.h. */
#include "cgroup/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cgroup/ops.h"

#define R	CGROUP_KEY_READ
#define RW	(CGROUP_KEY_READ | CGROUP_KEY_WRITE)
#define RW_MAX	(RW | CGROUP_KEY_MAX)
#define ACTION	(CGROUP_KEY_WRITE | CGROUP_KEY_ACTION)
#define ANY	(UINT64_MAX - 1)
#define USEC_1S UINT64_C(1000000)

const struct cgroup_key cgroup_keys[] = {
	{"cgroup.events", CGROUP_CORE, CGROUP_TEXT, R, .v2 = "cgroup.events",
		.instead = "'kist list' tells what runs",
		.help = "populated and frozen, as 0 or 1"},
	{"cgroup.freeze", CGROUP_CORE, CGROUP_FLAG, RW | CGROUP_KEY_ACTION, 0, 1, "cgroup.freeze",
		"freezer.state", &cgroup_freeze_ops,
		.help = "1 stops all processes, 0 lets them go on"},
	{"cgroup.kill", CGROUP_CORE, CGROUP_FLAG, ACTION, 1, 1, "cgroup.kill", "cgroup.procs",
		&cgroup_kill_ops, .help = "1 kills all processes, frozen ones too"},
	{"cgroup.max.depth", CGROUP_CORE, CGROUP_COUNT, RW_MAX, 0, INT32_MAX, "cgroup.max.depth",
		.instead = "v1 does not limit cgroups below a cgroup",
		.help = "how deep cgroups may be nested below"},
	{"cgroup.max.descendants", CGROUP_CORE, CGROUP_COUNT, RW_MAX, 0, INT32_MAX,
		"cgroup.max.descendants", .instead = "v1 does not limit cgroups below a cgroup",
		.help = "how many cgroups may exist below"},
	{"cgroup.stat", CGROUP_CORE, CGROUP_TEXT, R, .v2 = "cgroup.stat",
		.instead = "v1 does not count cgroups below a cgroup",
		.help = "number of cgroups below, and of those that are still dying"},
	{"cpu.idle", CGROUP_CPU, CGROUP_FLAG, RW, 0, 1, "cpu.idle", "cpu.idle", .unset = "0",
		.help = "1: runs only when nothing else wants the processor"},
	{"cpu.max", CGROUP_CPU, CGROUP_BANDWIDTH, RW_MAX, 1000, USEC_1S, "cpu.max",
		"cpu.cfs_quota_us", &cgroup_cpu_max_ops, .unset = "max 100000",
		.help = "processor time per period (default 100ms) at most"},
	{"cpu.max.burst", CGROUP_CPU, CGROUP_USEC, RW, 0, USEC_1S * 3600, "cpu.max.burst",
		"cpu.cfs_burst_us", .unset = "0",
		.help = "unused time that may be spent above cpu.max; at most its quota"},
	{"cpu.pressure", CGROUP_CORE, CGROUP_TEXT, R, .v2 = "cpu.pressure",
		.instead = "v1 alone has no pressure files; mount cgroup2 beside it",
		.help = "share of time in which tasks waited for a processor"},
	{"cpu.rt.max", CGROUP_CPU, CGROUP_BANDWIDTH, RW, 0, USEC_1S, NULL, "cpu.rt_runtime_us",
		&cgroup_cpu_rt_ops,
		.instead = "v2 has no limit of real-time scheduling: leave CAP_SYS_NICE out",
		.help = "time of real-time tasks per period (kist's name; v1 only)"},
	{"cpu.shares", CGROUP_CPU, CGROUP_COUNT, RW, 2, 262144, "cpu.weight", "cpu.shares",
		&cgroup_cpu_shares_ops, .unset = "1024",
		.help = "cpu.weight in v1's numbers, 1024 being the default (OCI documents)"},
	{"cpu.stat", CGROUP_CPU, CGROUP_TEXT, R, .v2 = "cpu.stat", .v1 = "cpu.stat",
		.ops = &cgroup_cpu_stat_ops,
		.help = "processor time used, periods, and periods that were throttled"},
	{"cpu.weight", CGROUP_CPU, CGROUP_COUNT, RW, 1, 10000, "cpu.weight", "cpu.shares",
		&cgroup_cpu_weight_ops, .unset = "100",
		.help = "share of processor time against neighbours, 100 being the default"},
	{"cpuset.cpus", CGROUP_CPUSET, CGROUP_LIST, RW, .v2 = "cpuset.cpus", .v1 = "cpuset.cpus",
		.unset = "", .help = "processors that may be used"},
	{"cpuset.cpus.effective", CGROUP_CPUSET, CGROUP_TEXT, R, .v2 = "cpuset.cpus.effective",
		.v1 = "cpuset.effective_cpus", .ops = &cgroup_cpus_effective_ops,
		.help = "processors that can be used as things are"},
	{"cpuset.mems", CGROUP_CPUSET, CGROUP_LIST, RW, .v2 = "cpuset.mems", .v1 = "cpuset.mems",
		.unset = "", .help = "memory nodes that may be used"},
	{"cpuset.mems.effective", CGROUP_CPUSET, CGROUP_TEXT, R, .v2 = "cpuset.mems.effective",
		.v1 = "cpuset.effective_mems", .ops = &cgroup_mems_effective_ops,
		.help = "memory nodes that can be used as things are"},
	{"devices", CGROUP_DEVICES, CGROUP_RULES, RW | CGROUP_KEY_ACTION, .v2 = "devices",
		.v1 = "devices.list", .ops = &cgroup_devices_ops,
		.help = "which device nodes may be read, written and made (kist's name)"},
	{"hugetlb.SIZE.current", CGROUP_HUGETLB, CGROUP_BYTES, R, .v2 = "hugetlb.SIZE.current",
		.v1 = "hugetlb.SIZE.usage_in_bytes", .unset = "0",
		.help = "huge pages of that size in use"},
	{"hugetlb.SIZE.max", CGROUP_HUGETLB, CGROUP_BYTES, RW_MAX, .v2 = "hugetlb.SIZE.max",
		.v1 = "hugetlb.SIZE.limit_in_bytes", .unset = "max",
		.help = "huge pages of that size (2MB, 1GB) at most"},
	{"io.bfq.weight", CGROUP_IO, CGROUP_COUNT, RW, 1, 1000, "io.bfq.weight", "blkio.bfq.weight",
		&cgroup_bfq_weight_ops, .unset = "100",
		.help = "io.weight in the numbers of the bfq scheduler (OCI documents)"},
	{"io.max", CGROUP_IO, CGROUP_IO_MAX, RW, .v2 = "io.max",
		.v1 = "blkio.throttle.read_bps_device", .ops = &cgroup_io_max_ops, .unset = "",
		.help = "bytes and operations per second of a block device at most"},
	{"io.pressure", CGROUP_CORE, CGROUP_TEXT, R, .v2 = "io.pressure",
		.instead = "v1 alone has no pressure files; mount cgroup2 beside it",
		.help = "share of time in which tasks waited for block devices"},
	{"io.stat", CGROUP_IO, CGROUP_TEXT, R, .v2 = "io.stat",
		.v1 = "blkio.throttle.io_service_bytes_recursive", .ops = &cgroup_io_stat_ops,
		.unset = "", .help = "bytes and operations done, a line a device"},
	{"io.weight", CGROUP_IO, CGROUP_IO_WEIGHT, RW, 1, 10000, "io.weight", "blkio.bfq.weight",
		&cgroup_io_weight_ops, .unset = "default 100",
		.help = "share of block devices against neighbours, 100 being the default"},
	{"memory.current", CGROUP_MEMORY, CGROUP_BYTES, R, .v2 = "memory.current",
		.v1 = "memory.usage_in_bytes", .help = "memory in use, page cache included"},
	{"memory.events", CGROUP_MEMORY, CGROUP_TEXT, R, .v2 = "memory.events",
		.v1 = "memory.oom_control", .ops = &cgroup_memory_events_ops,
		.help = "how often limits were met, and processes killed for it"},
	{"memory.high", CGROUP_MEMORY, CGROUP_BYTES, RW_MAX, .v2 = "memory.high",
		.instead = "v1 cannot slow a cgroup down: set memory.max",
		.help = "memory above which processes are slowed down and reclaimed from"},
	{"memory.low", CGROUP_MEMORY, CGROUP_BYTES, RW_MAX, .v2 = "memory.low",
		.v1 = "memory.soft_limit_in_bytes", .ops = &cgroup_memory_low_ops, .unset = "0",
		.help = "memory that is left alone while others have some to give"},
	{"memory.max", CGROUP_MEMORY, CGROUP_BYTES, RW_MAX, .v2 = "memory.max",
		.v1 = "memory.limit_in_bytes", .ops = &cgroup_memory_max_ops, .unset = "max",
		.help = "memory at most; beyond it processes are killed"},
	{"memory.min", CGROUP_MEMORY, CGROUP_BYTES, RW_MAX, .v2 = "memory.min",
		.instead = "v1 cannot guarantee memory: memory.low is the nearest",
		.help = "memory that is never taken away"},
	{"memory.oom.group", CGROUP_MEMORY, CGROUP_FLAG, RW, 0, 1, "memory.oom.group",
		.instead = "v1 kills one process at a time: run the job with --init and let the "
			   "job end when a process of it is killed",
		.help = "1: out of memory kills all processes, not one"},
	{"memory.oom_control", CGROUP_MEMORY, CGROUP_FLAG, RW, 0, 1, NULL, "memory.oom_control",
		&cgroup_oom_control_ops,
		.instead = "v2 cannot switch the OOM killer off: memory.high slows down instead",
		.unset = "0", .help = "1: processes wait instead of being killed (v1 only)"},
	{"memory.peak", CGROUP_MEMORY, CGROUP_BYTES, R, .v2 = "memory.peak",
		.v1 = "memory.max_usage_in_bytes", .help = "the most memory that was ever in use"},
	{"memory.pressure", CGROUP_CORE, CGROUP_TEXT, R, .v2 = "memory.pressure",
		.instead = "v1 alone has no pressure files; mount cgroup2 beside it",
		.help = "share of time in which tasks waited for memory"},
	{"memory.reclaim", CGROUP_MEMORY, CGROUP_BYTES, ACTION, .v2 = "memory.reclaim",
		.v1 = "memory.force_empty", .ops = &cgroup_memory_reclaim_ops,
		.help = "reclaims that much now (v1: all that can be)"},
	{"memory.stat", CGROUP_MEMORY, CGROUP_TEXT, R, .v2 = "memory.stat", .v1 = "memory.stat",
		.ops = &cgroup_memory_stat_ops, .help = "what the memory in use is made of"},
	{"memory.swap.current", CGROUP_MEMORY, CGROUP_BYTES, R, .v2 = "memory.swap.current",
		.v1 = "memory.memsw.usage_in_bytes", .ops = &cgroup_swap_current_ops,
		.help = "swap in use"},
	{"memory.swap.max", CGROUP_MEMORY, CGROUP_BYTES, RW_MAX, .v2 = "memory.swap.max",
		.v1 = "memory.memsw.limit_in_bytes", .ops = &cgroup_swap_max_ops, .unset = "max",
		.help = "swap at most, beside memory.max"},
	{"memory.swappiness", CGROUP_MEMORY, CGROUP_COUNT, RW, 0, 200, NULL, "memory.swappiness",
		.instead = "v2 has it for the whole host only: vm.swappiness; limit swap by "
			   "memory.swap.max",
		.help = "how readily memory is swapped (v1 only)"},
	{"net_cls.classid", CGROUP_NET_CLS, CGROUP_COUNT, RW, 0, UINT32_MAX, NULL,
		"net_cls.classid",
		.instead = "v2 has no net_cls: match the cgroup with nft 'socket cgroupv2'",
		.unset = "0", .help = "traffic class of sockets (v1 only)"},
	{"net_prio.ifpriomap", CGROUP_NET_PRIO, CGROUP_LINES, RW, .v1 = "net_prio.ifpriomap",
		.instead = "v2 has no net_prio: set priorities with nft 'meta priority'",
		.unset = "", .help = "priority of traffic, a line 'INTERFACE N' (v1 only)"},
	{"pids.current", CGROUP_PIDS, CGROUP_COUNT, R, 0, ANY, "pids.current", "pids.current",
		&cgroup_pids_current_ops, .help = "number of tasks (threads count)"},
	{"pids.events", CGROUP_PIDS, CGROUP_TEXT, R, .v2 = "pids.events", .v1 = "pids.events",
		.unset = "max 0", .help = "how often a fork met pids.max"},
	{"pids.max", CGROUP_PIDS, CGROUP_COUNT, RW_MAX, 0, 4194304, "pids.max", "pids.max",
		.unset = "max", .help = "number of tasks at most (threads count)"},
	{"pids.peak", CGROUP_PIDS, CGROUP_COUNT, R, 0, ANY, "pids.peak", "pids.peak",
		.help = "the highest number of tasks there ever was"},
	{"rdma.max", CGROUP_RDMA, CGROUP_LINES, RW, .v2 = "rdma.max", .v1 = "rdma.max", .unset = "",
		.help = "handles and objects of RDMA devices at most"},
	{NULL},
};

#define SIZE "SIZE"

/* Matches @name against a row's, which may contain SIZE; copies what stands for it. */
static bool matches(const char *row, const char *name, char *ret_size, size_t size)
{
	const char *hole = strstr(row, SIZE);
	size_t head = hole ? (size_t)(hole - row) : 0, len = strlen(name), tail;

	if (!hole) {
		*ret_size = '\0';
		return strcmp(row, name) == 0;
	}
	tail = strlen(hole + strlen(SIZE));
	if (len <= head + tail || strncmp(row, name, head) != 0 ||
		strcmp(hole + strlen(SIZE), name + len - tail) != 0 || len - head - tail >= size)
		return false;
	memcpy(ret_size, name + head, len - head - tail);
	ret_size[len - head - tail] = '\0';
	return strspn(ret_size, "0123456789KMGTB") == strlen(ret_size);
}

/* How many single-letter changes lead from @a to @b. */
static size_t distance(const char *a, const char *b)
{
	size_t row[CGROUP_KEY_NAME_MAX + 1], n = strlen(b), i, j, diagonal, old;

	if (n > CGROUP_KEY_NAME_MAX)
		return SIZE_MAX;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		diagonal = row[0];
		row[0] = i + 1;
		for (j = 1; j <= n; j++) {
			old = row[j];
			row[j] = MIN(MIN(row[j], row[j - 1]) + 1, diagonal + (a[i] != b[j - 1]));
			diagonal = old;
		}
	}
	return row[n];
}

int cgroup_key_find(const char *name, const struct cgroup_key **ret, char *ret_size, size_t size,
	struct err *err)
{
	const struct cgroup_key *k, *nearest = NULL;
	size_t best = 4, d;

	for (k = cgroup_keys; k->name; k++) {
		if (matches(k->name, name, ret_size, size)) {
			*ret = k;
			return 0;
		}
		d = distance(k->name, name);
		if (d < best) {
			best = d;
			nearest = k;
		}
	}
	err_setx(err, -ENOENT, "unknown key '%s'", name);
	if (nearest)
		return err_hint(err, "did you mean '%s'? 'kist keys' lists all", nearest->name);
	return err_hint(err, "'kist keys' lists all");
}

void cgroup_key_file(const char *file, const char *size, char *ret, size_t ret_len)
{
	const char *hole = strstr(file, SIZE);

	if (!hole)
		snprintf(ret, ret_len, "%s", file);
	else
		snprintf(ret, ret_len, "%.*s%s%s", (int)(hole - file), file, size,
			hole + strlen(SIZE));
}

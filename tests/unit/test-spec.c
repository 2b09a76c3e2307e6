// SPDX-License-Identifier: Apache-2.0
/* config.json: what is read is printed again, what is wrong is refused by its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/util.h"
#include "spec/spec.h"

static struct spec *parse(const char *json)
{
	struct spec *spec = NULL;
	struct err err = {0};

	if (spec_parse(json, strlen(json), &spec, &err) < 0)
		fail_msg("%s", err.text);
	return spec;
}

static char *print(const struct spec *spec)
{
	struct err err = {0};
	char *text = NULL;

	if (spec_print(spec, &text, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

static const char *limit(const struct spec *spec, const char *key)
{
	size_t i;

	for (i = 0; i < spec->linux_.n_limits; i++)
		if (!strcmp(spec->linux_.limits[i].key, key))
			return spec->linux_.limits[i].value;
	return NULL;
}

/* Every member that kist knows, each with a value that differs from its absence. */
static const char full[] =
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
	"\"hostname\":\"h\",\"domainname\":\"d\\u00e9\\n\\\"\","
	"\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},"
	"\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,\"additionalGids\":[3,4294967295]},"
	"\"args\":[\"a\",\"\"],\"env\":[],\"cwd\":\"/\","
	"\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_CHECKPOINT_RESTORE\"],"
	"\"effective\":[],\"inheritable\":[\"CAP_CHOWN\"],\"permitted\":[\"CAP_KILL\"],"
	"\"ambient\":[]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":0,\"hard\":18446744073709551615}],"
	"\"noNewPrivileges\":true,\"apparmorProfile\":\"p\",\"selinuxLabel\":\"l\","
	"\"oomScoreAdj\":0,\"scheduler\":{\"policy\":\"SCHED_RR\",\"nice\":-5,\"priority\":3,"
	"\"flags\":[\"SCHED_FLAG_RECLAIM\"],\"runtime\":1,\"deadline\":2,\"period\":3},"
	"\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":4},"
	"\"execCPUAffinity\":{\"initial\":\"0\",\"final\":\"1-2\"}},"
	"\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/b\","
	"\"options\":[\"rbind\",\"rro\"],"
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":9,\"size\":1}],"
	"\"gidMappings\":[{\"containerID\":1,\"hostID\":8,\"size\":2}]},{\"destination\":\"/c\"}],"
	"\"hooks\":{\"prestart\":[{\"path\":\"/x\"}],\"createRuntime\":[{\"path\":\"/x\","
	"\"args\":[\"1\"],\"env\":[\"A=B\"],\"timeout\":0}],\"createContainer\":[{\"path\":\"/"
	"x\"}],"
	"\"startContainer\":[{\"path\":\"/x\"}],\"poststart\":[{\"path\":\"/x\"}],"
	"\"poststop\":[{\"path\":\"/x\"}]},"
	"\"annotations\":{\"z\":\"1\",\"a\":\"2\"},"
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\",\"path\":\"/n\"}],"
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":65536}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":65536}],"
	"\"timeOffsets\":{\"monotonic\":{\"secs\":-5,\"nanosecs\":6},\"boottime\":{\"secs\":7}},"
	"\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":438,"
	"\"uid\":1,\"gid\":1},{\"path\":\"/dev/p\",\"type\":\"p\"}],"
	"\"cgroupsPath\":\"/kist/x\","
	"\"resources\":{\"devices\":[{\"allow\":false,\"type\":\"a\",\"access\":\"rwm\"},"
	"{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":0,\"access\":\"r\"}],"
	"\"unified\":{\"memory.max\":\"1\",\"pids.max\":\"max\"}},"
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
	"\"architectures\":[\"SCMP_ARCH_X86_64\"],\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
	"\"listenerPath\":\"/l\",\"listenerMetadata\":\"m\",\"syscalls\":[{\"names\":[\"clone\"],"
	"\"action\":\"SCMP_ACT_ALLOW\",\"errnoRet\":1,\"args\":[{\"index\":0,"
	"\"value\":18446744073709551614,\"valueTwo\":9223372036854775808,"
	"\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]},"
	"\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"},\"maskedPaths\":[\"/proc/kcore\"],"
	"\"readonlyPaths\":[\"/proc/sys\"],\"rootfsPropagation\":\"slave\",\"mountLabel\":\"t\","
	"\"personality\":{\"domain\":\"LINUX32\",\"flags\":[]},\"intelRdt\":{},"
	"\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\","
	"\"flags\":[\"MPOL_F_STATIC_NODES\"]},"
	"\"netDevices\":{\"eth1\":{\"name\":\"in\\\"ner\"},\"eth2\":{}}}}";

/* The document with the white space between its tokens left out. */
static char *squeeze(const char *json)
{
	char *out = calloc(1, strlen(json) + 1), *to = out;
	bool string = false;

	for (; *json; json++) {
		if (*json == '"' && json[-1] != '\\')
			string = !string;
		if (string || !strchr(" \t\n", *json))
			*to++ = *json;
	}
	return out;
}

static void test_round_trip(void **state)
{
	struct spec *a = parse(full), *b;
	autofree char *first = print(a), *second = NULL, *tight = squeeze(first);

	assert_true(a->process.rlimits[0].hard == UINT64_MAX);
	assert_true(a->linux_.seccomp.rules[0].args[0].value == UINT64_MAX - 1);
	assert_true(a->linux_.seccomp.rules[0].args[0].value_two == UINT64_C(1) << 63);
	assert_int_equal(a->process.io_class, 2);
	assert_int_equal(a->process.oom_score_adj, 0);
	assert_int_equal(a->process.caps.bounding, UINT64_C(1) << 40 | 1 << 5);
	assert_string_equal(a->domainname, "d\xc3\xa9\n\"");

	b = parse(first);
	second = print(b);
	assert_string_equal(first, second);
	/* nothing that was given is missing: only the namespaces' order and an escape differ */
	assert_int_equal(strlen(tight), strlen(full) - strlen("\\u00e9") + strlen("\xc3\xa9"));
	spec_free(a);
	spec_free(b);
}

static void test_defaults(void **state)
{
	struct spec *spec = spec_new(), *again;
	autofree char *first = NULL, *second = NULL;
	struct err err = {0};

	assert_int_equal(spec_defaults(spec, &err), 0);
	assert_int_equal(spec_defaults(spec, &err), 0); /* leaves nothing of before */
	assert_int_equal(spec_validate(spec, &err), -EINVAL);
	assert_int_equal(strv_push(&spec->process.args, "true"), 0);
	assert_int_equal(spec_validate(spec, &err), 0);
	first = print(spec);
	again = parse(first);
	second = print(again);
	assert_string_equal(first, second);
	assert_int_equal(again->process.umask, SPEC_UNSET);
	assert_int_equal(again->process.caps.effective, 0x800405fb);
	spec_free(spec);
	spec_free(again);
}

static void test_refused(void **state)
{
	static const struct {
		const char *json, *place;
	} wrong[] = {
		{"{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":3}]}"
		 "}",
			"'linux.namespaces[2].type'"},
		{"{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}",
			"'linux.namespaces[1].type'"},
		{"{\"linux\":{\"namespaces\":[{\"type\":\"disk\"}]}}",
			"'linux.namespaces[0].type'"},
		{"{\"process\":{\"user\":{\"uid\":-1}}}", "'process.user.uid'"},
		{"{\"process\":{\"user\":{\"uid\":4294967296}}}", "'process.user.uid'"},
		{"{\"process\":{\"user\":{\"additionalGids\":[1,\"x\"]}}}",
			"'process.user.additionalGids[1]'"},
		{"{\"process\":{\"rlimits\":[{\"soft\":1.5}]}}", "'process.rlimits[0].soft'"},
		{"{\"process\":{\"args\":\"sh\"}}", "'process.args'"},
		{"{\"process\":{\"args\":[\"sh\",null]}}", "'process.args[1]'"},
		{"{\"process\":{\"terminal\":1}}", "'process.terminal'"},
		{"{\"process\":{\"ioPriority\":{\"class\":\"X\"}}}", "'process.ioPriority.class'"},
		{"{\"hostname\":18446744073709551615}", "'hostname'"},
		{"{\"process\":{\"oomScoreAdj\":18446744073709551615}}", "'process.oomScoreAdj'"},
		{"{\"mounts\":[[]]}", "'mounts[0]'"},
		{"{\"annotations\":{\"a\":1}}", "'annotations.a'"},
		{"{\"hooks\":{\"poststop\":[{\"timeout\":\"1\"}]}}", "'hooks.poststop[0].timeout'"},
		{"{\"linux\":{\"resources\":{\"memory\":{\"limit\":\"1\"}}}}",
			"'linux.resources.memory.limit'"},
		{"{\"linux\":{\"resources\":{\"memory\":{\"limit\":5,\"swap\":4}}}}",
			"'linux.resources.memory.swap'"},
		{"{\"linux\":{\"resources\":{\"devices\":[{\"access\":\"x\"}]}}}",
			"'linux.resources.devices[0].access'"},
		{"{\"linux\":{\"netDevices\":{\"eth0\":\"x\"}}}", "'linux.netDevices.eth0'"},
		{"{\"linux\":{\"netDevices\":{\"eth0\":{\"name\":1}}}}",
			"'linux.netDevices.eth0.name'"},
		{"{\"linux\":{\"memoryPolicy\":{\"nodes\":0}}}", "'linux.memoryPolicy.nodes'"},
		{"{\"linux\":{\"personality\":{\"domain\":\"X\"}}}", "'linux.personality.domain'"},
		{"{\"linux\":{\"intelRdt\":1}}", "'linux.intelRdt'"},
		{"{\"process\":{\"scheduler\":{\"flags\":\"X\"}}}", "'process.scheduler.flags'"},
		{"[]", "(document)"},
		{"{\"hostname\":", "not JSON"},
		{"", "not JSON"},
		{"\"\\", "not JSON"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct spec *spec = NULL;
		struct err err = {0};
		int r = spec_parse(wrong[i].json, strlen(wrong[i].json), &spec, &err);

		if (r != -EINVAL || !strstr(err.text, wrong[i].place))
			fail_msg("%s: %d '%s'", wrong[i].json, r, err.text);
		assert_null(spec);
	}
}

static void test_resources(void **state)
{
	struct spec *spec = parse(
		"{\"linux\":{\"resources\":{"
		"\"unified\":{\"memory.high\":\"7\",\"pids.max\":\"9\"},"
		"\"memory\":{\"limit\":1000,\"swap\":1500,\"reservation\":500,\"swappiness\":0,"
		"\"disableOOMKiller\":false},"
		"\"cpu\":{\"shares\":1024,\"quota\":50000,\"period\":100000,\"cpus\":\"0-1\","
		"\"mems\":\"0\",\"realtimeRuntime\":5,\"idle\":1,\"burst\":10},"
		"\"pids\":{\"limit\":5},"
		"\"blockIO\":{\"weight\":10,\"weightDevice\":[{\"major\":8,\"minor\":0,"
		"\"weight\":1000}],\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":"
		"100}],"
		"\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":16,\"rate\":0}]},"
		"\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4096}],"
		"\"network\":{\"classID\":1,\"priorities\":[{\"name\":\"eth0\",\"priority\":2}]},"
		"\"rdma\":{\"mlx\":{\"hcaHandles\":3}}}}}");
	static const char *const want[][2] = {
		{"memory.max", "1000"},
		{"memory.swap.max", "500"},
		{"memory.low", "500"},
		{"memory.high", "7"},
		{"memory.swappiness", "0"},
		{"cpu.shares", "1024"},
		{"cpu.max", "50000 100000"},
		{"cpu.max.burst", "10"},
		{"cpu.rt.max", "5 1000000"},
		{"cpu.idle", "1"},
		{"cpuset.cpus", "0-1"},
		{"cpuset.mems", "0"},
		{"pids.max", "9"},
		{"io.weight", "default 1\n8:0 10000"},
		{"io.max", "8:0 rbps=100\n8:16 wiops=max"},
		{"hugetlb.2MB.max", "4096"},
		{"net_cls.classid", "1"},
		{"net_prio.ifpriomap", "eth0 2"},
		{"rdma.max", "mlx hca_handle=3"},
	};
	size_t i;

	assert_int_equal(spec->linux_.n_limits, ARRAY_SIZE(want));
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		const char *value = limit(spec, want[i][0]);

		if (!value || strcmp(value, want[i][1]) != 0)
			fail_msg("%s is '%s', not '%s'", want[i][0], value, want[i][1]);
	}
	spec_free(spec);
}

static void test_resources_one_sided(void **state)
{
	static const struct {
		const char *cpu, *value;
	} rows[] = {
		{"\"quota\":30000", "30000"},
		{"\"period\":50000", "max 50000"},
		{"\"quota\":-1", "max"},
		{"\"quota\":-1,\"period\":50000", "max 50000"},
		{"\"quota\":0", NULL},
	};
	char json[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec *spec;
		const char *value;

		snprintf(json, sizeof(json), "{\"linux\":{\"resources\":{\"cpu\":{%s}}}}",
			rows[i].cpu);
		spec = parse(json);
		value = limit(spec, "cpu.max");
		if (rows[i].value)
			assert_string_equal(value, rows[i].value);
		else
			assert_null(value);
		spec_free(spec);
	}
}

static void test_later_limit_wins(void **state)
{
	struct spec_limit limits[] = {{"memory.max", "1"}, {"pids.max", "2"}, {"memory.max", "3"}};
	struct spec *spec = spec_new(), *again;
	autofree char *text = NULL;

	spec->linux_.limits = limits;
	spec->linux_.n_limits = ARRAY_SIZE(limits);
	text = print(spec);
	again = parse(text);
	assert_int_equal(again->linux_.n_limits, 2);
	assert_string_equal(limit(again, "memory.max"), "3");
	spec->linux_.limits = NULL;
	spec->linux_.n_limits = 0;
	spec_free(spec);
	spec_free(again);
}

#define VALID	    "\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"}"
#define LINUX(more) "{" VALID ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]" more "}}"
#define PROCESS(more)                                                                      \
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"," more "}," \
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}"

static void test_validate(void **state)
{
	static const struct {
		const char *json, *word; /* NULL: valid */
	} rows[] = {
		{LINUX(""), NULL},
		{"{" VALID "}", NULL}, /* all namespaces are the caller's */
		{"{\"process\":{}}", "ociVersion"},
		{"{\"ociVersion\":\"2.0\"}", "'2.0'"},
		{PROCESS("\"args\":[]"), "process.args"},
		{PROCESS("\"args\":[\"\"]"), "process.args"},
		{PROCESS("\"cwd\":\"x\""), "process.cwd"},
		{PROCESS("\"env\":[\"A\"]"), "NAME=VALUE"},
		{PROCESS("\"env\":[\"A=\"]"), NULL},
		{PROCESS("\"rlimits\":[{\"type\":\"X\",\"soft\":2,\"hard\":1}]"), "soft limit"},
		{PROCESS("\"rlimits\":[{\"type\":\"X\",\"soft\":1,\"hard\":1},"
			 "{\"type\":\"X\",\"soft\":1,\"hard\":1}]"),
			"twice"},
		{PROCESS("\"oomScoreAdj\":1001"), "oomScoreAdj"},
		{PROCESS("\"user\":{\"umask\":512}"), "umask"},
		{LINUX(",\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]"),
			"user namespace"},
		{LINUX(",\"timeOffsets\":{\"monotonic\":{\"secs\":1}}"), "time namespace"},
		{LINUX(",\"devices\":[{\"path\":\"/dev/../x\",\"type\":\"c\"}]"), "devices[0]"},
		{LINUX(",\"devices\":[{\"path\":\"/dev/x\"}]"), "devices[0]"},
		{LINUX(",\"rootfsPropagation\":\"some\""), "'some'"},
		{LINUX("},\"mounts\":[{\"destination\":\"/a/../b\"}],\"x\":{"), "mounts[0]"},
		{LINUX("},\"mounts\":[{\"destination\":\"/a..b\"}],\"x\":{"), NULL},
		{LINUX("},\"hostname\":\"h\",\"x\":{"), "uts namespace"},
		{LINUX("},\"hooks\":{\"poststop\":[{\"path\":\"x\"}]},\"x\":{"), "hook"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec *spec = parse(rows[i].json);
		struct err err = {0};
		int r = spec_validate(spec, &err);

		if (rows[i].word ? r != -EINVAL || !strstr(err.text, rows[i].word) : r != 0)
			fail_msg("%s: %d '%s'", rows[i].json, r, err.text);
		spec_free(spec);
	}
}

static void test_process(void **state)
{
	static const char json[] = "{\"args\":[\"id\"],\"cwd\":\"/x\",\"user\":{\"uid\":7}}";
	struct spec *spec = parse(full);
	struct err err = {0};

	assert_int_equal(spec_parse_process("{\"args\":1}", 10, spec, &err), -EINVAL);
	assert_string_equal(spec->process.cwd, "/"); /* a failure changes nothing */
	assert_int_equal(spec_parse_process(json, strlen(json), spec, &err), 0);
	assert_string_equal(spec->process.args[0], "id");
	assert_int_equal(spec->process.uid, 7);
	assert_int_equal(spec->process.gid, 0);
	assert_false(spec->process.caps.set);
	assert_int_equal(spec->process.n_rlimits, 0);
	spec_free(spec);
}

static void test_not_utf8(void **state)
{
	struct spec *spec = spec_new();
	struct err err = {0};
	char *text = NULL;

	spec->has_process = true;
	assert_int_equal(strv_push(&spec->process.args, "\xff"), 0);
	assert_int_equal(spec_print(spec, &text, &err), -EILSEQ);
	assert_null(text);
	assert_non_null(strstr(err.text, "'args'"));
	spec_free(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_resources_one_sided),
		cmocka_unit_test(test_later_limit_wins),
		cmocka_unit_test(test_validate),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_not_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

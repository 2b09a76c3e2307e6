// SPDX-License-Identifier: Apache-2.0
/* Capability names, the seccomp filters as a BPF machine runs them, limits, sysctl allow-list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/util.h"
#include "security/security.h"

#ifdef __x86_64__
#define THIS_ARCH AUDIT_ARCH_X86_64
#else
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

/* What the kernel would answer: classic BPF over struct seccomp_data, bpf(4). */
static uint32_t decide(const struct seccomp_prog *p, const struct seccomp_data *data)
{
	uint32_t acc = 0, word;
	size_t pc;

	for (pc = 0; pc < p->len; pc++) {
		const struct sock_filter *f = &p->filter[pc];
		bool yes = false;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k + 4 <= sizeof(*data));
			memcpy(&word, (const char *)data + f->k, 4);
			acc = word;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			acc &= f->k;
			continue;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = acc == f->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = acc > f->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = acc >= f->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = acc & f->k;
			break;
		default:
			fail_msg("instruction %#x", f->code);
		}
		pc += yes ? f->jt : f->jf;
	}
	fail_msg("the program has no end");
	return 0;
}

static uint32_t ask(const struct seccomp_prog *p, int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const struct seccomp_data data = {.nr = nr, .arch = THIS_ARCH, .args = {a0, a1, a2}};

	return decide(p, &data);
}

static struct seccomp_prog compile_default(uint64_t caps)
{
	struct spec_seccomp sc = {0};
	struct seccomp_prog p = {0};
	struct err err = {0};

	if (seccomp_default(caps, &sc, &err) < 0 || seccomp_compile(&sc, &p, &err) < 0)
		fail_msg("%s", err.text);
	spec_seccomp_done(&sc);
	return p;
}

#define DENY(e) (SECCOMP_RET_ERRNO | (e))

static void test_seccomp_default(void **state)
{
	struct seccomp_prog p = compile_default(caps_default());

	assert_int_equal(ask(&p, SYS_read, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, SYS_clone3, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, SYS_chroot, 0, 0, 0), SECCOMP_RET_ALLOW); /* by its capability */
	assert_int_equal(ask(&p, SYS_bpf, 0, 0, 0), DENY(EPERM));
	assert_int_equal(ask(&p, SYS_kexec_load, 0, 0, 0), DENY(EPERM));
	assert_int_equal(ask(&p, SYS_io_uring_setup, 0, 0, 0), DENY(EPERM));
	assert_int_equal(ask(&p, SYS_init_module, 0, 0, 0), DENY(EPERM));
	assert_int_equal(ask(&p, SYS_add_key, 0, 0, 0), DENY(ENOSYS));
	assert_int_equal(ask(&p, 1000, 0, 0, 0), DENY(ENOSYS));
	assert_int_equal(ask(&p, SYS_personality, 8, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, SYS_personality, 0x40000, 0, 0), DENY(ENOSYS));
	assert_int_equal(ask(&p, SYS_socket, AF_NETLINK, 0, 9), DENY(EINVAL));
	assert_int_equal(ask(&p, SYS_socket, AF_NETLINK, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, SYS_socket, AF_INET, 0, 9), SECCOMP_RET_ALLOW);
	seccomp_prog_done(&p);
	assert_null(p.filter);
}

static void test_seccomp_follows_caps(void **state)
{
	struct seccomp_prog p = compile_default(1ull << CAP_SYS_ADMIN | 1ull << CAP_AUDIT_WRITE);

	assert_int_equal(ask(&p, SYS_bpf, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, SYS_sethostname, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, SYS_chroot, 0, 0, 0), DENY(EPERM));
	assert_int_equal(ask(&p, SYS_socket, AF_NETLINK, 0, 9), SECCOMP_RET_ALLOW);
	seccomp_prog_done(&p);
}

static void test_seccomp_wrong_arch(void **state)
{
	struct seccomp_prog p = compile_default(caps_default());
	const struct seccomp_data data = {.nr = SYS_read, .arch = AUDIT_ARCH_S390X};

	assert_int_equal(decide(&p, &data), SECCOMP_RET_KILL);
	seccomp_prog_done(&p);
}

static int compile(const char *json, struct seccomp_prog *ret, struct err *err)
{
	struct spec *spec = NULL;
	int r = spec_parse(json, strlen(json), &spec, err);

	if (r == 0)
		r = seccomp_compile(&spec->linux_.seccomp, ret, err);
	spec_free(spec);
	return r;
}

#define PROFILE(default_, syscalls)                                                                \
	"{\"linux\":{\"seccomp\":{\"defaultAction\":\"" default_ "\",\"syscalls\":[" syscalls "]}" \
	"}}"

static void test_seccomp_rules(void **state)
{
	struct seccomp_prog p = {0};
	struct err err = {0};

	/* conditions on one argument are alternatives; unknown calls and empty rules are skipped */
	assert_int_equal(
		compile(PROFILE("SCMP_ACT_ALLOW",
				"{\"names\":[\"getpid\",\"no_such_call\"],\"action\":"
				"\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"args\":["
				"{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},"
				"{\"index\":0,\"value\":255,\"valueTwo\":18,"
				"\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
				"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
				"{\"names\":[\"write\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"}"),
			&p, &err),
		0);
	assert_int_equal(ask(&p, SYS_getpid, 1, 0, 0), DENY(7));
	assert_int_equal(ask(&p, SYS_getpid, 0x1012, 0, 0), DENY(7));
	assert_int_equal(ask(&p, SYS_getpid, 2, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, SYS_read, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, SYS_write, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	seccomp_prog_done(&p);
}

static void test_seccomp_refused(void **state)
{
	static const struct {
		const char *json, *word;
	} rows[] = {
		{PROFILE("SCMP_ACT_MAYBE", ""), "SCMP_ACT_MAYBE"},
		{PROFILE("SCMP_ACT_NOTIFY", ""), "default"},
		{PROFILE("SCMP_ACT_ALLOW", "{\"names\":[\"read\"],\"action\":\"X\"}"), "'X'"},
		{PROFILE("SCMP_ACT_ALLOW",
			 "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":5000}"),
			"5000"},
		{PROFILE("SCMP_ACT_ALLOW", "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\","
					   "\"args\":[{\"index\":6,"
					   "\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}"),
			"argument 6"},
		{PROFILE("SCMP_ACT_ALLOW", "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}"),
			"listenerPath"},
		{"{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}}"
		 "}",
			"'X'"},
		{"{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\","
		 "\"architectures\":[\"SCMP_ARCH_PDP11\"]}}}",
			"PDP11"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seccomp_prog p = {0};
		struct err err = {0};
		int r = compile(rows[i].json, &p, &err);

		if (r != -EINVAL || !strstr(err.text, rows[i].word))
			fail_msg("%s: %d '%s'", rows[i].json, r, err.text);
	}
}

static void test_seccomp_load(void **state)
{
	struct seccomp_prog p = compile_default(caps_default());
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int listener = 0;

		if (creds_no_new_privileges(NULL) < 0 || seccomp_prog_load(&p, &listener, NULL) < 0)
			_exit(10);
		if (listener != -EBADF)
			_exit(11);
		_exit(syscall(SYS_kexec_load, 0, 0, 0, 0) < 0 && errno == EPERM ? 0 : 12);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	seccomp_prog_done(&p);
}

static void test_seccomp_cache(void **state)
{
	char dir[] = "/tmp/kist-test-XXXXXX", *name = NULL;
	struct spec_seccomp sc = {0};
	struct seccomp_prog a = {0}, b = {0};
	struct err err = {0};
	struct dirent *entry;
	struct stat st;
	int fd, file;
	DIR *d;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(seccomp_default(0, &sc, &err), 0);
	assert_int_equal(seccomp_compile_cached(&sc, fd, &a, &err), 0);
	d = opendir(dir);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.') {
			assert_null(name);
			name = strdup(entry->d_name);
		}
	closedir(d);
	assert_non_null(name);

	/* what is there is taken, not compiled again */
	assert_int_equal(seccomp_compile_cached(&sc, fd, &b, &err), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.filter, b.filter, a.len * sizeof(*a.filter));
	assert_int_equal(fstatat(fd, name, &st, 0), 0);
	seccomp_prog_done(&b);

	/* a damaged file is compiled anew, and so is one that others may write */
	file = openat(fd, name, O_RDWR);
	assert_int_equal(pwrite(file, "x", 1, st.st_size - 1), 1);
	assert_int_equal(seccomp_compile_cached(&sc, fd, &b, &err), 0);
	assert_memory_equal(a.filter, b.filter, a.len * sizeof(*a.filter));
	seccomp_prog_done(&b);
	close(file);
	assert_int_equal(fchmodat(fd, name, 0666, 0), 0);
	assert_int_equal(seccomp_compile_cached(&sc, fd, &b, &err), 0);
	assert_int_equal(fstatat(fd, name, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	seccomp_prog_done(&b);

	/* another filter has another name */
	assert_int_equal(seccomp_default(1ull << CAP_SYS_ADMIN, &sc, &err), 0);
	assert_int_equal(seccomp_compile_cached(&sc, fd, &b, &err), 0);
	assert_int_equal(ask(&b, SYS_bpf, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&a, SYS_bpf, 0, 0, 0), DENY(EPERM));
	seccomp_prog_done(&a);
	seccomp_prog_done(&b);
	spec_seccomp_done(&sc);
	d = opendir(dir);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			assert_int_equal(unlinkat(fd, entry->d_name, 0), 0);
	closedir(d);
	close(fd);
	assert_int_equal(rmdir(dir), 0);
	free(name);
}

static void test_caps_names(void **state)
{
	int cap, n;

	for (cap = 0; caps_name(cap); cap++) {
		assert_int_equal(caps_from_name(caps_name(cap), &n), 0);
		assert_int_equal(n, cap);
	}
	assert_int_equal(cap, CAP_CHECKPOINT_RESTORE + 1);
	assert_null(caps_name(-1));
	assert_int_equal(caps_from_name("net_raw", &n), 0);
	assert_int_equal(n, CAP_NET_RAW);
	assert_int_equal(caps_from_name("CAP_FLY", &n), -EINVAL);
	assert_int_equal(caps_default(), 0x800405fb);
}

/* Only as root: otherwise there is nothing to drop. */
static void test_caps_apply(void **state)
{
	const struct spec_caps want = {
		.set = true,
		.bounding = 1ull << CAP_KILL | 1ull << CAP_CHOWN,
		.permitted = 1ull << CAP_KILL | 1ull << CAP_CHOWN,
		.effective = 1ull << CAP_KILL,
		.inheritable = 1ull << CAP_KILL,
		.ambient = 1ull << CAP_KILL,
	};
	const struct spec_process who = {.uid = 1000, .gid = 1000, .umask = 027};
	pid_t pid;
	int status;

	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		struct spec_caps got = {0};
		struct err err = {0};

		if (caps_apply_bounding(&want, &err) < 0 || creds_apply(&who, &err) < 0 ||
			caps_apply(&want, &err) < 0 || caps_get(&got, &err) < 0)
			_exit(10);
		if (getuid() != 1000 || getgid() != 1000 || umask(0) != 027)
			_exit(11);
		_exit(got.bounding == want.bounding && got.permitted == want.permitted &&
					got.effective == want.effective &&
					got.inheritable == want.inheritable &&
					got.ambient == want.ambient
				? 0
				: 12);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_rlimit(void **state)
{
	struct spec_rlimit low = {.type = (char *)"RLIMIT_NOFILE", .soft = 20, .hard = 30};
	struct spec_rlimit unknown = {.type = (char *)"RLIMIT_FUN"};
	struct rlimit got;
	struct err err = {0};
	pid_t pid;
	int n, status;

	assert_int_equal(rlimit_from_name("RLIMIT_RTTIME", &n), 0);
	assert_int_equal(n, RLIMIT_RTTIME);
	assert_int_equal(rlimit_apply(&unknown, 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "RLIMIT_FUN"));
	pid = fork();
	if (pid == 0) {
		if (rlimit_apply(&low, 1, &err) < 0 || getrlimit(RLIMIT_NOFILE, &got) < 0)
			_exit(10);
		_exit(got.rlim_cur == 20 && got.rlim_max == 30 ? 0 : 11);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_sysctl_allow_list(void **state)
{
	static const struct {
		const char *key;
		int without_ns, with_ns;
	} rows[] = {
		{"net.ipv4.ip_forward", -EPERM, 0},
		{"net/ipv4/conf/eth0.5/mtu", -EPERM, 0},
		{"kernel.shmmax", -EPERM, 0},
		{"fs.mqueue.msg_max", -EPERM, 0},
		{"kernel.domainname", -EPERM, 0},
		{"kernel.core_pattern", -EPERM, -EPERM},
		{"kernel.shmmaxx", -EPERM, -EPERM},
		{"kernel", -EPERM, -EPERM},
		{"net", -EPERM, -EPERM},
		{"net/../kernel/core_pattern", -EPERM, -EPERM},
		{"net.//.kernel.core_pattern", -EPERM, -EPERM},
		{"fs/mqueue/../../kernel/core_pattern", -EPERM, -EPERM},
		{"", -EPERM, -EPERM},
		{"vm.overcommit_memory", -EPERM, -EPERM},
	};
	struct spec_sysctl s = {.value = (char *)"1"};
	struct spec *spec = spec_new();
	size_t i, ns;

	spec->linux_.sysctls = &s;
	spec->linux_.n_sysctls = 1;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		s.key = (char *)rows[i].key;
		for (ns = 0; ns < SPEC_NS_COUNT; ns++)
			spec->linux_.ns[ns].enabled = false;
		assert_int_equal(sysctl_check(spec, NULL), rows[i].without_ns);
		for (ns = 0; ns < SPEC_NS_COUNT; ns++)
			spec->linux_.ns[ns].enabled = true;
		assert_int_equal(sysctl_check(spec, NULL), rows[i].with_ns);
	}
	spec->linux_.sysctls = NULL;
	spec->linux_.n_sysctls = 0;
	spec_free(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caps_names),
		cmocka_unit_test(test_caps_apply),
		cmocka_unit_test(test_seccomp_default),
		cmocka_unit_test(test_seccomp_follows_caps),
		cmocka_unit_test(test_seccomp_wrong_arch),
		cmocka_unit_test(test_seccomp_rules),
		cmocka_unit_test(test_seccomp_refused),
		cmocka_unit_test(test_seccomp_load),
		cmocka_unit_test(test_seccomp_cache),
		cmocka_unit_test(test_rlimit),
		cmocka_unit_test(test_sysctl_allow_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

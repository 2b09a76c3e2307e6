// SPDX-License-Identifier: Apache-2.0
/* Users, groups, capabilities, no_new_privs, dumpable: the credentials of three different
 * processes. */
#include <grp.h>
#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "cr.h"

static const char *const keys[] = {"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd",
	"CapAmb", "NoNewPrivs", "Seccomp"};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

struct creds {
	char value[KEYS][256];
	int securebits, dumpable, keepcaps;
};

static void get(struct creds *c)
{
	char *text = cr_read_file("/proc/self/status");
	size_t i;

	MUST(text);
	for (i = 0; i < KEYS; i++)
		cr_field(text, keys[i], c->value[i], sizeof(c->value[i]));
	free(text);
	c->securebits = prctl(PR_GET_SECUREBITS);
	c->dumpable = prctl(PR_GET_DUMPABLE);
	c->keepcaps = prctl(PR_GET_KEEPCAPS);
}

static void compare(const struct creds *was, const char *who)
{
	struct creds now;
	size_t i;

	get(&now);
	for (i = 0; i < KEYS; i++)
		CHECK(strcmp(now.value[i], was->value[i]) == 0, "%s: %s '%s', not '%s'", who,
			keys[i], now.value[i], was->value[i]);
	CHECK_EQ(now.securebits, was->securebits);
	CHECK_EQ(now.dumpable, was->dumpable);
	CHECK_EQ(now.keepcaps, was->keepcaps);
}

/* An ordinary user with many groups that gained nothing more. */
static void as_user(void)
{
	gid_t groups[] = {7, 77, 777, 65535};

	MUST(setgroups(4, groups) == 0);
	MUST(setresgid(1001, 1002, 1003) == 0 && setresuid(2001, 2002, 2003) == 0);
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

/* Root without most capabilities; one is ambient. */
static void as_partial(void)
{
	cap_t caps = cap_from_text("cap_chown,cap_kill,cap_setpcap=ep cap_kill=eip");

	MUST(caps && prctl(PR_CAPBSET_DROP, CAP_SYS_CHROOT, 0, 0, 0) == 0);
	MUST(cap_set_proc(caps) == 0);
	MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0);
	MUST(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NOROOT) == 0);
	MUST(prctl(PR_SET_DUMPABLE, 0) == 0);
	cap_free(caps);
}

static pid_t child(void (*become)(void), const char *who)
{
	struct creds was;
	pid_t pid = cr_fork();

	if (pid)
		return pid;
	become();
	get(&was);
	cr_child_ready();
	cr_wait_go();
	compare(&was, who);
	_exit(cr_done());
}

int main(int argc, char **argv)
{
	struct creds was;
	pid_t user, partial;

	cr_init(argc, argv);
	if (geteuid() != 0)
		cr_skip("not root");
	MUST(chmod(cr_path("."), 0755) == 0); /* another user looks for `go` */
	user = child(as_user, "user");
	partial = child(as_partial, "partial root");
	get(&was);
	cr_wait();
	compare(&was, "main");
	cr_reap(user);
	cr_reap(partial);
	return cr_done();
}

// SPDX-License-Identifier: Apache-2.0
/* Containers without one running: names, parameters as JSON, state files, removal, signals' names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/util.h"
#include "cli/names.h"
#include "container/container-internal.h"
#include "container/dirs.h"
#include "tty/tty.h"

static void test_names(void **state)
{
	static const char *const good[] = {"a", "A_b+c-d.e", "0", "_x"};
	static const char *const bad[] = {"", ".", "..", ".x", "-x", "a/b", "a b", "ä", "a\n"};
	char longest[66];
	char *made;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(container_name_check(good[i], NULL), 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(container_name_check(bad[i], NULL), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[65] = '\0';
	assert_int_equal(container_name_check(longest, NULL), -EINVAL);
	longest[64] = '\0';
	assert_int_equal(container_name_check(longest, NULL), 0);
	for (i = 0; i < 100; i++) {
		assert_int_equal(container_name_make(&made, NULL), 0);
		assert_int_equal(container_name_check(made, NULL), 0);
		free(made);
	}
}

static struct container_params *sample(void)
{
	struct container_params *p = container_params_new();
	struct err err = {0};

	assert_non_null(p);
	assert_int_equal(spec_defaults(p->spec, &err), 0);
	assert_int_equal(strv_push(&p->spec->process.args, "true"), 0);
	p->name = strdup("sample");
	p->rootfs = ROOTFS_OVERLAY;
	p->spec->root_path = strdup("/srv/root");
	p->bundle = strdup("/srv");
	p->net = CONTAINER_NET_BRIDGE;
	p->address = strdup("10.87.0.9");
	p->ports = calloc(2, sizeof(*p->ports));
	p->n_ports = 2;
	p->ports[0] = (struct net_port){8080, 80, IPPROTO_TCP, "127.0.0.1"};
	p->ports[1] = (struct net_port){53, 53, IPPROTO_UDP, ""};
	p->detach = p->init = p->idmap = true;
	p->log_max = 123456;
	p->userns_size = 65536;
	return p;
}

static void test_params_round_trip(void **state)
{
	struct container_params *p = sample(), *q;
	json_t *a, *b;

	assert_int_equal(container_params_to_json(p, &a, NULL), 0);
	assert_int_equal(container_params_from_json(a, &q, NULL), 0);
	assert_int_equal(container_params_to_json(q, &b, NULL), 0);
	assert_true(json_equal(a, b));
	assert_string_equal(q->name, "sample");
	assert_int_equal(q->net, CONTAINER_NET_BRIDGE);
	assert_int_equal(q->n_ports, 2);
	assert_int_equal(q->ports[1].protocol, IPPROTO_UDP);
	assert_string_equal(q->ports[0].host_ip, "127.0.0.1");
	assert_true(q->detach && q->init && q->idmap && !q->interactive && !q->remove);
	assert_int_equal(q->log_max, 123456);
	json_decref(a);
	json_decref(b);
	container_params_free(p);
	container_params_free(q);
}

static void test_params_refused(void **state)
{
	static const struct {
		const char *key, *value;
	} wrong[] = {
		{"rootfs", "\"floppy\""},
		{"rootfs", "7"},
		{"net", "null"},
		{"logMax", "-1"},
		{"usernsSize", "4294967296"},
		{"bundle", "[]"},
		{"spec", "\"x\""},
		{"spec", "{\"ociVersion\": 7}"},
		{"ports", "[{\"host\": 0, \"container\": 1, \"protocol\": \"tcp\", \"hostIp\": "
			  "\"\"}]"},
		{"ports", "[{\"host\": 1, \"container\": 65536, \"protocol\": \"tcp\", \"hostIp\": "
			  "\"\"}]"},
		{"ports", "[1]"},
	};
	struct container_params *p = sample(), *q = NULL;
	struct err err;
	json_t *good;
	size_t i;

	assert_int_equal(container_params_to_json(p, &good, NULL), 0);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *j = json_deep_copy(good);

		json_object_set_new(
			j, wrong[i].key, json_loads(wrong[i].value, JSON_DECODE_ANY, NULL));
		err = (struct err){0};
		assert_true(container_params_from_json(j, &q, &err) < 0);
		assert_true(err.code < 0 && err.text[0]);
		assert_null(q);
		json_decref(j);
	}
	json_decref(good);
	container_params_free(p);
}

static int setup(void **state)
{
	char *dir = strdup("/tmp/kist-test-XXXXXX");

	if (!mkdtemp(dir) || setenv("KIST_ROOT", dir, 1) < 0)
		return -1;
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	struct err err = {0};
	int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || container_tree_clear(fd, &err) < 0 || rmdir(*state) < 0)
		return -1;
	(void)close(fd);
	free(*state);
	return 0;
}

static void test_state(void **state)
{
	struct container *c = container_new("one"), *d, *e;
	struct err err = {0};
	char **names;

	assert_int_equal(container_list(&names, &err), 0);
	assert_null(names[0]);
	strv_free(names);
	assert_int_equal(container_open("one", &d, &err), -ENOENT);
	assert_int_equal(container_dir_make(c, &err), 0);
	e = container_new("one");
	assert_int_equal(container_dir_make(e, &err), -EEXIST);
	container_free(e);

	/* Locked and without a state, it is being made; unlocked, it is a leftover. */
	assert_int_equal(container_open("one", &d, &err), 0);
	assert_int_equal(d->status, CONTAINER_CREATING);
	container_free(d);
	c->params = sample();
	c->status = CONTAINER_RUNNING;
	c->pid = getpid();
	c->start_time = 1; /* not ours: the pid was given anew */
	c->created = 77;
	strcpy(c->stdio[1], "pipe:[5]");
	c->net_attached = true;
	strcpy(c->net.address, "10.87.0.9");
	c->net.prefix = 16;
	assert_int_equal(container_save(c, &err), 0);
	container_unlock(c);
	assert_int_equal(container_save(c, &err), -EBUSY);

	assert_int_equal(container_open("one", &d, &err), 0);
	assert_int_equal(d->status, CONTAINER_STOPPED);
	assert_int_equal(d->pidfd, -EBADF);
	assert_int_equal(d->exit_status, -1);
	assert_int_equal(d->created, 77);
	assert_string_equal(d->stdio[1], "pipe:[5]");
	assert_true(d->net_attached);
	assert_string_equal(d->net.address, "10.87.0.9");
	/* a state directory of one's own is told from the others */
	assert_int_equal(strncmp(d->cgroup, "/kist/one@", 10), 0);
	assert_int_equal(strlen(d->cgroup), 18);
	container_free(d);
	container_free(c);

	assert_int_equal(container_list(&names, &err), 0);
	assert_string_equal(names[0], "one");
	assert_null(names[1]);
	strv_free(names);
}

static void test_damaged_state(void **state)
{
	struct container *c;
	struct err err = {0};

	assert_int_equal(container_open_locked("one", &c, &err), 0);
	assert_int_equal(file_swap_at(c->dir_fd, STATE_FILE, "{}", 2, 0600), 0);
	container_free(c);
	assert_int_equal(container_open("one", &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "damaged"));
	assert_int_equal(container_open_any("one", &c, &err), 0);
	assert_int_equal(container_dir_remove(c, &err), 0);
	container_free(c);
	assert_int_equal(container_open("one", &c, &err), -ENOENT);
}

/* Deeper than there are fds, links that lead out, and names that are no directories. */
static void test_tree_clear(void **state)
{
	char keep[64], *dir = *state;
	struct err err = {0};
	int fd, top, i, next;

	snprintf(keep, sizeof(keep), "%s-keep", dir);
	assert_int_equal(mkdir(keep, 0700), 0);
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(top, "tree", 0700), 0);
	fd = openat(top, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		assert_int_equal(symlinkat(keep, fd, "link"), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	assert_int_equal(container_tree_clear(top, &err), 0);
	assert_int_equal(faccessat(top, "tree", F_OK, 0), -1);
	(void)close(top);
	assert_int_equal(rmdir(keep), 0); /* is still there, and was empty */
}

static void test_signals(void **state)
{
	int sig;

	assert_int_equal(names_signal("TERM", &sig, NULL), 0);
	assert_int_equal(sig, SIGTERM);
	assert_int_equal(names_signal("SIGKILL", &sig, NULL), 0);
	assert_int_equal(sig, SIGKILL);
	assert_int_equal(names_signal("1", &sig, NULL), 0);
	assert_int_equal(sig, SIGHUP);
	assert_int_equal(names_signal("RTMIN+2", &sig, NULL), 0);
	assert_int_equal(sig, SIGRTMIN + 2);
	assert_int_equal(names_signal("RTMAX", &sig, NULL), 0);
	assert_int_equal(sig, SIGRTMAX);
	assert_int_equal(names_signal("RTMIN+99", &sig, NULL), -EINVAL);
	assert_int_equal(names_signal("RTMIN-1", &sig, NULL), -EINVAL);
	assert_int_equal(names_signal("0", &sig, NULL), -EINVAL);
	assert_int_equal(names_signal("65", &sig, NULL), -EINVAL);
	assert_int_equal(names_signal("NOPE", &sig, NULL), -EINVAL);
}

static void test_pump(void **state)
{
	struct tty_pump p = {0};
	char got[8] = "";
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_NONBLOCK), 0);
	assert_int_equal(pipe2(out, O_NONBLOCK), 0);
	p.from = in[0];
	p.to = out[1];
	assert_true(tty_pump_wants_read(&p) && !tty_pump_wants_write(&p));
	tty_pump_read(&p); /* nothing there is not the end */
	assert_false(p.eof);
	assert_int_equal(write(in[1], "abc", 3), 3);
	tty_pump_read(&p);
	assert_true(!tty_pump_wants_read(&p) && tty_pump_wants_write(&p));
	assert_int_equal(tty_pump_write(&p), 0);
	assert_int_equal(read(out[0], got, sizeof(got)), 3);
	assert_string_equal(got, "abc");
	(void)close(in[1]);
	tty_pump_read(&p);
	assert_true(p.eof && !tty_pump_wants_read(&p) && !tty_pump_wants_write(&p));
	(void)close(in[0]);
	(void)close(out[0]);
	(void)close(out[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_params_round_trip),
		cmocka_unit_test(test_params_refused),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_damaged_state),
		cmocka_unit_test(test_tree_clear),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_pump),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

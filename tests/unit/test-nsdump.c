// SPDX-License-Identifier: Apache-2.0
/* Records of namespaces that no dump would write are refused before anything is made of them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "cr/nsdump/mount-internal.h"

/* Writes the records, reads them back, and prepares a restore. */
static int prepare(enum record_type type, ProtobufCMessage **msgs, struct err *err)
{
	char dir[] = "/tmp/kist-nsdump-XXXXXX";
	struct spec *spec = spec_new();
	struct image_writer *w;
	struct image *img;
	int fd, r;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(image_writer_new(fd, &w, err), 0);
	for (; *msgs; msgs++)
		assert_int_equal(image_put(w, type, *msgs, err), 0);
	assert_int_equal(image_writer_finish(w, err), 0);
	image_writer_free(w);
	assert_int_equal(image_open(fd, &img, err), 0);
	r = nsdump_restore_prepare(img, spec, -EBADF, false, err);
	image_free(img);
	spec_free(spec);
	assert_int_equal(unlinkat(fd, "state.pb", 0), 0);
	assert_int_equal(unlinkat(fd, "manifest.json", 0), 0);
	close(fd);
	assert_int_equal(rmdir(dir), 0);
	return r;
}

static ProtobufCBinaryData text(const char *s)
{
	return (ProtobufCBinaryData){.len = strlen(s), .data = (uint8_t *)s};
}

static Kist__TreeEntry entry(uint32_t number, uint32_t parent, const char *name, uint32_t mode)
{
	Kist__TreeEntry e = KIST__TREE_ENTRY__INIT;

	e.number = number;
	e.parent = parent;
	e.name = text(name);
	e.mode = mode;
	return e;
}

/* A root, a directory "d", a file "f" in it, and @odd as the fourth. */
static int prepare_tree(Kist__TreeEntry odd, struct err *err)
{
	Kist__TreeEntry root = entry(1, 0, "", S_IFDIR | 0755), d = entry(2, 1, "d", S_IFDIR),
			f = entry(3, 2, "f", S_IFREG);
	ProtobufCMessage *msgs[] = {&root.base, &d.base, &f.base, &odd.base, NULL};

	return prepare(RECORD_TMPFS, msgs, err);
}

static void test_tree_entries(void **state)
{
	static const char *const bad_names[] = {"", ".", "..", "a/b", "/etc/passwd"};
	struct err err = {0};
	Kist__TreeEntry e;
	size_t i;

	assert_int_equal(prepare_tree(entry(4, 2, "ok", S_IFREG), &err), 0);
	for (i = 0; i < ARRAY_SIZE(bad_names); i++)
		assert_int_equal(prepare_tree(entry(4, 2, bad_names[i], S_IFREG), &err), -EBADMSG);
	assert_non_null(strstr(err.text, "impossible file entry 4"));
	assert_int_equal(prepare_tree(entry(4, 3, "in-a-file", S_IFREG), &err), -EBADMSG);
	assert_int_equal(prepare_tree(entry(4, 4, "self", S_IFREG), &err), -EBADMSG);
	assert_int_equal(prepare_tree(entry(4, 0, "second-root", S_IFREG), &err), -EBADMSG);
	assert_int_equal(prepare_tree(entry(5, 2, "gap", S_IFREG), &err), -EBADMSG);
	e = entry(4, 2, "content", S_IFREG);
	e.has_object = true;
	e.object = 9;
	assert_int_equal(prepare_tree(e, &err), -EBADMSG);
	e = entry(4, 2, "other-name", S_IFREG);
	e.has_same_as = true;
	e.same_as = 3;
	assert_int_equal(prepare_tree(e, &err), 0);
	e.same_as = 2; /* a directory has one name */
	assert_int_equal(prepare_tree(e, &err), -EBADMSG);
	e.same_as = 4;
	assert_int_equal(prepare_tree(e, &err), -EBADMSG);
	e = entry(4, 2, "link", S_IFLNK);
	assert_int_equal(prepare_tree(e, &err), -EBADMSG);
}

static int prepare_mount(
	const char *fstype, const char *place, Kist__MountOrigin origin, struct err *err)
{
	Kist__Mount m = KIST__MOUNT__INIT;
	ProtobufCMessage *msgs[] = {&m.base, NULL};

	m.number = 1;
	m.origin = origin;
	m.mountpoint = text(place);
	m.root = text("/");
	m.fstype = (char *)fstype;
	m.options = (char *)"rw";
	return prepare(RECORD_MOUNT, msgs, err);
}

static void test_mounts(void **state)
{
	struct err err = {0};

	assert_int_equal(prepare_mount("tmpfs", "/x", KIST__MOUNT_ORIGIN__INSIDE, &err), 0);
	assert_int_equal(prepare_mount("ext4", "/x", KIST__MOUNT_ORIGIN__INSIDE, &err), -EBADMSG);
	assert_int_equal(prepare_mount("ext4", "/x", KIST__MOUNT_ORIGIN__CREATED, &err), 0);
	assert_int_equal(prepare_mount("tmpfs", "x", KIST__MOUNT_ORIGIN__INSIDE, &err), -EBADMSG);
}

static void test_sysctls(void **state)
{
	Kist__Sysctl m = KIST__SYSCTL__INIT;
	ProtobufCMessage *msgs[] = {&m.base, NULL};
	struct err err = {0};

	m.name = (char *)"kernel/core_pattern";
	m.value = (char *)"|/bin/sh";
	assert_int_equal(prepare(RECORD_SYSCTL, msgs, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "kernel/core_pattern"));
	m.name = (char *)"kernel/msgmax";
	assert_int_equal(prepare(RECORD_SYSCTL, msgs, &err), 0);
}

static void test_clock_offsets(void **state)
{
	Kist__Time m = KIST__TIME__INIT;
	ProtobufCMessage *msgs[] = {&m.base, NULL};
	struct err err = {0};

	m.monotonic_ns = UINT64_MAX;
	assert_int_equal(prepare(RECORD_TIME, msgs, &err), -EBADMSG);
}

static void test_idmap(void **state)
{
	struct idmap m;

	assert_int_equal(idmap_parse("         0     100000      1000\n  1000 0 1\n", &m), 0);
	assert_int_equal(m.n, 2);
	assert_int_equal(idmap_inside(&m, 100999), 999);
	assert_int_equal(idmap_inside(&m, 101000), IDMAP_NONE);
	assert_int_equal(idmap_inside(&m, 0), 1000);
	assert_int_equal(idmap_outside(&m, 5), 100005);
	assert_int_equal(idmap_outside(&m, 1001), IDMAP_NONE);
	assert_int_equal(idmap_parse("0 1", &m), -EINVAL);
	assert_int_equal(idmap_parse("0 0 4294967295", &m), 0);
	assert_int_equal(idmap_inside(&m, 4294967294u), 4294967294u);
}

static void test_mountinfo(void **state)
{
	static const char lines[] =
		"20 1 0:5 / / rw,relatime shared:7 master:3 - ext4 /dev/a rw\n"
		"21 20 0:6 /sub /a\\040b ro,nosuid,noatime - tmpfs t rw,size=4k\n"
		"22 21 0:7 / /a\\040b rw - tmpfs t rw\n";
	struct mounts m;
	struct err err = {0};

	assert_int_equal(mounts_parse(strdup(lines), &m, &err), 0);
	assert_int_equal(m.n, 3);
	assert_int_equal(mount_group(&m.v[0], "shared"), 7);
	assert_int_equal(mount_group(&m.v[0], "master"), 3);
	assert_int_equal(mount_group(&m.v[1], "shared"), 0);
	assert_string_equal(m.v[1].mountpoint, "/a b");
	assert_int_equal(mounts_nth(&m, 1), 0);
	assert_int_equal(mounts_nth(&m, 2), 1);
	assert_int_equal(mount_attrs("rw,relatime"), 0);
	assert_int_equal(mount_attrs("ro,nosuid,noatime"), 0x01 | 0x02 | 0x10);
	mounts_done(&m);
	assert_int_equal(mounts_parse(strdup("5 9 0:1 / /c rw - a b rw\n7 1 0:1 / / rw - a b rw\n"
					     "9 7 0:1 / /p rw - a b rw\n"),
				 &m, &err),
		0);
	assert_int_equal(m.v[0].id, 7);
	assert_int_equal(m.v[1].id, 9);
	assert_int_equal(m.v[2].id, 5);
	mounts_done(&m);
	assert_int_equal(mounts_parse(strdup("nonsense\n"), &m, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree_entries),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_sysctls),
		cmocka_unit_test(test_clock_offsets),
		cmocka_unit_test(test_idmap),
		cmocka_unit_test(test_mountinfo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

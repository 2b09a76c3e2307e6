// SPDX-License-Identifier: Apache-2.0
/* inotify: watches under their numbers and masks (holes in the numbers), and that they report. */
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "cr.h"

static void event(int fd, int wd, uint32_t mask, const char *name)
{
	char space[sizeof(struct inotify_event) + 256];
	struct inotify_event *ev = (struct inotify_event *)space;

	memset(space, 0, sizeof(space));
	/* one event at a time: the next one does not fit beside it */
	if (read(fd, space, sizeof(*ev) + 16) <= 0) {
		CHECK(0, "no event 0x%x of watch %d: %m", mask, wd);
		return;
	}
	CHECK(ev->wd == wd && (ev->mask & mask) == mask, "watch %d, mask 0x%x; not %d, 0x%x",
		ev->wd, ev->mask, wd, mask);
	CHECK(strcmp(ev->len ? ev->name : "", name) == 0, "name '%s', not '%s'", ev->name, name);
}

static void touch(const char *name)
{
	int fd = open(cr_path(name), O_WRONLY | O_CREAT, 0600);

	MUST(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
}

int main(int argc, char **argv)
{
	int fd, dir, file, dropped, again;
	char c;

	cr_init(argc, argv);
	MUST(mkdir(cr_path("watched"), 0700) == 0);
	touch("file");
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	MUST(fd >= 0);
	dropped = inotify_add_watch(fd, cr_path("file"), IN_ACCESS);
	MUST(inotify_rm_watch(fd, dropped) == 0); /* a hole in the numbers */
	event(fd, dropped, IN_IGNORED, "");
	dir = inotify_add_watch(fd, cr_path("watched"), IN_CREATE | IN_DELETE | IN_ONLYDIR);
	file = inotify_add_watch(fd, cr_path("file"), IN_MODIFY);
	MUST(dir > dropped && file > dir);
	touch("watched/early");
	event(fd, dir, IN_CREATE, "early");
	cr_wait();
	CHECK(read(fd, &c, 1) < 0 && errno == EAGAIN, "an event from nowhere");
	touch("watched/later");
	event(fd, dir, IN_CREATE, "later");
	touch("file");
	event(fd, file, IN_MODIFY, "");
	MUST(unlink(cr_path("watched/early")) == 0);
	event(fd, dir, IN_DELETE, "early");
	again = inotify_add_watch(fd, cr_path("watched"), IN_CREATE);
	CHECK_EQ(again, dir);
	CHECK(inotify_rm_watch(fd, file) == 0, "remove: %m");
	event(fd, file, IN_IGNORED, "");
	return cr_done();
}

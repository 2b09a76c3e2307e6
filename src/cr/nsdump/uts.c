// SPDX-License-Identifier: Apache-2.0
/* Host and domain name, uts_namespaces(7). */
#include <sched.h>
#include <sys/utsname.h>

#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"

int uts_save(struct nsdump *d, struct err *err)
{
	Kist__Uts msg = KIST__UTS__INIT;
	struct utsname u;
	struct visit v;
	int r;

	r = visit_enter(&v, d->env->proc_pid_fd, "uts", CLONE_NEWUTS, err);
	if (r < 0)
		return r;
	r = uname(&u) < 0 ? err_set(err, -errno, "cannot read the container's names") : 0;
	visit_leave(&v);
	if (r < 0)
		return r;
	msg.nodename.data = (uint8_t *)u.nodename;
	msg.nodename.len = strlen(u.nodename);
	msg.domainname.data = (uint8_t *)u.domainname;
	msg.domainname.len = strlen(u.domainname);
	return image_put(d->w, RECORD_UTS, &msg.base, err);
}

int uts_check(const struct image *img, struct err *err)
{
	const Kist__Uts *msg = (const Kist__Uts *)image_get(img, RECORD_UTS, 0);
	const size_t max = sizeof(((struct utsname *)0)->nodename) - 1;

	if (image_count(img, RECORD_UTS) > 1 ||
		(msg && (msg->nodename.len > max || msg->domainname.len > max)))
		return err_setx(err, -EBADMSG, "the image is damaged: impossible host name");
	return 0;
}

int uts_restore(const struct image *img, struct err *err)
{
	const Kist__Uts *msg = (const Kist__Uts *)image_get(img, RECORD_UTS, 0);

	if (!msg)
		return 0;
	if (sethostname(msg->nodename.len ? (const char *)msg->nodename.data : "",
		    msg->nodename.len) < 0)
		return err_set(err, -errno, "cannot set the host name");
	if (setdomainname(msg->domainname.len ? (const char *)msg->domainname.data : "",
		    msg->domainname.len) < 0)
		return err_set(err, -errno, "cannot set the domain name");
	return 0;
}

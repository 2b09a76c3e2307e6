// SPDX-License-Identifier: Apache-2.0
/* See options.h: what is said of one process, by `run` and by `exec`. */
#include "cli/options.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/parse.h"
#include "base/util.h"

int option_user(struct spec_process *p, const char *value, struct err *err)
{
	autofree char *uid = strndup(value, strcspn(value, ":"));
	const char *gid = strchr(value, ':');

	if (!uid)
		return err_oom(err);
	if (parse_u32(uid, 10, &p->uid) < 0 || (gid && parse_u32(gid + 1, 10, &p->gid) < 0)) {
		err_setx(err, -EINVAL, "'%s' is not UID[:GID]", value);
		return err_hint(err, "both are numbers: names mean what the container's own "
				     "/etc/passwd says");
	}
	return 0;
}

int option_env(struct spec_process *p, const char *value, struct err *err)
{
	autofree char *entry = NULL;
	const char *own;

	if (!*value || *value == '=')
		return err_setx(err, -EINVAL, "'%s' is not NAME=VALUE", value);
	if (strchr(value, '='))
		return env_put(&p->env, value) < 0 ? err_oom(err) : 0;
	own = getenv(value);
	if (!own)
		return 0;
	if (asprintf(&entry, "%s=%s", value, own) < 0) {
		entry = NULL;
		return err_oom(err);
	}
	return env_put(&p->env, entry) < 0 ? err_oom(err) : 0;
}

void option_tty(struct spec_process *p)
{
	struct winsize ws;

	p->terminal = true;
	if (ioctl(0, TIOCGWINSZ, &ws) < 0)
		return;
	p->rows = ws.ws_row;
	p->columns = ws.ws_col;
}

int option_home(struct spec_process *p, struct err *err)
{
	char *const *e;

	for (e = p->env; e && *e; e++)
		if (strncmp(*e, "HOME=", 5) == 0)
			return 0;
	return strv_push(&p->env, p->uid == 0 ? "HOME=/root" : "HOME=/") < 0 ? err_oom(err) : 0;
}

int option_command(const struct verb_args *args, struct spec_process *p, struct err *err)
{
	int i;

	if (args->next >= args->argc) {
		err_setx(err, -EINVAL, "a command is missing");
		return err_hint(err, "kist %s %s", args->verb->name, args->verb->args);
	}
	strv_free(TAKE_PTR(p->args));
	for (i = args->next; i < args->argc; i++)
		if (strv_push(&p->args, args->argv[i]) < 0)
			return err_oom(err);
	return 0;
}

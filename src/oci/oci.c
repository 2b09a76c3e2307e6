// SPDX-License-Identifier: Apache-2.0
/* See oci.h: global options, the table of verbs, and the one place where errors are told. */
#include "oci/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "oci/oci-internal.h"

#define PROGRAM "kist-oci"

extern const struct verb oci_checkpoint, oci_create, oci_delete, oci_events, oci_exec, oci_features,
	oci_kill, oci_list, oci_pause, oci_ps, oci_restore, oci_resume, oci_run, oci_spec,
	oci_start, oci_state, oci_update;

static const struct verb *const verbs[] = {&oci_checkpoint, &oci_create, &oci_delete, &oci_events,
	&oci_exec, &oci_features, &oci_kill, &oci_list, &oci_pause, &oci_ps, &oci_restore,
	&oci_resume, &oci_run, &oci_spec, &oci_start, &oci_state, &oci_update, NULL};

static const struct verb_option options[] = {
	{0, "root", "DIR", "where the state of containers is kept"},
	{0, "log", "FILE", "where errors are written, beside standard error"},
	{0, "log-format", "text|json", "their form there"},
	{0, "debug", NULL, "tell more"},
	{0, "systemd-cgroup", NULL, "let systemd make the cgroups"},
	{0, "cgroup-manager", "NAME", "cgroupfs, systemd or disabled"},
	{0, "rootless", "true|false|auto", "accepted: what is possible is found out"},
	{0, "criu", "FILE", "accepted: checkpoints need no program"},
	{'v', "version", NULL, "print the version"},
	{'h', "help", NULL, "this text"},
	{0},
};

static const struct verb globals = {
	.name = "[GLOBAL OPTIONS] VERB",
	.summary = "an OCI runtime",
	.options = options,
};

struct settings {
	const char *root, *log, *format;
	bool version, help;
};

static int set(struct settings *s, const char *name, const char *value, struct err *err)
{
	if (strcmp(name, "root") == 0)
		s->root = value;
	else if (strcmp(name, "log") == 0)
		s->log = value;
	else if (strcmp(name, "log-format") == 0) {
		s->format = value;
		if (strcmp(value, "json") != 0 && strcmp(value, "text") != 0)
			return err_setx(err, -EINVAL,
				"the log format '%s' is neither text nor json", value);
	} else if (strcmp(name, "debug") == 0)
		log_set(LOG_LEVEL_DEBUG, 2);
	else if (strcmp(name, "version") == 0)
		s->version = true;
	else if (strcmp(name, "help") == 0)
		s->help = true;
	else if (strcmp(name, "cgroup-manager") == 0 && strcmp(value, "disabled") == 0)
		return err_setx(err, -EOPNOTSUPP,
			"this version of kist makes no containers without a cgroup");
	else if (strcmp(name, "systemd-cgroup") == 0 ||
		 (strcmp(name, "cgroup-manager") == 0 && strcmp(value, "systemd") == 0))
		return err_setx(
			err, -EOPNOTSUPP, "this version of kist does not make cgroups by systemd");
	return 0;
}

static int parse(struct verb_args *a, struct settings *s, struct err *err)
{
	const struct verb_option *o;
	int r;

	while ((o = verb_args_next(a, err))) {
		r = set(s, o->name, a->value, err);
		if (r < 0)
			return r;
	}
	return err->code;
}

static int make_dirs(char *path)
{
	char *p;

	for (p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0711) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

static int set_root(const char *root, struct err *err)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	autofree char *path = NULL;
	char cwd[PATH_MAX];
	int r;

	if (!root && geteuid() != 0 && run)
		r = asprintf(&path, "%s/kist-oci", run);
	else if (!root || root[0] == '/')
		r = asprintf(&path, "%s", root ? root : "/run/kist-oci");
	else
		r = getcwd(cwd, sizeof(cwd)) ? asprintf(&path, "%s/%s", cwd, root) : -1;
	if (r < 0) {
		path = NULL;
		return err_oom(err);
	}
	r = make_dirs(path);
	if (r < 0)
		return err_set(err, r, "cannot make the directory of '%s'", path);
	return setenv("KIST_ROOT", path, 1) < 0 ? err_oom(err) : 0;
}

/* A line as containerd (JSON) and people (text) read it. */
static void log_error(const struct settings *s, const struct err *err)
{
	autoclose int fd = -EBADF;
	autobuf struct buf b = {0};
	struct timespec now = {0};
	char when[40];
	struct tm tm;
	char *line;
	json_t *j;

	if (!s->log)
		return;
	fd = open(s->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	(void)gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (s->format && strcmp(s->format, "json") == 0) {
		j = json_pack("{s:s, s:s, s:s}", "level", "error", "msg", err->text, "time", when);
		line = json_dumps(j, JSON_COMPACT);
		(void)buf_addf(&b, "%s\n", line ? line : "{}"); /* the buffer remembers */
		free(line);
		json_decref(j);
	} else {
		(void)buf_addf(&b, "time=\"%s\" level=error msg=\"%s\"\n", when, err->text);
	}
	if (fd >= 0 && !b.failed)
		(void)io_write(fd, b.data, b.len); /* standard error says it too */
}

/* An error that cannot be logged would be lost to those who look there only. */
static int check_log(const char *path, struct err *err)
{
	autoclose int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? err_set(err, -errno, "cannot open the log '%s'", path) : 0;
}

static int fail(const struct settings *s, const struct verb *v, const struct err *err)
{
	log_error(s, err);
	fprintf(stderr, PROGRAM ": %s\n", err->text);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
	return v == &oci_exec ? 255 : 1;
}

static int help(void)
{
	size_t i;

	verb_help_print(PROGRAM, &globals);
	printf("\nVerbs:\n");
	for (i = 0; verbs[i]; i++)
		printf("  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
	return 0;
}

static bool wants_help(int argc, char **argv)
{
	return argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

int oci_main(int argc, char **argv)
{
	struct settings s = {0};
	struct err err = {0};
	struct verb_args a;
	const struct verb *v;
	int r;

	if (argc == 2 && strcmp(argv[0], CONTAINER_FINISH) == 0)
		return container_finish(argv[1], -1, &err) < 0;
	verb_args_init(&a, &globals, argc, argv);
	r = parse(&a, &s, &err);
	if (r == 0 && s.log)
		r = check_log(s.log, &err);
	if (r < 0)
		return fail(&s, NULL, &err);
	if (s.version) {
		/* go-runc wants the first words so, docker the second line */
		printf(PROGRAM " version " KIST_VERSION "\ncommit: " KIST_VERSION
			       "\nspec: " SPEC_OCI_VERSION "\n");
		return 0;
	}
	if (s.help || a.next >= argc)
		return help();
	argc -= a.next;
	argv += a.next;
	v = strcmp(argv[0], "help") == 0 ? NULL : verb_find(verbs, argv[0]);
	if (!v && strcmp(argv[0], "help") == 0)
		return help();
	if (!v) {
		err_setx(&err, -EINVAL, "unknown verb '%s'", argv[0]);
		return fail(&s, NULL, &err);
	}
	if (wants_help(argc, argv)) {
		verb_help_print(PROGRAM, v);
		return 0;
	}
	r = set_root(s.root, &err);
	if (r == 0)
		r = v->run(argc, argv, &err);
	return r < 0 ? fail(&s, v, &err) : r;
}

// SPDX-License-Identifier: Apache-2.0
/* See verb.h. */
#include "base/verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct verb *verb_find(const struct verb *const *table, const char *name)
{
	for (; *table; table++)
		if (strcmp((*table)->name, name) == 0)
			return *table;
	return NULL;
}

void verb_help_print(const char *program, const struct verb *v)
{
	const struct verb_option *o;
	char left[64];

	printf("Usage: %s %s%s%s%s\n\n%s\n", program, v->name, v->options ? " [OPTIONS]" : "",
		v->args ? " " : "", v->args ? v->args : "", v->summary);
	if (v->text)
		printf("\n%s\n", v->text);
	if (v->options)
		printf("\nOptions:\n");
	for (o = v->options; o && o->name; o++) {
		snprintf(left, sizeof(left), "%s%c%s --%s%s%s", o->letter ? "-" : " ",
			o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
			o->value ? " " : "", o->value ? o->value : "");
		printf("  %-30s %s\n", left, o->help);
	}
}

void verb_args_init(struct verb_args *a, const struct verb *v, int argc, char **argv)
{
	*a = (struct verb_args){.verb = v, .argc = argc, .argv = argv, .next = 1};
}

static const struct verb_option *take_value(struct verb_args *a, const struct verb_option *o,
	const char *inline_value, const char *shown, struct err *err)
{
	if (!o->value) {
		if (!inline_value)
			return o;
		err_setx(err, -EINVAL, "option '%s' takes no value", shown);
		return NULL;
	}
	if (inline_value) {
		a->value = inline_value;
		return o;
	}
	if (a->next >= a->argc) {
		err_setx(err, -EINVAL, "option '%s' requires an argument (%s)", shown, o->value);
		return NULL;
	}
	a->value = a->argv[a->next++];
	return o;
}

static const struct verb_option *long_option(struct verb_args *a, const char *arg, struct err *err)
{
	const char *eq = strchr(arg, '=');
	size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
	const struct verb_option *o;

	for (o = a->verb->options; o && o->name; o++)
		if (strlen(o->name) == len - 2 && strncmp(o->name, arg + 2, len - 2) == 0)
			return take_value(a, o, eq ? eq + 1 : NULL, arg, err);
	err_setx(err, -EINVAL, "unknown option '%.*s'", (int)len, arg);
	err_hint(err, "see '%s --help'", a->verb->name);
	return NULL;
}

static const struct verb_option *short_option(struct verb_args *a, struct err *err)
{
	char letter = *a->cluster++, shown[3] = {'-', letter, '\0'};
	const struct verb_option *o;
	const char *rest;

	if (!*a->cluster)
		a->cluster = NULL;
	for (o = a->verb->options; o && o->name; o++) {
		if (o->letter != letter)
			continue;
		if (!o->value)
			return o;
		rest = a->cluster;
		a->cluster = NULL;
		return take_value(a, o, rest, shown, err);
	}
	err_setx(err, -EINVAL, "unknown option '%s'", shown);
	err_hint(err, "see '%s --help'", a->verb->name);
	return NULL;
}

const struct verb_option *verb_args_next(struct verb_args *a, struct err *err)
{
	const char *arg;

	err->code = 0;
	a->value = NULL;
	if (a->cluster)
		return short_option(a, err);
	if (a->next >= a->argc)
		return NULL;
	arg = a->argv[a->next];
	if (arg[0] != '-' || !arg[1])
		return NULL;
	a->next++;
	if (strcmp(arg, "--") == 0)
		return NULL;
	if (arg[1] == '-')
		return long_option(a, arg, err);
	a->cluster = arg + 1;
	return short_option(a, err);
}

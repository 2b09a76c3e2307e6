/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field tables of the container description. One row says where a member of config.json lives
 * in the structs; reading, printing, freeing and setting to "unset" all walk the same rows.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "spec/spec.h"

enum field_type {
	FIELD_END,
	FIELD_STRING, /* char * */
	FIELD_BOOL,   /* bool */
	FIELD_U32,    /* uint32_t, unsigned int */
	FIELD_I64,    /* int64_t, SPEC_UNSET (or 0 with FIELD_ZERO) when absent */
	FIELD_U64,    /* uint64_t */
	FIELD_ENUM,   /* int64_t, the index of a string in names */
	FIELD_CHAR,   /* char, a string of one character */
	FIELD_ACCESS, /* char[4], a string of up to three */
	FIELD_STRV,   /* char **, NULL-terminated */
	FIELD_U32V,   /* uint32_t * at offset, size_t count at aux */
	FIELD_CAPS,   /* uint64_t, a list of capability names */
	FIELD_MAP,    /* pairs of char * at offset, size_t count at aux */
	FIELD_OBJECT, /* members in place, rows in sub, a bool at aux if that is not 0 */
	FIELD_ARRAY,  /* objects of size bytes, pointer at offset, size_t count at aux, rows in sub
		       */
	FIELD_CUSTOM, /* only the functions */
};

enum {
	FIELD_ALWAYS = 1, /* printed even when 0 */
	FIELD_ZERO = 2,	  /* 0, not SPEC_UNSET, stands for absent */
	FIELD_ANY = 4,	  /* a negative number is read as SPEC_UNSET */
	FIELD_NAMED = 8,  /* of a map: the values are objects with a "name", which may be missing */
};

/* Where in the document the reader stands; a chain on the stack, spelled only for an error. */
struct json_at {
	const struct json_at *up;
	const char *name; /* NULL: the element @index */
	size_t index;
};

/* The document as it is printed. */
struct json_out {
	struct buf *buf;
	int depth;
	bool more; /* something stands before on this level */
};

struct field {
	const char *name;
	enum field_type type;
	unsigned int flags;
	size_t offset, aux, size;
	const struct field *sub;
	const char *const *names;
	int (*parse)(json_t *json, void *base, const struct json_at *at, struct err *err);
	int (*print)(struct json_out *out, const void *base, struct err *err);
};

/* One key and its text: the layout of struct spec_limit, _sysctl, _annotation, _net_device. */
struct field_pair {
	char *key, *value;
};

extern const struct field spec_fields[];
extern const struct field spec_process_fields[];
extern const struct field spec_seccomp_fields[];

/* spec.c: both leave the object as if it had just been made. */
void fields_unset(const struct field *rows, void *base);
void fields_free(const struct field *rows, void *base);
/* Adds or replaces a pair of a FIELD_MAP. Returns 0 or -ENOMEM. */
int pairs_put(struct field_pair **pairs, size_t *n, const char *key, const char *value);

/* spec-parse.c. Every failure names the place: "linux.namespaces[2].type …". */
int parse_fail(struct err *err, const struct json_at *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int parse_namespaces(json_t *json, void *base, const struct json_at *at, struct err *err);
/* Reads an object's members by a table that may lie on other structs than the spec's own. */
int parse_fields(const struct field *rows, json_t *json, void *base, const struct json_at *at,
	struct err *err);

/* spec-print.c */
int print_fields(struct json_out *out, const struct field *rows, const void *base, struct err *err);
int print_namespaces(struct json_out *out, const void *base, struct err *err);

/* spec-resources.c: the members of linux.resources that become limits. @base: struct spec_linux */
int parse_memory(json_t *json, void *base, const struct json_at *at, struct err *err);
int parse_cpu(json_t *json, void *base, const struct json_at *at, struct err *err);
int parse_pids(json_t *json, void *base, const struct json_at *at, struct err *err);
int parse_block_io(json_t *json, void *base, const struct json_at *at, struct err *err);
int parse_hugepages(json_t *json, void *base, const struct json_at *at, struct err *err);
int parse_network(json_t *json, void *base, const struct json_at *at, struct err *err);
int parse_rdma(json_t *json, void *base, const struct json_at *at, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of the terminals: tty.c dumps, tty-restore.c restores. */
#pragma once

#include <asm/termbits.h>

#include "cr/file/file-internal.h"

#define TTYAUX_MAJOR 5
#define PTMX_MINOR   2
#define PTS_MAJOR    136

enum { TTY_MASTER = 1, TTY_SLAVE = 2, TTY_OUTSIDE = 3 }; /* Tty.kind */

int tty_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err);
int tty_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err);
int tty_task(struct file_restore *r, const ProtobufCMessage *m, struct err *err);
int tty_last(struct file_restore *r, const ProtobufCMessage *m, struct err *err);

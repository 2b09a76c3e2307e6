/* SPDX-License-Identifier: Apache-2.0 */
/* The front for people: `kist VERB …`. */
#pragma once

/* Runs the verb of argv[1]; prints errors; returns the exit status. */
int cli_main(int argc, char **argv);

/* SPDX-License-Identifier: Apache-2.0 */
/* The front with CRIU's command line: `kist-criu …`. */
#pragma once

/* Prints errors; returns the exit status. */
int criu_main(int argc, char **argv);

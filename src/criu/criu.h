/* SPDX-License-Identifier: Apache-2.0 */
/* The front with CRIU's command line: `kist-criu …`. */
#pragma once

/* The version of CRIU whose command line this is: clients ask for a minimum. */
#define CRIU_COMPATIBLE	      "4.2"
#define CRIU_COMPATIBLE_MAJOR 4
#define CRIU_COMPATIBLE_MINOR 2

/* Prints errors; returns the exit status. */
int criu_main(int argc, char **argv);

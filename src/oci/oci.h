/* SPDX-License-Identifier: Apache-2.0 */
/* The front with an OCI runtime's command line: `kist-oci …`. */
#pragma once

/* Prints errors; returns the exit status. */
int oci_main(int argc, char **argv);

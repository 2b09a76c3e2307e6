// SPDX-License-Identifier: Apache-2.0
/* See oci.h. So far only the version can be asked for; everything else is refused. */
#include "oci/oci.h"

#include <stdio.h>
#include <string.h>

int oci_main(int argc, char **argv)
{
	if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
		printf("kist-oci version " KIST_VERSION "\n");
		return 0;
	}
	fprintf(stderr, "kist-oci: this version of kist has no OCI runtime's command line\n"
			"hint: 'kist run' makes containers without a bundle\n");
	return 1;
}

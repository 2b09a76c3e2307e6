// SPDX-License-Identifier: Apache-2.0
/* See criu.h. So far only the version can be asked for; everything else is refused. */
#include "criu/criu.h"

#include <stdio.h>
#include <string.h>

int criu_main(int argc, char **argv)
{
	if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
		printf("kist-criu version " KIST_VERSION "\n");
		return 0;
	}
	fprintf(stderr, "kist-criu: this version of kist has no CRIU command line\n"
			"hint: 'kist checkpoint' and 'kist restore' do the work\n");
	return 1;
}

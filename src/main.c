// SPDX-License-Identifier: Apache-2.0
/* The three front doors: which one is told by the name of the program. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}

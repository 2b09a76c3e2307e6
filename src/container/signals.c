// SPDX-License-Identifier: Apache-2.0
/* Which signals to kist are meant for the container. */
#include <signal.h>

#include "base/util.h"
#include "container/container-internal.h"

void container_signals_set(sigset_t *ret)
{
	static const int sigs[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGWINCH};
	size_t i;
	int rt;

	(void)sigemptyset(ret);
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		(void)sigaddset(ret, sigs[i]);
	for (rt = SIGRTMIN; rt <= SIGRTMAX; rt++)
		(void)sigaddset(ret, rt);
}

void container_signals_block(sigset_t *ret_old)
{
	sigset_t set;

	container_signals_set(&set);
	(void)sigprocmask(SIG_BLOCK, &set, ret_old); /* cannot fail */
}

// SPDX-License-Identifier: Apache-2.0
/* A container's parameters, as a checkpoint image brings them; what is taken must print the same.
 */
#include <stdlib.h>

#include "base/util.h"
#include "container/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct container_params *p)
{
	struct container_params *again;
	json_t *a, *b;

	if (container_params_to_json(p, &a, NULL) < 0)
		return; /* text that is no UTF-8 */
	if (container_params_from_json(a, &again, NULL) < 0 ||
		container_params_to_json(again, &b, NULL) < 0 || !json_equal(a, b))
		abort();
	container_params_free(again);
	json_decref(a);
	json_decref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *j = json_loadb((const char *)data, size, 0, NULL);
	struct container_params *p;
	struct err err = {0};

	if (!j)
		return 0;
	if (container_params_from_json(j, &p, &err) == 0) {
		round_trip(p);
		container_params_free(p);
	} else if (!err.text[0]) {
		abort(); /* a refusal without a word */
	}
	json_decref(j);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* Weights of v1 and v2. See keys.h. */
#include <math.h>

#include "base/util.h"
#include "cgroup/keys.h"

#define SHARES_MIN 2
#define SHARES_MAX 262144
#define WEIGHT_MAX 10000

/*
 * The curve on which the field agreed in 2025 (runc 1.3.2, crun 1.23): quadratic in log2(shares),
 * through 2 → 1, 1024 → 100 and 262144 → 10000. Its result is rounded up; the small number keeps
 * the exact points from being lifted by floating-point error.
 */
uint64_t cgroup_weight_of_shares(uint64_t shares)
{
	double l;

	if (shares <= SHARES_MIN)
		return 1;
	if (shares >= SHARES_MAX)
		return WEIGHT_MAX;
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0) - 1e-9);
}

/* Many shares have one weight: the largest of them, which gives 1024 for 100. */
uint64_t cgroup_shares_of_weight(uint64_t weight)
{
	uint64_t low = SHARES_MIN, high = SHARES_MAX, mid;

	while (low < high) {
		mid = (low + high + 1) / 2;
		if (cgroup_weight_of_shares(mid) <= weight)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

/* Straight lines from 1 to 100 and from 100 to the end. */
uint64_t cgroup_bfq_of_io_weight(uint64_t weight)
{
	return weight <= 100 ? MAX(weight, (uint64_t)1) : 100 + (weight - 100) * 900 / 9900;
}

/* The smallest weight that becomes @weight by the function above. */
uint64_t cgroup_io_weight_of_bfq(uint64_t weight)
{
	return weight <= 100 ? MAX(weight, (uint64_t)1) : 100 + ((weight - 100) * 9900 + 899) / 900;
}

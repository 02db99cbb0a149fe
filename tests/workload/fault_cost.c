// SPDX-License-Identifier: GPL-2.0
/*
 * What an anonymous write fault costs, from the access to the next instruction: the
 * least of a few rounds, by rdtsc. With scripts/vm --icount that is instructions.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "fault.h"

#define PAGES	20000UL
#define ROUNDS	3

int main(void)
{
	unsigned long best = ~0UL;

	for (int round = 0; round < ROUNDS; round++) {
		char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
		unsigned long time;

		madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE);
		time = __rdtsc();
		write_pages(area, PAGES);
		time = __rdtsc() - time;
		if (time < best)
			best = time;
		area_free(area, PAGES * PAGE);
	}
	printf("%.1f\n", (double)best / PAGES);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Touches its pages in an order without a pattern, until it is told to end (SIGTERM).
 * Usage: touch MIB SEED. Prints "filled" once all pages are there; exit status 1 if a
 * page does not hold what was written to it.
 */

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS (4096 / sizeof(uint64_t))

static volatile sig_atomic_t ends;

static void end(int signal)
{
	(void)signal;
	ends = 1;
}

int main(int argc, char **argv)
{
	uint64_t seed, pages, touched = 0;
	uint64_t *memory;

	if (argc != 3)
		return 64;
	pages = strtoull(argv[1], NULL, 10) << 8;
	seed = strtoull(argv[2], NULL, 10);
	memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!pages || memory == MAP_FAILED)
		return 2;
	signal(SIGTERM, end);
	for (uint64_t page = 0; page < pages; page++)
		memory[page * WORDS] = seed ^ page;
	puts("filled");
	fflush(stdout);
	for (uint64_t next = seed; !ends; touched++) {
		uint64_t page = (next >> 33) % pages;

		if (memory[page * WORDS] != (seed ^ page)) {
			printf("page %llu is not what was written\n", (unsigned long long)page);
			return 1;
		}
		next = next * 6364136223846793005ULL + 1442695040888963407ULL;
	}
	printf("touched %llu pages\n", (unsigned long long)touched);
	return 0;
}

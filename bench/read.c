// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes to read a file, for a process with many mappings:
 *
 *   read OUTPUT MAPPINGS FILE...
 *
 * makes so many mappings of a page each and faults it in, then reads each FILE whole and
 * appends "FILE LINES BYTES INSTRUCTIONS" to OUTPUT, the least of three times.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE	4096UL

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "read: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void make_mappings(size_t count)
{
	int prot = PROT_READ | PROT_WRITE;
	char *start = mmap(NULL, count * PAGE, prot,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	need(start != MAP_FAILED, "map");
	/* Other permissions, so that no two of them merge. */
	for (size_t i = 1; i < count; i += 2)
		need(mprotect(start + i * PAGE, PAGE, prot | PROT_EXEC) == 0,
		     "mprotect (is vm.max_map_count large enough?)");
	for (size_t i = 0; i < count; i++)
		*(volatile char *)(start + i * PAGE) = 1;
}

static void read_whole(const char *path, FILE *output)
{
	static char piece[64 << 10];
	unsigned long least = ~0UL, taken;
	size_t lines = 0, bytes = 0;
	ssize_t got;

	for (int repeat = 0; repeat < 3; repeat++) {
		int fd;

		lines = bytes = 0;
		taken = 0;
		fd = open(path, O_RDONLY | O_CLOEXEC);
		need(fd >= 0, path);
		do {
			unsigned long before = __rdtsc();

			got = read(fd, piece, sizeof(piece));
			taken += __rdtsc() - before;
			need(got >= 0, path);
			bytes += got;
			for (ssize_t i = 0; i < got; i++)
				lines += piece[i] == '\n';
		} while (got);
		close(fd);
		if (taken < least)
			least = taken;
	}
	fprintf(output, "%s %zu %zu %lu\n", path, lines, bytes, least);
}

int main(int argc, char **argv)
{
	FILE *output;

	need(argc >= 4, "usage: read OUTPUT MAPPINGS FILE...");
	output = fopen(argv[1], "ae");
	need(output != NULL, argv[1]);
	make_mappings(strtoul(argv[2], NULL, 10));
	for (int i = 3; i < argc; i++)
		read_whole(argv[i], output);
	fclose(output);
	return 0;
}

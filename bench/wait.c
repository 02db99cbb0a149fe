// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a fault waits for a reader: faults of a real-time task that interrupts the
 * reader of a file wherever it happens to be.
 *
 *   wait OUTPUT FILE
 *
 * appends "FILE LEAST MOST" to OUTPUT: the instructions of one fault, of 500. A
 * fault that waits for a lock has to let the reader go on with what it does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE	4096UL
#define FAULTS	500

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "wait: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_for_ever(const char *path)
{
	static char piece[64 << 10];

	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		need(fd >= 0, path);
		while (read(fd, piece, sizeof(piece)) > 0)
			;
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct sched_param first = { .sched_priority = 1 };
	struct timespec moment = { .tv_nsec = 1370000 };
	unsigned long least = ~0UL, most = 0;
	FILE *output;
	pid_t reader;
	char *area;

	need(argc == 3, "usage: wait OUTPUT FILE");
	output = fopen(argv[1], "ae");
	need(output != NULL, argv[1]);
	area = mmap(NULL, FAULTS * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(area != MAP_FAILED, "map");
	reader = fork();
	need(reader >= 0, "fork");
	if (reader == 0)
		read_for_ever(argv[2]);
	need(sched_setscheduler(0, SCHED_FIFO, &first) == 0, "SCHED_FIFO");
	for (size_t i = 0; i < FAULTS; i++) {
		unsigned long taken;

		nanosleep(&moment, NULL);
		taken = __rdtsc();
		*(volatile char *)(area + i * PAGE) = 1;
		taken = __rdtsc() - taken;
		if (taken < least)
			least = taken;
		if (taken > most)
			most = taken;
	}
	kill(reader, SIGKILL);
	waitpid(reader, NULL, 0);
	fprintf(output, "%s %lu %lu\n", argv[2], least, most);
	fclose(output);
	return 0;
}

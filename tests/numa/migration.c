// SPDX-License-Identifier: GPL-2.0
/* Accesses to pages that are on their way to another node (numa=fake=2). */
#define _GNU_SOURCE
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	512
#define WANTED	16
#define ROUNDS	2000

static char *area;
static volatile bool enough;
static unsigned long rounds;
static unsigned long moved;

/* Moves all pages to the other node and back, in batches. */
static void *move(void *unused)
{
	static void *pages[PAGES];
	static int nodes[PAGES];
	static int status[PAGES];

	(void)unused;
	for (int i = 0; i < PAGES; i++)
		pages[i] = area + i * PAGE;
	for (rounds = 0; rounds < ROUNDS && !enough; rounds++) {
		for (int i = 0; i < PAGES; i++)
			nodes[i] = rounds % 2;
		if (syscall(__NR_move_pages, 0, PAGES, pages, nodes, status,
			    MPOL_MF_MOVE) == 0)
			moved++;
	}
	enough = true;
	return NULL;
}

/*
 * Both threads share one processor and this one goes first: when it wakes up
 * while the other one is in the middle of a batch, the pages stay unmapped
 * until this one waits for them. So each fault meets a migration entry.
 */
static void migration_wait(void)
{
	const struct timespec nap = { .tv_nsec = 200000 };
	struct sched_param first = { .sched_priority = 1 };
	struct sched_param normal = { 0 };
	pthread_t mover;

	area = area_new(PAGES, PROT_READ | PROT_WRITE);
	write_pages(area, PAGES);
	pin_to_cpu(0);
	ktap_need(pthread_create(&mover, NULL, move, NULL) == 0,
		  "pthread_create");
	ktap_need(sched_setscheduler(0, SCHED_FIFO, &first) == 0, "SCHED_FIFO");
	watch_start(area);
	while (!enough) {
		nanosleep(&nap, NULL);
		read_pages(area, PAGES);
		if (watch_faults_now() >= WANTED)
			enough = true;
	}
	watch_stop();
	sched_setscheduler(0, SCHED_OTHER, &normal);
	pthread_join(mover, NULL);
	ktap_check(moved == rounds, "%lu of %lu moves failed", rounds - moved,
		   rounds);
	ktap_check(watch_thread_faults() >= WANTED,
		   "only %lu faults in %lu moves", watch_thread_faults(),
		   rounds);
	expect("migration-wait:%lu", watch_thread_faults());
	area_free(area, PAGES * PAGE);
}

static const struct ktap_case cases[] = {
	{ "migration-wait: pages that move to another node", migration_wait },
};

int main(void)
{
	if (access("/sys/devices/system/node/node1", F_OK))
		ktap_skip_all("one NUMA node: boot with numa=fake=2");
	return fault_main(cases, ARRAY_SIZE(cases));
}

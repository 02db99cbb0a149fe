// SPDX-License-Identifier: GPL-2.0
/* Stacks that grow. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	16
#define GAP	512

/* Top page of a mapping that may grow down over GAP unmapped pages. */
static char *growing_page(void)
{
	char *room = mmap(NULL, (GAP + 1) * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *top = room + GAP * PAGE;

	ktap_need(room != MAP_FAILED, "reserve room for a stack");
	ktap_need(munmap(room, (GAP + 1) * PAGE) == 0, "munmap");
	ktap_need(mmap(top, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN |
		       MAP_FIXED_NOREPLACE, -1, 0) == top, "MAP_GROWSDOWN");
	return top;
}

static void one_by_one(void)
{
	char *top = growing_page();

	watch_start(top);
	for (size_t i = 1; i <= PAGES; i++)
		touch_write(top - i * PAGE);
	watch_stop();
	expect("stack-growth:%d", PAGES);
	area_free(top - PAGES * PAGE, (PAGES + 1) * PAGE);
}

/* A jump grows once; the pages jumped over are there to be touched then. */
static void jump(void)
{
	char *top = growing_page();

	watch_start(top);
	touch_write(top - PAGES * PAGE);
	for (size_t i = 1; i < PAGES; i++)
		touch_write(top - i * PAGE);
	watch_stop();
	expect("stack-growth:1,anon-alloc:%d", PAGES - 1);
	area_free(top - PAGES * PAGE, (PAGES + 1) * PAGE);
}

static unsigned long stack_start(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0, end;
	unsigned long here = (unsigned long)__builtin_frame_address(0);
	char line[512];

	ktap_need(maps != NULL, "open /proc/self/maps");
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    start <= here && here < end)
			break;
	fclose(maps);
	return start;
}

static void own_stack(void)
{
	char *start = (char *)stack_start();

	watch_start(start);
	for (size_t i = 1; i <= PAGES; i++)
		touch_write(start - i * PAGE);
	watch_stop();
	expect("stack-growth:%d", PAGES);
}

static const struct ktap_case cases[] = {
	{ "stack-growth: a page at a time", one_by_one },
	{ "stack-growth: one jump over many pages", jump },
	{ "stack-growth: the stack of the main thread", own_stack },
};

int main(void)
{
	return fault_main(cases, ARRAY_SIZE(cases));
}

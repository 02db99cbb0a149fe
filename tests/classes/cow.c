// SPDX-License-Identifier: GPL-2.0
/* Writes to small private pages that can't be written as they are. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	16

static void cow_copy(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	pid_t child;

	write_pages(area, PAGES);
	child = child_hold();
	watch_start(area);
	write_pages(area, PAGES);
	watch_stop();
	expect("cow-copy:%d", PAGES);
	child_end(child);
	area_free(area, PAGES * PAGE);
}

static void cow_copy_file(void)
{
	int fd = memfd_create("cow", 0);
	char *area;

	ktap_need(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0, "memfd");
	area = area_map(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	read_pages(area, PAGES);
	watch_start(area);
	write_pages(area, PAGES);
	watch_stop();
	expect("cow-copy:%d", PAGES);
	area_free(area, PAGES * PAGE);
	close(fd);
}

static void cow_reuse(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	unsigned long reused;

	write_pages(area, PAGES);
	child_end(child_hold());
	watch_start(area);
	reused = vmstat("pgreuse");
	write_pages(area, PAGES);
	reused = vmstat("pgreuse") - reused;
	watch_stop();
	expect("cow-reuse:%d", PAGES);
	ktap_check(reused == PAGES, "pgreuse grew by %lu, not %d", reused,
		   PAGES);
	area_free(area, PAGES * PAGE);
}

static void cow_zero(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	read_pages(area, PAGES);
	watch_start(area);
	write_pages(area, PAGES);
	watch_stop();
	expect("cow-zero:%d", PAGES);
	area_free(area, PAGES * PAGE);
}

/* A reader that pins the pages must not see what the child would write. */
static void cow_unshare(void)
{
	static char copy[PAGES * PAGE];
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	struct iovec to = { copy, sizeof(copy) };
	struct iovec from = { area, sizeof(copy) };
	ssize_t copied;
	pid_t child;

	write_pages(area, PAGES);
	child = child_hold();
	watch_start(area);
	copied = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	watch_stop();
	ktap_need(copied == sizeof(copy), "process_vm_readv");
	expect("cow-unshare:%d", PAGES);
	child_end(child);
	area_free(area, PAGES * PAGE);
}

static const struct ktap_case cases[] = {
	{ "cow-copy: pages that a child holds too", cow_copy },
	{ "cow-copy: pages of the page cache", cow_copy_file },
	{ "cow-reuse: pages of a child that ended", cow_reuse },
	{ "cow-zero: pages that were only read", cow_zero },
	{ "cow-unshare: pages that a reader pins", cow_unshare },
};

int main(void)
{
	/* Pages on their way to another CPU's LRU list would be copied. */
	pin_to_cpu(0);
	return fault_main(cases, ARRAY_SIZE(cases));
}

// SPDX-License-Identifier: GPL-2.0
/* Pages that went to a compressed swap device in memory. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	32
#define ZRAM	"/sys/block/zram0/"
#define DEVICE	"/dev/zram0"

static void swap_off(void)
{
	swapoff(DEVICE);
	file_write(ZRAM "reset", "1");
}

static void swap_on(void)
{
	must_run("mkswap " DEVICE " >/dev/null");
	at_end(swap_off);
	ktap_need(swapon(DEVICE, SWAP_FLAG_PREFER | 100) == 0,
		  "swapon " DEVICE);
}

static void page_out(char *area)
{
	unsigned long out = vmstat("pswpout") + vmstat("swpout_zero");

	ktap_need(madvise(area, PAGES * PAGE, MADV_PAGEOUT) == 0,
		  "MADV_PAGEOUT");
	out = vmstat("pswpout") + vmstat("swpout_zero") - out;
	ktap_need(out == PAGES, "%lu pages went to swap, not %d", out, PAGES);
}

/* Reads or writes all pages; @counter of vmstat must grow with them. */
static void come_back(char *area, bool write, const char *counter)
{
	unsigned long in;

	watch_start(area);
	in = vmstat(counter);
	if (write)
		write_pages(area, PAGES);
	else
		read_pages(area, PAGES);
	in = vmstat(counter) - in;
	watch_stop();
	expect_major("swap-in:%d", PAGES);
	ktap_check(in == PAGES, "%s grew by %lu, not %d", counter, in, PAGES);
}

static void swap_in_read(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	write_pages(area, PAGES);
	page_out(area);
	come_back(area, false, "pswpin");
	area_free(area, PAGES * PAGE);
}

static void swap_in_write(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	write_pages(area, PAGES);
	page_out(area);
	come_back(area, true, "pswpin");
	area_free(area, PAGES * PAGE);
}

/* Pages full of zeros are not written to the device, only noted. */
static void swap_in_zeros(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	write_pages(area, PAGES);
	for (size_t i = 0; i < PAGES; i++)
		area[i * PAGE] = 0;
	page_out(area);
	come_back(area, false, "swpin_zero");
	area_free(area, PAGES * PAGE);
}

static void swap_in_shared(void)
{
	char *area = area_map(PAGES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1);

	write_pages(area, PAGES);
	page_out(area);
	come_back(area, false, "pswpin");
	area_free(area, PAGES * PAGE);
}

/* A child reads the pages first: they stay in the swap cache for the parent. */
static void swap_cache(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	int ready[2];
	pid_t child;
	char byte;

	write_pages(area, PAGES);
	page_out(area);
	ktap_need(pipe(ready) == 0, "pipe");
	child = fork();
	ktap_need(child >= 0, "fork");
	if (child == 0) {
		read_pages(area, PAGES);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ktap_need(read(ready[0], &byte, 1) == 1, "wait for the child");
	watch_start(area);
	read_pages(area, PAGES);
	watch_stop();
	expect("swap-cache:%d", PAGES);
	if (module_loaded()) {
		struct row row;

		ktap_check(rows_at(child, area, true, &row) == 1 &&
			   row.faults == PAGES &&
			   row.classes[class_index("swap-in")] == PAGES,
			   "the child's row is not swap-in:%d", PAGES);
	}
	child_end(child);
	close(ready[0]);
	close(ready[1]);
	area_free(area, PAGES * PAGE);
}

static const struct ktap_case cases[] = {
	{ "swap-in: pages that are read", swap_in_read },
	{ "swap-in: pages that are written", swap_in_write },
	{ "swap-in: pages full of zeros", swap_in_zeros },
	{ "swap-in: shared memory", swap_in_shared },
	{ "swap-cache: pages that another process brought back", swap_cache },
};

int main(void)
{
	char size[32];

	if (!file_read(ZRAM "disksize", size, sizeof(size)))
		ktap_skip_all("no zram device");
	if (size[0] != '0')
		ktap_skip_all("zram0 is in use: swapoff and reset it first");
	ktap_need(file_write(ZRAM "disksize", "16M") == 0, "size of zram0");
	knob_set("/proc/sys/vm/page-cluster", "0");
	pin_to_cpu(0);
	swap_on();
	return fault_main(cases, ARRAY_SIZE(cases));
}

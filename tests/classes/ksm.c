// SPDX-License-Identifier: GPL-2.0
/* Pages with the same content, which KSM has made one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	32
#define KSM	"/sys/kernel/mm/ksm/"
#define WAITS	3000

static unsigned long value(const char *path)
{
	char text[32];

	ktap_need(file_read(path, text, sizeof(text)), "read %s", path);
	return strtoul(text, NULL, 10);
}

/* Takes apart what is merged, and forgets what was unmapped. */
static void unmerge_all(void)
{
	ktap_check(file_write(KSM "run", "2") == 0, "write " KSM "run");
}

/* All pages of the area share one when this returns, and KSM rests. */
static char *merged_area(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	int waits = 0;

	unmerge_all();
	memset(area, 7, PAGES * PAGE);
	ktap_need(madvise(area, PAGES * PAGE, MADV_MERGEABLE) == 0,
		  "MADV_MERGEABLE");
	ktap_need(file_write(KSM "run", "1") == 0, "write " KSM "run");
	while (value(KSM "pages_sharing") != PAGES - 1 && waits++ < WAITS)
		usleep(10000);
	ktap_need(file_write(KSM "run", "0") == 0, "write " KSM "run");
	ktap_check(value(KSM "pages_sharing") == PAGES - 1,
		   "%lu pages were merged, not %d",
		   value(KSM "pages_sharing"), PAGES - 1);
	return area;
}

static void write_to_merged(void)
{
	char *area = merged_area();
	unsigned long copied;

	watch_start(area);
	copied = vmstat("cow_ksm");
	write_pages(area, PAGES);
	copied = vmstat("cow_ksm") - copied;
	watch_stop();
	expect("cow-copy:%d", PAGES);
	ktap_check(copied == PAGES, "cow_ksm grew by %lu, not %d", copied,
		   PAGES);
	area_free(area, PAGES * PAGE);
}

/* The kernel takes the pages apart itself, without a write. */
static void unmerge(void)
{
	char *area = merged_area();

	watch_start(area);
	ktap_need(madvise(area, PAGES * PAGE, MADV_UNMERGEABLE) == 0,
		  "MADV_UNMERGEABLE");
	watch_stop();
	expect("cow-unshare:%d", PAGES);
	area_free(area, PAGES * PAGE);
}

static const struct ktap_case cases[] = {
	{ "cow-copy: writes to merged pages", write_to_merged },
	{ "cow-unshare: pages that KSM takes apart", unmerge },
};

int main(void)
{
	if (!knob_set(KSM "run", "0"))
		ktap_skip_all("no KSM");
	if (value(KSM "pages_shared"))
		ktap_skip_all("KSM is in use: write 2 to " KSM "run first");
	at_end(unmerge_all);
	knob_set(KSM "pages_to_scan", "1000");
	knob_set(KSM "sleep_millisecs", "1");
	knob_set(KSM "use_zero_pages", "0");
	return fault_main(cases, ARRAY_SIZE(cases));
}

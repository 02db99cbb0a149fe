// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on kernel addresses. From kernel mode they are made by a kprobe event
 * that reads an address where nothing is mapped: the read is fixed up. From
 * user mode any access to a kernel address is one, and a SIGSEGV.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "fetch.h"

#define COUNT		8

static const char *const regions[] = {
	"vmalloc", "modules", "direct-map", "vmemmap", "kernel-image",
	"cpu-entry-area", "vsyscall", "other",
};

static unsigned long vmalloc_base, page_offset_base, vmemmap_base;

/* The bases are random at each boot: the kernel's own variables tell them. */
static void find_bases(void)
{
	static char trace[64 << 10];
	char *at;

	fetch_text("v=@vmalloc_base:x64 d=@page_offset_base:x64 m=@vmemmap_base:x64",
		   trace, sizeof(trace));
	at = strstr(trace, " v=");
	ktap_need(at && sscanf(at, " v=%lx d=%lx m=%lx", &vmalloc_base,
			       &page_offset_base, &vmemmap_base) == 3,
		  "no bases in the trace");
}

struct counts {
	unsigned long kernel[ARRAY_SIZE(regions)];
	unsigned long user[ARRAY_SIZE(regions)];
};

static void read_counts(struct counts *counts)
{
	for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
		counts->kernel[i] = kernel_faults("region", regions[i], false);
		counts->user[i] = kernel_faults("region", regions[i], true);
	}
}

static void check_grown(const struct counts *before, const char *region,
			unsigned long kernel, unsigned long user)
{
	struct counts after;

	read_counts(&after);
	for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
		bool here = strcmp(regions[i], region) == 0;
		unsigned long k = after.kernel[i] - before->kernel[i];
		unsigned long u = after.user[i] - before->user[i];

		ktap_check(k == (here ? kernel : 0) && u == (here ? user : 0),
			   "%s grew by %lu from the kernel and %lu from user mode",
			   regions[i], k, u);
	}
}

static void from_user(const char *name, unsigned long address)
{
	struct counts before;

	if (!module_loaded()) {
		ktap_skip("trapscope is not loaded");
		return;
	}
	read_counts(&before);
	for (int i = 0; i < COUNT; i++)
		ktap_check(touch_raises((void *)address, i % 2, SIGSEGV, NULL),
			   "no SIGSEGV at 0x%lx", address);
	check_grown(&before, name, 0, COUNT);
}

static void from_kernel(const char *name, unsigned long address)
{
	struct counts before;
	char fetch[64];

	if (!module_loaded()) {
		ktap_skip("trapscope is not loaded");
		return;
	}
	snprintf(fetch, sizeof(fetch), "x=@0x%lx:u8", address);
	fetch_start(fetch);
	read_counts(&before);
	for (int i = 0; i < COUNT; i++)
		fetch_once(NULL);
	check_grown(&before, name, COUNT, 0);
	fetch_stop();
}

static void region(const char *name, unsigned long address)
{
	from_kernel(name, address);
	from_user(name, address);
}

/* Far above what is ever mapped in a region, and still in it. */
static void vmalloc(void)
{
	region("vmalloc", vmalloc_base + (16UL << 40));
}

static void modules(void)
{
	region("modules", 0xffffffffe8000000UL);
}

/* All memory is mapped there: only user mode can't get at it. */
static void direct_map(void)
{
	from_user("direct-map", page_offset_base + (16UL << 20));
}

static void vmemmap(void)
{
	from_user("vmemmap", vmemmap_base + PAGE);
}

/* Above the last page of memory the direct map and vmemmap end. */
static void above_memory(void)
{
	region("other", page_offset_base + (1UL << 40));
	region("other", vmemmap_base + (64UL << 30));
}

/* The first page: the image starts 16 MiB further on, or later. */
static void kernel_image(void)
{
	region("kernel-image", 0xffffffff80000000UL);
}

static void cpu_entry_area(void)
{
	region("cpu-entry-area", 0xfffffe7ffffff000UL);
}

/* Data there can't be read; time(), a legacy call, is emulated. */
static void vsyscall(void)
{
	unsigned long page = 0xffffffffff600000UL;
	long (*legacy_time)(long *) = (long (*)(long *))(page + 1024);
	unsigned long before;

	from_user("vsyscall", page);
	if (!module_loaded() || run_raises((void *)legacy_time, SIGSEGV))
		return;
	before = kernel_faults("region", "vsyscall", true);
	for (int i = 0; i < COUNT; i++)
		ktap_check(legacy_time(NULL) > 0, "the legacy time()");
	ktap_check(kernel_faults("region", "vsyscall", true) == before + COUNT,
		   "vsyscall did not grow by %d", COUNT);
}

/* The hole that is kept free for hypervisors. */
static void other(void)
{
	region("other", 0xffff800000000000UL);
}

static const struct ktap_case cases[] = {
	{ "vmalloc", vmalloc },
	{ "modules", modules },
	{ "direct-map", direct_map },
	{ "vmemmap", vmemmap },
	{ "other: above the end of memory", above_memory },
	{ "kernel-image", kernel_image },
	{ "cpu-entry-area", cpu_entry_area },
	{ "vsyscall", vsyscall },
	{ "other: the hole below the direct map", other },
};

int main(void)
{
	if (!fetch_possible())
		ktap_skip_all("no " TRACING "kprobe_events: mount tracefs, be root");
	find_bases();
	return fault_main(cases, ARRAY_SIZE(cases));
}

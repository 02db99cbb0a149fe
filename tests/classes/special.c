// SPDX-License-Identifier: GPL-2.0
/* Mappings that no file and no anonymous memory stands behind. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"

/* The start of the VMA that /proc/self/maps calls @name. */
static char *find(const char *name, size_t *pages)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char *found = NULL;
	char line[512];

	ktap_need(maps != NULL, "open /proc/self/maps");
	while (fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) < strlen(name) ||
		    strcmp(line + strlen(line) - strlen(name), name) != 0)
			continue;
		if (sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		found = (char *)start;
		*pages = (end - start) / PAGE;
	}
	fclose(maps);
	return found;
}

/* The first pages of a mapping are unmapped and asked for again. */
static void ask_again(const char *name, size_t most)
{
	size_t pages;
	char *area = find(name, &pages);

	if (!area) {
		ktap_skip("this kernel gives no %s", name);
		return;
	}
	if (pages > most)
		pages = most;
	ktap_need(madvise(area, pages * PAGE, MADV_DONTNEED) == 0,
		  "MADV_DONTNEED");
	watch_start(area);
	read_pages(area, pages);
	watch_stop();
	expect("special:%zu", pages);
}

/* The kernel's code for user space. */
static void vdso(void)
{
	ask_again("[vdso]", SIZE_MAX);
}

/* Its data: the clock's page is the first, not all of the others exist. */
static void vvar(void)
{
	ask_again("[vvar]", 1);
}

static const struct ktap_case cases[] = {
	{ "special: the vdso's pages", vdso },
	{ "special: the clock's page", vvar },
};

int main(void)
{
	return fault_main(cases, ARRAY_SIZE(cases));
}

// SPDX-License-Identifier: GPL-2.0
/* As many rows as the kernel lets a process have mappings by default: 65,530. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "module.h"

#define MAPPINGS	65530UL

static char *area;
/* Its first pages, each of which is a mapping of its own. */
static size_t count;

static void put_back(void)
{
	module_remove();
	module_insert("");
}

static size_t maps_lines(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	size_t lines = 0;

	ktap_need(maps != NULL, "open /proc/self/maps");
	while (fgets(line, sizeof(line), maps))
		lines++;
	fclose(maps);
	return lines;
}

/*
 * Every other page has other permissions, so that no two of them merge, until the kernel
 * gives no more.
 */
static void make_mappings(void)
{
	size_t lines;
	int error;

	area = area_new(MAPPINGS, PROT_READ);
	while (count < MAPPINGS && mprotect(area + (count + 1) * PAGE, PAGE,
					    PROT_READ | PROT_WRITE) == 0)
		count += 2;
	error = errno;
	lines = maps_lines();
	ktap_check(error == ENOMEM && lines >= MAPPINGS - 2, "%zu mappings: %s", lines,
		   strerror(error));
	read_pages(area, count);
}

/* The rows of the area, each of which must be a page with one fault. */
static size_t count_rows(unsigned long *checksum)
{
	FILE *file = fopen(TRAPSCOPE "/vmas", "r");
	unsigned long first = (unsigned long)area;
	static char line[4096];
	char mine[32];
	size_t found = 0;

	ktap_need(file != NULL, "open " TRAPSCOPE "/vmas");
	snprintf(mine, sizeof(mine), "%d live ", getpid());
	*checksum = 0;
	while (fgets(line, sizeof(line), file)) {
		unsigned long start, end;
		char *rest;

		if (strncmp(line, mine, strlen(mine)) != 0)
			continue;
		start = strtoul(line + strlen(mine), &rest, 16);
		if (start < first || start >= first + count * PAGE)
			continue;
		end = strtoul(rest + 1, NULL, 16);
		if (end != start + PAGE || !strstr(line, " 1 0 0 anon-zero:1 ")) {
			ktap_check(false, "a row of another kind: %s", line);
			break;
		}
		*checksum += start;
		found++;
	}
	fclose(file);
	return found;
}

static void all_rows(void)
{
	unsigned long wanted = 0, checksum;
	size_t found;

	make_mappings();
	found = count_rows(&checksum);
	for (size_t i = 0; i < count; i++)
		wanted += (unsigned long)area + i * PAGE;
	ktap_check(found == count, "%zu rows, not %zu", found, count);
	ktap_check(checksum == wanted, "some row came twice");
	ktap_check(status_value("faults_without_row") == 0,
		   "%lu faults have no row",
		   status_value("faults_without_row"));
}

static void half_way(void)
{
	static char piece[64 << 10];
	unsigned long total;

	for (int i = 0; i < 20; i++) {
		int fd = open(TRAPSCOPE "/vmas", O_RDONLY);

		ktap_need(fd >= 0, "open " TRAPSCOPE "/vmas");
		for (int j = 0; j < i; j++)
			ktap_need(read(fd, piece, sizeof(piece)) > 0,
				  "read the start");
		close(fd);
	}
	total = faults_total(COMPLETED);
	ktap_check(total >= count, "a total of %lu", total);
}

/* All of them end at once. */
static void unmap(void)
{
	unsigned long checksum;

	area_free(area, MAPPINGS * PAGE);
	ktap_check(count_rows(&checksum) == 0, "unmapped rows are live");
	ktap_check(status_value("rows_used") >= count,
		   "the rows of ended mappings are gone");
}

static void reset(void)
{
	ktap_need(file_write(TRAPSCOPE "/enable", "0") == 0 &&
		  file_write(TRAPSCOPE "/reset", "1") == 0, "reset");
	ktap_check(status_value("rows_used") == 0, "%lu rows after a reset",
		   status_value("rows_used"));
	ktap_need(file_write(TRAPSCOPE "/enable", "1") == 0, "enable");
}

static const struct ktap_case cases[] = {
	{ "65,530 mappings have a row each", all_rows },
	{ "readers that stop half way", half_way },
	{ "65,530 mappings that end at once", unmap },
	{ "reset of as many rows", reset },
};

int main(void)
{
	module_needed();
	ktap_need(knob_set("/proc/sys/vm/max_map_count", "65530"),
		  "set vm.max_map_count");
	at_end(put_back);
	module_unload();
	module_load("rows=131072");
	return fault_plain(cases, ARRAY_SIZE(cases));
}

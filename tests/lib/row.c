// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

const char *const class_names[CLASS_COUNT] = {
	"anon-zero", "anon-alloc", "anon-huge", "file-read", "file-write",
	"hugetlb", "special",
	"cow-file", "cow-copy", "cow-reuse", "cow-zero", "cow-huge",
	"cow-hugetlb", "cow-unshare", "write-notify",
	"swap-in", "swap-cache",
	"stack-growth",
	"numa-hint", "uffd-missing", "uffd-wp", "uffd-minor", "uffd-rwp",
	"migration-wait", "device-private", "spurious",
	"sigsegv", "sigbus", "oom", "hwpoison",
};

size_t class_index(const char *name)
{
	for (size_t i = 0; i < CLASS_COUNT; i++)
		if (strcmp(name, class_names[i]) == 0)
			return i;
	ktap_need(false, "there is no class \"%s\"", name);
	abort();
}

/* "anon-zero:4,cow-zero:2", or "-" for nothing. */
static void parse_classes(char *text, struct row *row)
{
	char *rest = NULL;

	if (strcmp(text, "-") == 0)
		return;
	for (char *pair = strtok_r(text, ",", &rest); pair;
	     pair = strtok_r(NULL, ",", &rest)) {
		char *colon = strchr(pair, ':');
		unsigned long *count = &row->unnamed;

		ktap_need(colon != NULL, "no count in \"%s\"", pair);
		*colon = '\0';
		/* A row names seven classes; the faults of others are unnamed. */
		if (strcmp(pair, "unnamed"))
			count = &row->classes[class_index(pair)];
		*count += strtoul(colon + 1, NULL, 10);
	}
}

static void parse_row(const char *line, struct row *row)
{
	char state[16];
	char classes[1024];
	int fields;

	memset(row, 0, sizeof(*row));
	fields = sscanf(line,
			"%d %15s %lx-%lx %7s %lx %15s %lu %lu %lu %lu %1023s %79s %511[^\n]",
			&row->pid, state, &row->start, &row->end, row->perms,
			&row->offset, row->dev, &row->inode, &row->faults,
			&row->major, &row->retries, classes, row->comm,
			row->path);
	ktap_need(fields == 14, "%d columns, not 14, in \"%s\"", fields, line);
	row->live = strcmp(state, "live") == 0;
	ktap_need(row->live || strcmp(state, "gone") == 0,
		  "no such state: \"%s\"", state);
	parse_classes(classes, row);
}

void rows_each(bool (*each)(const struct row *row, void *data), void *data)
{
	static char line[4096];
	FILE *file = fopen(TRAPSCOPE "/vmas", "r");
	struct row row;

	ktap_need(file != NULL, "open " TRAPSCOPE "/vmas");
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#')
			continue;
		parse_row(line, &row);
		if (!each(&row, data))
			break;
	}
	fclose(file);
}

struct search {
	pid_t pid;
	bool live;
	bool anywhere;
	unsigned long address;
	size_t found;
	struct row *row;
};

static bool match(const struct row *row, void *data)
{
	struct search *search = data;

	if (row->pid != search->pid || row->live != search->live)
		return true;
	if (!search->anywhere && (search->address < row->start ||
				  search->address >= row->end))
		return true;
	search->found++;
	if (search->row)
		*search->row = *row;
	return true;
}

size_t rows_at(pid_t pid, const void *address, bool live, struct row *row)
{
	struct search search = {
		.pid = pid,
		.live = live,
		.address = (unsigned long)address,
		.row = row,
	};

	if (row)
		memset(row, 0, sizeof(*row));
	rows_each(match, &search);
	return search.found;
}

size_t rows_of(pid_t pid, bool live)
{
	struct search search = { .pid = pid, .live = live, .anywhere = true };

	rows_each(match, &search);
	return search.found;
}

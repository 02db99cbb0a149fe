// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

/* Reads of a book before giving up: more than a quiet guest ever needs. */
#define BOOK_TRIES	200

/* Static, so that reading causes no fault once it was used. */
static char text[64 << 10];

bool module_loaded(void)
{
	return access(TRAPSCOPE "/faults", F_OK) == 0;
}

static void load(const char *path)
{
	size_t used = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY);

	ktap_need(fd >= 0, "open %s", path);
	while ((got = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += got;
	close(fd);
	ktap_need(got == 0, "read %s", path);
	text[used] = '\0';
}

/* The line that starts with @key and a blank; NULL if there is none. */
static const char *find_line(const char *key)
{
	size_t length = strlen(key);
	const char *line = text;

	while (line && *line) {
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return line;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return NULL;
}

/* Column @n of a line, counted from 0. */
static unsigned long number_at(const char *line, unsigned int n)
{
	while (n--) {
		line += strcspn(line, " \n");
		line += strspn(line, " ");
	}
	return strtoul(line, NULL, 10);
}

unsigned long vmstat(const char *name)
{
	const char *line;

	load("/proc/vmstat");
	line = find_line(name);
	ktap_need(line != NULL, "no %s in /proc/vmstat", name);
	return number_at(line, 1);
}

/* The line whose second column is @name; the first is @kind unless NULL. */
static const char *find_second(const char *kind, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line && *line;) {
		size_t first = strcspn(line, " \n");
		const char *second = line + first;

		second += strspn(second, " ");
		if (strncmp(second, name, length) == 0 &&
		    second[length] == ' ' &&
		    (!kind || (strlen(kind) == first &&
			       strncmp(line, kind, first) == 0)))
			return line;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return NULL;
}

unsigned long faults_class(const char *class, enum column column)
{
	const char *line;

	load(TRAPSCOPE "/faults");
	line = find_second(NULL, class);
	ktap_need(line != NULL, "no class %s in " TRAPSCOPE "/faults", class);
	return number_at(line, column);
}

unsigned long kernel_faults(const char *kind, const char *name, bool user)
{
	const char *line;

	load(TRAPSCOPE "/kernel");
	line = find_second(kind, name);
	ktap_need(line != NULL, "no %s %s in " TRAPSCOPE "/kernel", kind, name);
	return number_at(line, user ? 3 : 2);
}

unsigned long faults_total(enum column column)
{
	const char *line;

	load(TRAPSCOPE "/faults");
	line = find_line("total");
	ktap_need(line != NULL, "no total in " TRAPSCOPE "/faults");
	return number_at(line, column);
}

unsigned long status_value(const char *item)
{
	const char *line;

	load(TRAPSCOPE "/status");
	line = find_line(item);
	ktap_need(line != NULL, "no %s in " TRAPSCOPE "/status", item);
	return number_at(line, 1);
}

void never_quiet(void)
{
	ktap_need(false, "the machine is never quiet: end what runs beside this");
}

void check_nothing_in_flight(void)
{
	unsigned long count = status_value("in_flight");

	for (int i = 0; i < 100 && count; i++) {
		usleep(10000);
		count = status_value("in_flight");
	}
	ktap_check(count == 0, "%lu calls are under way", count);
}

void book_read(struct book *book)
{
	for (int i = 0; i < BOOK_TRIES; i++) {
		book->total = faults_total(COMPLETED);
		book->pgfault = vmstat("pgfault");
		/*
		 * A task may sit between the kernel's count and trapscope's, and be on
		 * its way before the last look: then that one finds it counted.
		 */
		if (!status_value("in_flight") &&
		    faults_total(COMPLETED) == book->total)
			return;
	}
	never_quiet();
}

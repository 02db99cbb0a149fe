// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>

#include "fault.h"
#include "files.h"

const struct module_file module_files[FILE_COUNT] = {
	{ "README", false }, { "status", false }, { "faults", false },
	{ "latency", false }, { "vmas", false }, { "processes", false },
	{ "kernel", false }, { "enable", true }, { "reset", true },
	{ "filter", true }, { "async_pf", false }, { "idt/table", false },
	{ "idt/idtr", false }, { "idt/raw", false }, { "idt/check", false },
	{ "trace_idt/enable", true }, { "trace_idt/status", false },
	{ "trace_idt/table", false }, { "trace_idt/counts", false },
};

int file_open(const struct module_file *file, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRAPSCOPE "/%s", file->name);
	fd = open(path, flags | O_CLOEXEC);
	ktap_need(fd >= 0, "open %s", path);
	return fd;
}

static size_t there;

static int count(const char *path, const struct stat *stat, int type, struct FTW *place)
{
	(void)path;
	(void)stat;
	(void)place;
	there += type == FTW_F;
	return 0;
}

size_t files_there(void)
{
	there = 0;
	ktap_need(nftw(TRAPSCOPE, count, 8, FTW_PHYS) == 0, "walk " TRAPSCOPE);
	return there;
}

void files_complete(void)
{
	ktap_need(files_there() == FILE_COUNT,
		  "know all files: there are %zu, tests/lib/files.c has %d",
		  there, FILE_COUNT);
}

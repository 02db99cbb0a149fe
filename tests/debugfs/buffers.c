// SPDX-License-Identifier: GPL-2.0
/* Buffers that are not, or only by half, where the process may read and write. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "files.h"

static char whole[256 << 10];

/* What fits is there, and the next read goes on behind it. */
static void read_by_half(void)
{
	/* Between two pages that nobody may touch. */
	char *area = area_new(1, PROT_READ | PROT_WRITE);
	char *end = area + PAGE;

	write_pages(area, 1);
	ktap_need(file_write(TRAPSCOPE "/enable", "0") == 0, "0 to enable");
	for (size_t i = 0; i < FILE_COUNT; i++) {
		const char *name = module_files[i].name;
		int fd = file_open(&module_files[i], O_RDONLY);
		ssize_t size = pread(fd, whole, sizeof(whole), 0);
		ssize_t got = read(fd, end - 1, 64);

		ktap_check(size > 1 && got == 1 && end[-1] == whole[0],
			   "%s, a byte and what is no memory: %zd (%s)", name,
			   got, strerror(errno));
		got = read(fd, end, 64);
		ktap_check(got < 0 && errno == EFAULT, "%s, no memory: %zd",
			   name, got);
		got = read(fd, end - 2, 1);
		ktap_check(got == 1 && end[-2] == whole[1],
			   "%s, the next byte: %zd", name, got);
		close(fd);
	}
	area_free(area, PAGE);
	ktap_need(file_write(TRAPSCOPE "/enable", "1") == 0, "1 to enable");
}

static void written(void)
{
	char *area = area_new(1, PROT_READ | PROT_WRITE);
	char *end = area + PAGE;

	/* As far as it can be read it would be taken. */
	end[-1] = '0';
	for (size_t i = 0; i < FILE_COUNT; i++) {
		const char *name = module_files[i].name;
		char before[256], after[256];
		ssize_t got;
		int fd;

		if (!module_files[i].writable)
			continue;
		fd = file_open(&module_files[i], O_RDWR);
		memset(before, 0, sizeof(before));
		memset(after, 0, sizeof(after));
		ktap_need(pread(fd, before, sizeof(before) - 1, 0) > 0, "read %s", name);
		for (int outside = 0; outside < 2; outside++) {
			got = write(fd, end - !outside, 2);
			ktap_check(got < 0 && errno == EFAULT,
				   "%s took %zd bytes that are no memory", name,
				   got);
		}
		ktap_need(pread(fd, after, sizeof(after) - 1, 0) > 0, "read %s", name);
		ktap_check(strcmp(before, after) == 0, "%s is \"%s\" now", name, after);
		close(fd);
	}
	area_free(area, PAGE);
}

static void mapped(void)
{
	for (size_t i = 0; i < FILE_COUNT; i++) {
		int fd = file_open(&module_files[i], O_RDONLY);

		ktap_check(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) ==
			   MAP_FAILED && errno == ENODEV, "%s was mapped: %s",
			   module_files[i].name, strerror(errno));
		close(fd);
	}
}

static void put_back(void)
{
	file_write(TRAPSCOPE "/enable", "1");
}

static const struct ktap_case cases[] = {
	{ "reading: what fits, or EFAULT", read_by_half },
	{ "writing: EFAULT, and nothing has changed", written },
	{ "no file can be mapped", mapped },
};

int main(void)
{
	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	files_complete();
	at_end(put_back);
	return fault_plain(cases, ARRAY_SIZE(cases));
}

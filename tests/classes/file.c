// SPDX-License-Identifier: GPL-2.0
/* Files: in memory, and on an ext2 disk that wants to know of writes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"

#define PAGES		32
#define AROUND		16
#define AROUND_KNOB	"/sys/kernel/debug/fault_around_bytes"
#define DISK		"/dev/ram0"
#define MOUNT		"/tmp/trapscope-file"
#define FILE_ON_DISK	MOUNT "/file"

/* A file of PAGES pages that are all in the page cache. */
static int memory_file(void)
{
	int fd = memfd_create("file", 0);

	ktap_need(fd >= 0, "memfd_create");
	for (size_t i = 0; i < PAGES; i++) {
		static const char page[PAGE] = { 1 };

		ktap_need(write(fd, page, PAGE) == PAGE, "write");
	}
	return fd;
}

static void around_off(void)
{
	ktap_need(file_write(AROUND_KNOB, "4096") == 0, "write " AROUND_KNOB);
}

static void around_on(void)
{
	ktap_need(file_write(AROUND_KNOB, "65536") == 0, "write " AROUND_KNOB);
}

static void file_read_private(void)
{
	int fd = memory_file();
	char *area = area_map(PAGES, PROT_READ, MAP_PRIVATE, fd);

	around_off();
	watch_start(area);
	read_pages(area, PAGES);
	watch_stop();
	expect("file-read:%d", PAGES);
	area_free(area, PAGES * PAGE);
	close(fd);
}

/* One fault maps the aligned 16 pages around it. */
static void file_read_around(void)
{
	int fd = memory_file();
	char *room = area_new(PAGES + AROUND, PROT_NONE);
	unsigned long start = (unsigned long)room + AROUND * PAGE - 1;
	char *area = (char *)(start & ~(AROUND * PAGE - 1));

	ktap_need(mmap(area, PAGES * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED,
		       fd, 0) == area, "mmap");
	around_on();
	watch_start(area);
	read_pages(area, PAGES);
	watch_stop();
	expect("file-read:%d", PAGES / AROUND);
	area_free(room, (PAGES + AROUND) * PAGE);
	close(fd);
}

/* A new mapping of the file, written to page by page. */
static void written(int flags, int fd, const char *class)
{
	char *area = area_map(PAGES, PROT_READ | PROT_WRITE, flags, fd);

	watch_start(area);
	write_pages(area, PAGES);
	watch_stop();
	expect("%s:%d", class, PAGES);
	area_free(area, PAGES * PAGE);
	if (fd >= 0)
		close(fd);
}

static void file_write_shared(void)
{
	written(MAP_SHARED, memory_file(), "file-write");
}

static void file_write_hole(void)
{
	written(MAP_SHARED | MAP_ANONYMOUS, -1, "file-write");
}

static void cow_file(void)
{
	written(MAP_PRIVATE, memory_file(), "cow-file");
}

static void unmount_disk(void)
{
	umount(MOUNT);
	rmdir(MOUNT);
}

static int disk_file(void)
{
	static bool mounted;
	int fd;

	if (!mounted) {
		must_run("mke2fs -q " DISK " >/dev/null");
		mkdir(MOUNT, 0700);
		ktap_need(mount(DISK, MOUNT, "ext2", 0, "") == 0,
			  "mount " DISK);
		at_end(unmount_disk);
		mounted = true;
	}
	unlink(FILE_ON_DISK);
	fd = open(FILE_ON_DISK, O_RDWR | O_CREAT, 0600);
	ktap_need(fd >= 0, "open " FILE_ON_DISK);
	for (size_t i = 0; i < PAGES; i++) {
		static const char page[PAGE] = { 1 };

		ktap_need(write(fd, page, PAGE) == PAGE, "write");
	}
	ktap_need(fsync(fd) == 0, "fsync");
	return fd;
}

/* After a sync the pages are clean: the next write must be noticed again. */
static void write_notify(void)
{
	int fd = disk_file();
	char *area = area_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd);

	around_off();
	watch_start(area);
	read_pages(area, PAGES);
	watch_stop();
	expect("file-read:%d", PAGES);

	for (int round = 0; round < 2; round++) {
		watch_start(area);
		write_pages(area, PAGES);
		watch_stop();
		expect("write-notify:%d", PAGES);
		ktap_need(msync(area, PAGES * PAGE, MS_SYNC) == 0, "msync");
	}
	area_free(area, PAGES * PAGE);
	close(fd);
}

static void file_write_disk(void)
{
	written(MAP_SHARED, disk_file(), "file-write");
}

/* Nothing in the page cache and no read-ahead: each page comes from the disk. */
static void file_read_disk(void)
{
	int fd = disk_file();
	char *area;

	ktap_need(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0,
		  "POSIX_FADV_DONTNEED");
	area = area_map(PAGES, PROT_READ, MAP_SHARED, fd);
	ktap_need(madvise(area, PAGES * PAGE, MADV_RANDOM) == 0, "MADV_RANDOM");
	around_off();
	watch_start(area);
	read_pages(area, PAGES);
	watch_stop();
	expect_major("file-read:%d", PAGES);
	area_free(area, PAGES * PAGE);
	close(fd);
}

static const struct ktap_case cases[] = {
	{ "file-read: pages of the page cache", file_read_private },
	{ "file-read: one fault for the pages around", file_read_around },
	{ "file-read: pages that are read from a disk", file_read_disk },
	{ "file-write: a file in memory", file_write_shared },
	{ "file-write: pages that the file does not have yet", file_write_hole },
	{ "file-write: a file on a disk", file_write_disk },
	{ "cow-file: writes to a private mapping", cow_file },
	{ "write-notify: pages of a disk file that are clean", write_notify },
};

int main(void)
{
	if (!knob_set(AROUND_KNOB, "4096"))
		ktap_skip_all("no " AROUND_KNOB ": mount debugfs, be root");
	return fault_main(cases, ARRAY_SIZE(cases));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Causes page faults of every family, in mappings with names that the report can
 * show. Usage: tour FOLDER, where FOLDER is on a file system that writes back.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

#define PAGE	4096UL
#define HUGE	(2UL << 20)

static void die(const char *what)
{
	fprintf(stderr, "tour: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *map(size_t pages, int flags, int fd)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static char *anon(const char *name, size_t pages)
{
	char *p = map(pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	/* Only a nicety of the report: not every kernel has it. */
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, pages * PAGE, name);
	return p;
}

static void read_pages(const volatile char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		(void)p[i * PAGE];
}

static void write_pages(volatile char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		p[i * PAGE] = (char)(i + 1);
}

/* Runs the body in a child; the signal it has to end with, or 0. */
static void in_child(void (*body)(void *), void *arg, int signal)
{
	struct rlimit no_core = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		body(arg);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (signal ? !WIFSIGNALED(status) || WTERMSIG(status) != signal : status) {
		fprintf(stderr, "tour: child ended with status 0x%x, not by signal %d\n",
			status, signal);
		exit(1);
	}
}

static void write_range(void *p)
{
	write_pages(p, 256);
}

static void read_range(void *p)
{
	read_pages(p, 256);
}

static void anonymous(void)
{
	char *p = anon("tour-zero", 512);

	read_pages(p, 512);
	write_pages(p, 512);
	munmap(p, 512 * PAGE);

	p = anon("tour-fork", 256);
	write_pages(p, 256);
	/* The child copies, the parent then has the pages to itself. */
	in_child(write_range, p, 0);
	write_pages(p, 256);

	if (madvise(p, 256 * PAGE, MADV_DONTNEED))
		die("MADV_DONTNEED");
	write_pages(p, 256);
	munmap(p, 256 * PAGE);
}

static void files(const char *folder)
{
	char path[4096];
	char *p;
	int fd;

	snprintf(path, sizeof(path), "%s/tour-file", folder);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, 128 * PAGE))
		die(path);

	p = map(128, MAP_SHARED, fd);
	write_pages(p, 64);
	read_pages(p + 64 * PAGE, 64);
	/* Clean pages tell the file system before they are written again. */
	if (msync(p, 128 * PAGE, MS_SYNC))
		die("msync");
	write_pages(p, 128);
	munmap(p, 128 * PAGE);

	p = map(128, MAP_PRIVATE, fd);
	read_pages(p, 64);
	write_pages(p, 128);
	munmap(p, 128 * PAGE);
	close(fd);
}

static void __attribute__((noinline)) descend(int depth)
{
	char frame[PAGE];

	/* To the compiler all of the frame is in use, before and after. */
	frame[0] = (char)depth;
	__asm__ volatile("" : : "r"(frame) : "memory");
	if (depth > 1)
		descend(depth - 1);
	__asm__ volatile("" : : "r"(frame) : "memory");
}

static void grow_stack(void *unused)
{
	(void)unused;
	descend(200);
}

static void swap(void)
{
	char *p = anon("tour-swap", 256);

	write_pages(p, 256);
	if (madvise(p, 256 * PAGE, MADV_PAGEOUT))
		die("MADV_PAGEOUT");
	/* What the child read in is found in the swap cache by the parent. */
	in_child(read_range, p, 0);
	read_pages(p, 256);
	munmap(p, 256 * PAGE);
}

static void huge(void)
{
	char *p = anon("tour-thp", 3 * HUGE / PAGE);
	char *aligned = (char *)(((unsigned long)p + HUGE - 1) & ~(HUGE - 1));

	if (madvise(aligned, 2 * HUGE, MADV_HUGEPAGE))
		die("MADV_HUGEPAGE");
	aligned[0] = 1;
	aligned[HUGE] = 1;
	in_child(write_range, aligned, 0);
	munmap(p, 3 * HUGE);

	p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED)
		die("mmap of huge pages; set vm.nr_hugepages to 4 or more");
	p[0] = 1;
	in_child(write_range, p, 0);
	munmap(p, 2 * HUGE);
}

/* Serves the faults of a range: missing pages are copied, protected ones freed. */
static void *serve(void *arg)
{
	static char page[PAGE];
	int fd = *(int *)arg;
	struct uffd_msg msg;

	while (read(fd, &msg, sizeof(msg)) == sizeof(msg)) {
		unsigned long at = msg.arg.pagefault.address & ~(PAGE - 1);

		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
			struct uffdio_writeprotect allow = {
				.range = { .start = at, .len = PAGE },
			};

			if (ioctl(fd, UFFDIO_WRITEPROTECT, &allow))
				die("UFFDIO_WRITEPROTECT");
		} else {
			struct uffdio_copy copy = {
				.dst = at, .src = (unsigned long)page, .len = PAGE,
			};

			if (ioctl(fd, UFFDIO_COPY, &copy))
				die("UFFDIO_COPY");
		}
	}
	return NULL;
}

static void userfault(void)
{
	char *p = anon("tour-uffd", 32);
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct uffdio_register range = {
		.range = { .start = (unsigned long)p, .len = 32 * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = range.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	pthread_t server;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		die("userfaultfd");
	errno = pthread_create(&server, NULL, serve, &fd);
	if (errno)
		die("pthread_create");
	read_pages(p, 32);
	if (ioctl(fd, UFFDIO_WRITEPROTECT, &protect))
		die("UFFDIO_WRITEPROTECT");
	write_pages(p, 32);
	pthread_cancel(server);
	pthread_join(server, NULL);
	munmap(p, 32 * PAGE);
	close(fd);
}

static long hint_faults(void)
{
	FILE *f = fopen("/proc/vmstat", "r");
	char line[128];
	long n = -1;

	if (!f)
		die("/proc/vmstat");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "numa_hint_faults %ld", &n) == 1)
			break;
	fclose(f);
	return n;
}

/* Runs until the NUMA scanner has come by; with one node it never does. */
static void numa(void)
{
	size_t pages = 512;
	char *p = anon("tour-numa", pages);
	long before = hint_faults();
	time_t end = time(NULL) + 3;

	while (access("/sys/devices/system/node/node1", F_OK) == 0 &&
	       hint_faults() == before && time(NULL) < end) {
		for (int i = 0; i < 200; i++)
			write_pages(p, pages);
	}
	munmap(p, pages * PAGE);
}

static void touch_nothing(void *unused)
{
	(void)unused;
	*(volatile char *)PAGE = 1;
}

static void touch_no_access(void *unused)
{
	char *p = anon("tour-guard", 1);

	(void)unused;
	mprotect(p, PAGE, PROT_NONE);
	*(volatile char *)p = 1;
}

static void touch_guard(void *unused)
{
	char *p = anon("tour-guard", 2);

	(void)unused;
	/* MADV_GUARD_INSTALL: a marker in the page table, found by the fault. */
	if (madvise(p, PAGE, 102))
		die("MADV_GUARD_INSTALL");
	*(volatile char *)p = 1;
}

static void touch_past_end(void *folder)
{
	char path[4096];
	char *p;
	int fd;

	snprintf(path, sizeof(path), "%s/tour-short", (char *)folder);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		die(path);
	p = map(1, MAP_SHARED, fd);
	(void)*(volatile char *)p;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: tour FOLDER\n");
		return 2;
	}
	anonymous();
	files(argv[1]);
	in_child(grow_stack, NULL, 0);
	swap();
	huge();
	userfault();
	numa();
	in_child(touch_nothing, NULL, SIGSEGV);
	in_child(touch_no_access, NULL, SIGSEGV);
	in_child(touch_guard, NULL, SIGSEGV);
	in_child(touch_past_end, argv[1], SIGBUS);
	return 0;
}

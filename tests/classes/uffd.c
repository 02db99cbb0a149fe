// SPDX-License-Identifier: GPL-2.0
/* Faults that a thread of this process serves by userfaultfd. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	16

/* Newer than the C library's kernel headers may be. */
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON		(1 << 14)
#define UFFDIO_POISON			_IOWR(UFFDIO, 0x08, struct uffdio_poison)
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC		(1 << 15)
#endif
#ifndef UFFD_FEATURE_RWP
#define UFFD_FEATURE_RWP		(1 << 17)
#define UFFD_FEATURE_RWP_ASYNC		(1 << 18)
#define UFFDIO_REGISTER_MODE_RWP	((__u64)1 << 3)
#define UFFD_PAGEFAULT_FLAG_RWP		(1 << 3)
#define UFFDIO_RWPROTECT_MODE_RWP	((__u64)1 << 0)
#define UFFDIO_RWPROTECT		_IOWR(UFFDIO, 0x09, struct uffdio_rwprotect)
struct uffdio_rwprotect {
	struct uffdio_range range;
	__u64 mode;
};
#endif

static struct {
	int fd;
	int stop[2];
	pthread_t thread;
	unsigned long events;
	unsigned long page_size;
	/* How one event is served; false if it is of the wrong kind. */
	bool (*serve)(const struct uffd_msg *msg, struct uffdio_range range);
	bool wrong;
} server;

static char source[HUGE] __attribute__((aligned(4096)));

static bool serve_missing(const struct uffd_msg *msg, struct uffdio_range range)
{
	struct uffdio_copy copy = {
		.dst = range.start,
		.src = (unsigned long)source,
		.len = range.len,
	};

	if (msg->arg.pagefault.flags & (UFFD_PAGEFAULT_FLAG_WP |
					UFFD_PAGEFAULT_FLAG_MINOR |
					UFFD_PAGEFAULT_FLAG_RWP))
		return false;
	return ioctl(server.fd, UFFDIO_COPY, &copy) == 0;
}

static bool serve_wp(const struct uffd_msg *msg, struct uffdio_range range)
{
	struct uffdio_writeprotect unprotect = { .range = range };

	return (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) &&
	       ioctl(server.fd, UFFDIO_WRITEPROTECT, &unprotect) == 0;
}

static bool serve_minor(const struct uffd_msg *msg, struct uffdio_range range)
{
	struct uffdio_continue go_on = { .range = range };

	return (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR) &&
	       ioctl(server.fd, UFFDIO_CONTINUE, &go_on) == 0;
}

static bool serve_rwp(const struct uffd_msg *msg, struct uffdio_range range)
{
	struct uffdio_rwprotect unprotect = { .range = range };

	return (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_RWP) &&
	       ioctl(server.fd, UFFDIO_RWPROTECT, &unprotect) == 0;
}

static void *serve_all(void *unused)
{
	struct pollfd wait[2] = {
		{ .fd = server.fd, .events = POLLIN },
		{ .fd = server.stop[0], .events = POLLIN },
	};
	struct uffd_msg msg;

	(void)unused;
	for (;;) {
		poll(wait, 2, -1);
		if (wait[1].revents)
			return NULL;
		if (read(server.fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		server.events++;
		if (!server.serve(&msg, (struct uffdio_range){
				msg.arg.pagefault.address &
					~(server.page_size - 1),
				server.page_size }))
			server.wrong = true;
	}
}

/* False, and the case is skipped, if the kernel lacks the feature. */
static bool open_server(char *area, size_t bytes, unsigned long features,
			unsigned long mode)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register range = {
		.range = { (unsigned long)area, bytes },
		.mode = mode,
	};

	server.fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ktap_need(server.fd >= 0, "userfaultfd");
	if (ioctl(server.fd, UFFDIO_API, &api)) {
		ktap_skip("no feature 0x%lx of userfaultfd", features);
		close(server.fd);
		return false;
	}
	ktap_need(ioctl(server.fd, UFFDIO_REGISTER, &range) == 0,
		  "UFFDIO_REGISTER");
	return true;
}

static void start_server(bool (*serve)(const struct uffd_msg *msg,
				       struct uffdio_range range),
			 unsigned long page_size)
{
	server.serve = serve;
	server.page_size = page_size;
	server.events = 0;
	server.wrong = false;
	ktap_need(pipe(server.stop) == 0, "pipe");
	ktap_need(pthread_create(&server.thread, NULL, serve_all, NULL) == 0,
		  "pthread_create");
}

static void stop_server(unsigned long events)
{
	ktap_need(write(server.stop[1], "", 1) == 1, "stop the server");
	pthread_join(server.thread, NULL);
	close(server.stop[0]);
	close(server.stop[1]);
	ktap_check(!server.wrong, "an event was of another kind");
	ktap_check(server.events == events, "%lu events, not %lu",
		   server.events, events);
	if (module_loaded())
		ktap_check(watch_grown_retries() == events,
			   "%lu retries, not %lu", watch_grown_retries(),
			   events);
}

static void missing_anon(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	if (!open_server(area, PAGES * PAGE, 0, UFFDIO_REGISTER_MODE_MISSING))
		return;
	start_server(serve_missing, PAGE);
	watch_start(area);
	read_pages(area, PAGES / 2);
	write_pages(area + PAGES / 2 * PAGE, PAGES / 2);
	watch_stop();
	expect("uffd-missing:%d", PAGES);
	stop_server(PAGES);
	close(server.fd);
	area_free(area, PAGES * PAGE);
}

static void missing_shared(void)
{
	char *area = area_map(PAGES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1);

	if (!open_server(area, PAGES * PAGE, 0, UFFDIO_REGISTER_MODE_MISSING))
		return;
	start_server(serve_missing, PAGE);
	watch_start(area);
	write_pages(area, PAGES);
	watch_stop();
	expect("uffd-missing:%d", PAGES);
	stop_server(PAGES);
	close(server.fd);
	area_free(area, PAGES * PAGE);
}

static void missing_hugetlb(void)
{
	char *area;

	if (!knob_set("/proc/sys/vm/nr_hugepages", "2")) {
		ktap_skip("no hugetlb");
		return;
	}
	area = area_huge(1, PROT_READ | PROT_WRITE, MAP_HUGETLB);
	if (!open_server(area, HUGE, UFFD_FEATURE_MISSING_HUGETLBFS,
			 UFFDIO_REGISTER_MODE_MISSING))
		return;
	start_server(serve_missing, HUGE);
	watch_start(area);
	touch_write(area);
	watch_stop();
	expect("uffd-missing:1");
	stop_server(1);
	close(server.fd);
	area_free(area, HUGE);
}

static void write_protect(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	struct uffdio_writeprotect protect = {
		.range = { (unsigned long)area, PAGES * PAGE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	write_pages(area, PAGES);
	if (!open_server(area, PAGES * PAGE, UFFD_FEATURE_PAGEFAULT_FLAG_WP,
			 UFFDIO_REGISTER_MODE_WP))
		return;
	ktap_need(ioctl(server.fd, UFFDIO_WRITEPROTECT, &protect) == 0,
		  "UFFDIO_WRITEPROTECT");
	start_server(serve_wp, PAGE);
	watch_start(area);
	read_pages(area, PAGES);
	write_pages(area, PAGES);
	watch_stop();
	expect("uffd-wp:%d", PAGES);
	stop_server(PAGES);
	close(server.fd);
	area_free(area, PAGES * PAGE);
}

/* The page is in the file, but not in this mapping of it. */
static void minor(void)
{
	static const char page[PAGE] = { 1 };
	int fd = memfd_create("minor", 0);
	char *area;

	ktap_need(fd >= 0, "memfd_create");
	for (size_t i = 0; i < PAGES; i++)
		ktap_need(write(fd, page, PAGE) == PAGE, "write");
	area = area_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	if (!open_server(area, PAGES * PAGE, UFFD_FEATURE_MINOR_SHMEM,
			 UFFDIO_REGISTER_MODE_MINOR))
		return;
	start_server(serve_minor, PAGE);
	watch_start(area);
	read_pages(area, PAGES / 2);
	write_pages(area + PAGES / 2 * PAGE, PAGES / 2);
	watch_stop();
	expect("uffd-minor:%d", PAGES);
	stop_server(PAGES);
	close(server.fd);
	area_free(area, PAGES * PAGE);
	close(fd);
}

static void read_write_protect(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	struct uffdio_rwprotect protect = {
		.range = { (unsigned long)area, PAGES * PAGE },
		.mode = UFFDIO_RWPROTECT_MODE_RWP,
	};

	write_pages(area, PAGES);
	if (!open_server(area, PAGES * PAGE, UFFD_FEATURE_RWP,
			 UFFDIO_REGISTER_MODE_RWP))
		return;
	ktap_need(ioctl(server.fd, UFFDIO_RWPROTECT, &protect) == 0,
		  "UFFDIO_RWPROTECT");
	start_server(serve_rwp, PAGE);
	watch_start(area);
	read_pages(area, PAGES / 2);
	write_pages(area + PAGES / 2 * PAGE, PAGES / 2);
	watch_stop();
	expect("uffd-rwp:%d", PAGES);
	stop_server(PAGES);
	close(server.fd);
	area_free(area, PAGES * PAGE);
}

/* The kernel takes the protection away by itself: nobody waits. */
static void write_protect_async(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	struct uffdio_writeprotect protect = {
		.range = { (unsigned long)area, PAGES * PAGE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	write_pages(area, PAGES);
	if (!open_server(area, PAGES * PAGE, UFFD_FEATURE_WP_ASYNC,
			 UFFDIO_REGISTER_MODE_WP))
		return;
	ktap_need(ioctl(server.fd, UFFDIO_WRITEPROTECT, &protect) == 0,
		  "UFFDIO_WRITEPROTECT");
	watch_start(area);
	write_pages(area, PAGES);
	watch_stop();
	expect("uffd-wp:%d", PAGES);
	ktap_check(watch_grown_retries() == 0, "%lu retries",
		   watch_grown_retries());
	close(server.fd);
	area_free(area, PAGES * PAGE);
}

static void read_write_protect_async(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	struct uffdio_rwprotect protect = {
		.range = { (unsigned long)area, PAGES * PAGE },
		.mode = UFFDIO_RWPROTECT_MODE_RWP,
	};

	write_pages(area, PAGES);
	if (!open_server(area, PAGES * PAGE,
			 UFFD_FEATURE_RWP | UFFD_FEATURE_RWP_ASYNC,
			 UFFDIO_REGISTER_MODE_RWP))
		return;
	ktap_need(ioctl(server.fd, UFFDIO_RWPROTECT, &protect) == 0,
		  "UFFDIO_RWPROTECT");
	watch_start(area);
	read_pages(area, PAGES);
	watch_stop();
	expect("uffd-rwp:%d", PAGES);
	ktap_check(watch_grown_retries() == 0, "%lu retries",
		   watch_grown_retries());
	close(server.fd);
	area_free(area, PAGES * PAGE);
}

static void raise_each(char *area, int wanted)
{
	for (size_t i = 0; i < PAGES; i++) {
		int code = 0;
		bool raised = touch_raises(area + i * PAGE, false, SIGBUS,
					   &code);

		ktap_check(raised && code == wanted, "page %zu: code %d", i,
			   code);
	}
}

/* Nobody serves: the access fails. */
static void sigbus(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	if (!open_server(area, PAGES * PAGE, UFFD_FEATURE_SIGBUS,
			 UFFDIO_REGISTER_MODE_MISSING))
		return;
	watch_start(area);
	raise_each(area, BUS_ADRERR);
	watch_stop();
	expect("sigbus:%d", PAGES);
	close(server.fd);
	area_free(area, PAGES * PAGE);
}

static void poison(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	struct uffdio_poison poison = {
		.range = { (unsigned long)area, PAGES * PAGE },
	};

	if (!open_server(area, PAGES * PAGE, UFFD_FEATURE_POISON,
			 UFFDIO_REGISTER_MODE_MISSING))
		return;
	ktap_need(ioctl(server.fd, UFFDIO_POISON, &poison) == 0,
		  "UFFDIO_POISON");
	watch_start(area);
	raise_each(area, BUS_MCEERR_AR);
	watch_stop();
	expect("hwpoison:%d", PAGES);
	close(server.fd);
	area_free(area, PAGES * PAGE);
}

static const struct ktap_case cases[] = {
	{ "uffd-missing: private memory", missing_anon },
	{ "uffd-missing: shared memory", missing_shared },
	{ "uffd-missing: a hugetlb page", missing_hugetlb },
	{ "uffd-wp: writes to protected pages", write_protect },
	{ "uffd-minor: pages that the file has", minor },
	{ "uffd-rwp: any access to protected pages", read_write_protect },
	{ "uffd-wp: resolved by the kernel", write_protect_async },
	{ "uffd-rwp: resolved by the kernel", read_write_protect_async },
	{ "sigbus: nobody serves", sigbus },
	{ "hwpoison: pages that the server poisoned", poison },
};

int main(void)
{
	memset(source, 1, sizeof(source));
	return fault_main(cases, ARRAY_SIZE(cases));
}

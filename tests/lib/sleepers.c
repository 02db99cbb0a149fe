// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "sleepers.h"

#define PATIENCE_MS	60000

static pthread_t sleepers[MAX_SLEEPERS];
static size_t sleeping;
static char *area;
static size_t area_pages;
static int uffd, reading;
static ssize_t got;

static void *sleep_in_fault(void *page)
{
	touch_read(page);
	return NULL;
}

/* Memory of which nobody brings the pages. */
static void watch(size_t pages)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register missing = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	area = area_new(pages, PROT_READ | PROT_WRITE);
	area_pages = pages;
	missing.range.start = (unsigned long)area;
	missing.range.len = pages * PAGE;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ktap_need(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0 &&
		  ioctl(uffd, UFFDIO_REGISTER, &missing) == 0, "userfaultfd");
}

static void bring(size_t from, size_t pages)
{
	struct uffdio_zeropage zero = {
		.range = { (unsigned long)area + from * PAGE, pages * PAGE },
	};

	ktap_need(ioctl(uffd, UFFDIO_ZEROPAGE, &zero) == 0, "UFFDIO_ZEROPAGE");
}

/* Each of them asks for its page once. */
static void wait_asleep(size_t count)
{
	for (size_t asleep = 0; asleep < count;) {
		struct uffd_msg events[64];
		struct pollfd wait = { .fd = uffd, .events = POLLIN };
		ssize_t bytes = poll(&wait, 1, PATIENCE_MS) == 1 ?
			read(uffd, events, sizeof(events)) : 0;

		ktap_need(bytes > 0, "have thread %zu asleep", asleep);
		asleep += bytes / sizeof(events[0]);
	}
}

void sleepers_start(size_t count)
{
	pthread_attr_t small;

	ktap_need(!sleeping && count <= MAX_SLEEPERS, "start %zu threads", count);
	watch(count);
	/* Small stacks, so that thousands of them find room. */
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
	for (; sleeping < count; sleeping++)
		ktap_need(pthread_create(&sleepers[sleeping], &small, sleep_in_fault,
					 area + sleeping * PAGE) == 0,
			  "thread %zu", sleeping);
	pthread_attr_destroy(&small);
	wait_asleep(count);
}

static void *sleep_in_read(void *buffer)
{
	got = read(reading, buffer, SLEEPERS_READ);
	return NULL;
}

void sleepers_read(int fd)
{
	ktap_need(!sleeping, "be the only one asleep");
	watch(2);
	bring(0, 1);
	reading = fd;
	ktap_need(pthread_create(&sleepers[0], NULL, sleep_in_read,
				 area + PAGE - 1) == 0, "a thread");
	sleeping = 1;
	wait_asleep(1);
}

/* What waits for a page waits for one of the last. */
void sleepers_wake(void)
{
	bring(area_pages - sleeping, sleeping);
	for (size_t i = 0; i < sleeping; i++)
		pthread_join(sleepers[i], NULL);
	close(uffd);
	area_free(area, area_pages * PAGE);
	sleeping = 0;
}

ssize_t sleepers_end_read(void)
{
	sleepers_wake();
	return got;
}

// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "sleepers.h"

static pthread_t sleepers[MAX_SLEEPERS];
static size_t sleeping;
static char *area;
static int uffd;

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
	missing.range.start = (unsigned long)area;
	missing.range.len = pages * PAGE;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ktap_need(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0 &&
		  ioctl(uffd, UFFDIO_REGISTER, &missing) == 0, "userfaultfd");
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
	/* Each of them asks for its page once. */
	for (size_t asleep = 0; asleep < count;) {
		struct uffd_msg events[64];
		ssize_t got = read(uffd, events, sizeof(events));

		ktap_need(got > 0, "wait for thread %zu", asleep);
		asleep += got / sizeof(events[0]);
	}
}

void sleepers_wake(void)
{
	struct uffdio_zeropage zero = {
		.range = { (unsigned long)area, sleeping * PAGE },
	};

	ktap_need(ioctl(uffd, UFFDIO_ZEROPAGE, &zero) == 0, "UFFDIO_ZEROPAGE");
	for (size_t i = 0; i < sleeping; i++)
		pthread_join(sleepers[i], NULL);
	close(uffd);
	area_free(area, sleeping * PAGE);
	sleeping = 0;
}

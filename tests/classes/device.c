// SPDX-License-Identifier: GPL-2.0
/* Pages that a device has: the kernel's test_hmm plays the device. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	16
#define DEVICE	"/dev/hmm_dmirror0"
#define MODULE	"/lib/trapscope/test_hmm.ko"

/* The interface of lib/test_hmm.c. */
struct device_command {
	uint64_t address;
	uint64_t buffer;
	uint64_t pages;
	uint64_t done;
	uint64_t faults;
};
#define TO_DEVICE	_IOWR('H', 0x02, struct device_command)
#define EXCLUSIVE	_IOWR('H', 0x05, struct device_command)

static char buffer[PAGES * PAGE];

static bool insert_module(void)
{
	int fd = open(MODULE, O_RDONLY);
	bool inserted;

	if (fd < 0)
		return false;
	inserted = syscall(__NR_finit_module, fd, "", 0) == 0;
	close(fd);
	return inserted;
}

static void remove_module(void)
{
	syscall(__NR_delete_module, "test_hmm", 0);
}

/* The device takes the pages; the processor's access brings them back. */
static void taken(unsigned long request)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	struct device_command command = {
		.address = (unsigned long)area,
		.buffer = (unsigned long)buffer,
		.pages = PAGES,
	};
	int fd = open(DEVICE, O_RDWR);

	ktap_need(fd >= 0, "open " DEVICE);
	write_pages(area, PAGES);
	ktap_need(ioctl(fd, request, &command) == 0, "give the pages away");
	ktap_need(command.done == PAGES, "the device took other pages");
	watch_start(area);
	read_pages(area, PAGES / 2);
	write_pages(area + PAGES / 2 * PAGE, PAGES / 2);
	watch_stop();
	expect("device-private:%d", PAGES);
	area_free(area, PAGES * PAGE);
	close(fd);
}

static void private_memory(void)
{
	taken(TO_DEVICE);
}

static void exclusive_access(void)
{
	taken(EXCLUSIVE);
}

static const struct ktap_case cases[] = {
	{ "device-private: pages in the device's memory", private_memory },
	{ "device-private: pages of which it has sole use", exclusive_access },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(buffer); i += PAGE)
		touch_write(buffer + i);
	if (access(DEVICE, F_OK)) {
		if (!insert_module() || access(DEVICE, F_OK))
			ktap_skip_all("no " MODULE ": build it with CONFIG_TEST_HMM=m and add it to the guest");
		at_end(remove_module);
	}
	return fault_main(cases, ARRAY_SIZE(cases));
}

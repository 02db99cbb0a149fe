// SPDX-License-Identifier: GPL-2.0
/*
 * Who sees addresses: nobody does where /proc/kallsyms, opened by the same process at
 * the same time, shows none; root with all capabilities sees those that it shows.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"

#define RESTRICT	"/proc/sys/kernel/kptr_restrict"
#define PARANOID	"/proc/sys/kernel/perf_event_paranoid"

/* Gives the capability to read kernel addresses up, or takes it back. */
static void set_syslog(bool on)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	unsigned int bit = CAP_TO_MASK(CAP_SYSLOG);
	unsigned int *effective = &sets[CAP_TO_INDEX(CAP_SYSLOG)].effective;

	ktap_need(syscall(SYS_capget, &head, sets) == 0, "capget");
	*effective = on ? *effective | bit : *effective & ~bit;
	ktap_need(syscall(SYS_capset, &head, sets) == 0, "capset");
}

static void put(const char *path, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	ktap_need(file_write(path, text) == 0, "write %s to %s", text, path);
}

static int open_file(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRAPSCOPE "/idt/%s", name);
	fd = open(path, O_RDONLY);
	ktap_need(fd >= 0, "open %s", path);
	return fd;
}

/* Whether there is a kernel address in what the file shows; closes it. */
static bool shows(int fd)
{
	static char text[1 << 17];
	size_t used = 0;
	ssize_t got;
	char *at;

	while (used < sizeof(text) - 1 &&
	       (got = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += got;
	close(fd);
	ktap_need(used > 0, "read a file");
	text[used] = '\0';
	for (at = text; (at = strstr(at, "ffff")); at++)
		if (strspn(at, "0123456789abcdef") == 16)
			return true;
	return false;
}

static bool table_shows(void)
{
	return shows(open_file("table"));
}

static bool idtr_shows(void)
{
	return shows(open_file("idtr"));
}

static bool raw_opens(void)
{
	int fd = open(TRAPSCOPE "/idt/raw", O_RDONLY);

	if (fd < 0) {
		ktap_check(errno == EPERM, "raw: %s", strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

static void as_kallsyms(bool syslog)
{
	static const int paranoid[] = { 2, 1, -1 };
	bool known, table, idtr, raw;
	size_t i;
	int level;

	for (level = 0; level <= 2; level++) {
		for (i = 0; i < ARRAY_SIZE(paranoid); i++) {
			put(RESTRICT, level);
			put(PARANOID, paranoid[i]);
			set_syslog(syslog);
			known = shows(open("/proc/kallsyms", O_RDONLY));
			table = table_shows();
			idtr = idtr_shows();
			raw = raw_opens();
			set_syslog(true);
			ktap_check(known || !(table || idtr || raw),
				   "kptr_restrict %d, perf_event_paranoid %d: kallsyms hides addresses, table %s, idtr %s, raw %s",
				   level, paranoid[i], table ? "shows" : "hides",
				   idtr ? "shows" : "hides", raw ? "opens" : "does not open");
			ktap_check(!syslog || known == (table && idtr && raw),
				   "kptr_restrict %d, perf_event_paranoid %d: kallsyms %s, table %d, idtr %d, raw %d",
				   level, paranoid[i], known ? "shows" : "hides", table, idtr, raw);
			ktap_check(table == idtr && idtr == raw,
				   "kptr_restrict %d, perf_event_paranoid %d: table %d, idtr %d, raw %d",
				   level, paranoid[i], table, idtr, raw);
		}
	}
}

static void with_capability(void)
{
	as_kallsyms(true);
}

static void without_capability(void)
{
	as_kallsyms(false);
}

/* As with /proc/kallsyms: the file was opened by someone who may, or may not. */
static void later_reader(void)
{
	int fd;

	put(RESTRICT, 1);
	fd = open_file("table");
	set_syslog(false);
	ktap_check(shows(fd), "opened with the capability, read without: no addresses");
	fd = open_file("table");
	set_syslog(true);
	ktap_check(!shows(fd), "opened without the capability, read with it: addresses");
}

static const struct ktap_case cases[] = {
	{ "root with all capabilities sees addresses where kallsyms shows them", with_capability },
	{ "without CAP_SYSLOG none where kallsyms shows none", without_capability },
	{ "what counts is who opened the file", later_reader },
};

int main(void)
{
	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	/* Put back at the end. */
	ktap_need(knob_set(RESTRICT, "0"), "set " RESTRICT);
	ktap_need(knob_set(PARANOID, "2"), "set " PARANOID);
	return fault_plain(cases, ARRAY_SIZE(cases));
}

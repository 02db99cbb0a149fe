// SPDX-License-Identifier: GPL-2.0
/*
 * What was allocated since boot, by whatever ran in this guest, and can't be
 * reached any more when the module is gone: nothing but what another module lost, so
 * that it would have been seen. run.sh runs it last.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "module.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define LEAK		"/lib/trapscope/leak.ko"
/* MSECS_MIN_AGE in mm/kmemleak.c is 5 s: what is younger is no leak yet. */
#define MIN_AGE		6

/* What kmemleak says: about 1 KiB for each piece. */
static char found[512 << 10];

/* How often @text is in @found. */
static size_t times(const char *text)
{
	size_t count = 0;

	for (const char *at = found; (at = strstr(at, text)); at++)
		count++;
	return count;
}

/* By a process that ends: addresses may be left on its kernel stack. */
static void lose_memory(void)
{
	pid_t child = fork();
	int status;

	ktap_need(child >= 0, "fork");
	if (child == 0)
		_exit(module_insert_file(LEAK, ""));
	ktap_need(waitpid(child, &status, 0) == child, "wait");
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	ktap_need(errno == 0, "insmod " LEAK);
}

/* Twice: what is found has to be the same, byte for byte, at the scan before. */
static void scan(void)
{
	sleep(MIN_AGE);
	for (int i = 0; i < 2; i++)
		ktap_need(file_write(KMEMLEAK, "scan") == 0, "scan");
	ktap_need(file_read(KMEMLEAK, found, sizeof(found)) || found[0],
		  "read " KMEMLEAK);
}

static void lost_is_found(void)
{
	static const char *const kinds[] = { "slab", "vmalloc", "percpu" };

	if (module_loaded())
		module_unload();
	lose_memory();
	scan();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char mark[32] = "lost: ";

		strcat(mark, kinds[i]);
		ktap_check(times(mark) > 0, "%s: nothing of it was found; is slab_debug=Z,kmalloc-* among the kernel's parameters?",
			   kinds[i]);
	}
}

static void nothing_else(void)
{
	size_t lost = times("lost: "), all = times("unreferenced object");

	ktap_check(all == lost, "%zu leaked: %.4000s", all - lost, found);
	if (access(MODULE, R_OK) == 0)
		module_load("");
}

static const struct ktap_case cases[] = {
	{ "kmemleak finds what another module lost, of each kind", lost_is_found },
	{ "and nothing else, trapscope being gone", nothing_else },
};

int main(void)
{
	if (access(KMEMLEAK, W_OK))
		ktap_skip_all("no CONFIG_DEBUG_KMEMLEAK: make test-debug has it");
	if (open(KMEMLEAK, O_WRONLY | O_CLOEXEC) < 0 && errno == EPERM)
		ktap_skip_all("the kernel is locked down: kmemleak can't be asked");
	if (access(LEAK, R_OK))
		ktap_skip_all("no " LEAK ": make test-debug builds it");
	/* Its word of leaks is a complaint on the console: here they are wanted. */
	ktap_need(knob_set("/proc/sys/kernel/printk", "6"), "quieten the console");
	return fault_plain(cases, ARRAY_SIZE(cases));
}

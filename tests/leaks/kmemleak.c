// SPDX-License-Identifier: GPL-2.0
/*
 * What was allocated since boot, by whatever ran in this guest, and can't be
 * reached any more when the module is gone: nothing. run.sh runs it last.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "module.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
/* MSECS_MIN_AGE in mm/kmemleak.c is 5 s: what is younger is no leak yet. */
#define MIN_AGE		6

/* Twice: what is found has to be the same, byte for byte, at the scan before. */
static void nothing_leaked(void)
{
	static char text[32 << 10];

	if (module_loaded())
		module_unload();
	sleep(MIN_AGE);
	for (int i = 0; i < 2; i++)
		ktap_need(file_write(KMEMLEAK, "scan") == 0, "scan");
	ktap_need(file_read(KMEMLEAK, text, sizeof(text)) || text[0],
		  "read " KMEMLEAK);
	ktap_check(text[0] == '\0', "leaked: %.2000s", text);
	if (access(MODULE, R_OK) == 0)
		module_load("");
}

static const struct ktap_case cases[] = {
	{ "kmemleak finds nothing when the module is gone", nothing_leaked },
};

int main(void)
{
	if (access(KMEMLEAK, W_OK))
		ktap_skip_all("no CONFIG_DEBUG_KMEMLEAK: make test-debug has it");
	if (open(KMEMLEAK, O_WRONLY | O_CLOEXEC) < 0 && errno == EPERM)
		ktap_skip_all("the kernel is locked down: kmemleak can't be asked");
	return fault_plain(cases, ARRAY_SIZE(cases));
}

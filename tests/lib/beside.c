// SPDX-License-Identifier: GPL-2.0
#include <sys/mman.h>
#include <unistd.h>

#include "beside.h"
#include "fault.h"

#define PAGES		32

void both_see(const struct other *other, bool trapscope, bool there,
	      const char *when)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	unsigned long seen = there ? other->count(other) : 0;
	unsigned long own = faults_class("anon-alloc", COMPLETED);

	/* The first fault under the VMA lock may have to be made again. */
	touch_write(area);
	if (there)
		seen = other->count(other);
	own = faults_class("anon-alloc", COMPLETED);
	write_pages(area + PAGE, PAGES - 1);
	own = faults_class("anon-alloc", COMPLETED) - own;
	if (there) {
		unsigned long more = other->count(other) - seen;

		ktap_check(more == PAGES - 1, "%s: %s saw %lu calls, not %lu",
			   when, other->name, more, PAGES - 1UL);
	}
	if (trapscope)
		ktap_check(own >= PAGES - 1, "%s, with %s: trapscope saw %lu",
			   when, other->name, own);
	else
		ktap_check(own == 0, "%s: trapscope saw %lu, detached", when,
			   own);
	if (trapscope) {
		struct row row;

		ktap_check(rows_at(getpid(), area, true, &row) == 1 &&
			   row.faults == PAGES,
			   "%s, with %s: the row has %lu faults, not %d", when,
			   other->name, row.faults, (int)PAGES);
	}
	area_free(area, PAGES * PAGE);
}

static void attach(bool on)
{
	ktap_need(file_write(TRAPSCOPE "/enable", on ? "1" : "0") == 0,
		  "write to enable");
}

void beside(const struct other *other)
{
	for (int order = 0; order < 4; order++) {
		bool other_comes_first = order & 1;
		bool other_goes_first = order & 2;

		attach(!other_comes_first);
		other->start(other);
		if (other_comes_first) {
			both_see(other, false, true, "before trapscope came");
			attach(true);
		}
		both_see(other, true, true, "with both");
		if (other_goes_first) {
			other->stop(other);
			both_see(other, true, false, "when the other is gone");
			attach(false);
		} else {
			attach(false);
			both_see(other, false, true, "when trapscope is gone");
			other->stop(other);
		}
		attach(true);
		both_see(other, true, false, "afterwards");
	}
}

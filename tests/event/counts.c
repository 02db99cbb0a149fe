// SPDX-License-Identifier: GPL-2.0
/*
 * As many events as the module counts, class by class: a hist trigger counts the
 * events in the kernel, so that none is lost and none causes a fault.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event.h"
#include "perf.h"

#define TRIES	200
#define PAGES	64

static const char *const values[HIST_VALUES] = { "retries", "major" };

#define FAULT_TRIGGER	"hist:keys=class:vals=hitcount,retries,major:size=256"

static char folder[256];

struct moment {
	unsigned long total, retries;
	unsigned long completed[CLASS_COUNT], major[CLASS_COUNT];
	unsigned long hits, event_retries;
	unsigned long events[CLASS_COUNT], event_major[CLASS_COUNT];
};

/* Both books, read again until no fault came between. */
static void read_moment(struct moment *moment)
{
	for (int try = 0; try < TRIES; try++) {
		char key[32];

		memset(moment, 0, sizeof(*moment));
		moment->total = faults_total(COMPLETED);
		for (size_t i = 0; i < CLASS_COUNT; i++) {
			moment->completed[i] = faults_class(class_names[i], COMPLETED);
			moment->major[i] = faults_class(class_names[i], MAJOR);
		}
		moment->retries = faults_total(RETRIES);
		ktap_need(hist_read(), "read the histogram, whole");
		moment->hits = hist_hits();
		for (size_t i = 0; i < CLASS_COUNT; i++) {
			struct hist row;

			snprintf(key, sizeof(key), "class:%zu", i);
			row = hist_row(key, values);
			moment->events[i] = row.hits;
			moment->event_retries += row.values[0];
			moment->event_major[i] = row.values[1];
		}
		if (faults_total(COMPLETED) == moment->total)
			return;
	}
	never_quiet();
}

/* What came between two moments is the same in both books. */
static void check_equal(const struct moment *a, const struct moment *b)
{
	ktap_check(b->hits - a->hits == b->total - a->total,
		   "%lu events of %lu faults", b->hits - a->hits,
		   b->total - a->total);
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		unsigned long events = b->events[i] - a->events[i];
		unsigned long faults = b->completed[i] - a->completed[i];
		unsigned long major = b->major[i] - a->major[i];

		ktap_check(events == faults, "%s: %lu events of %lu faults",
			   class_names[i], events, faults);
		ktap_check(b->event_major[i] - a->event_major[i] == major,
			   "%s: %lu events and %lu faults are major",
			   class_names[i], b->event_major[i] - a->event_major[i],
			   major);
	}
}

static void around(const char *workload, size_t least_classes)
{
	static struct moment before, after;
	size_t classes = 0;

	event_trigger("fault", FAULT_TRIGGER);
	/* Once for the memory that it takes. */
	read_moment(&before);
	read_moment(&before);
	must_run(workload);
	read_moment(&after);
	event_untrigger();
	check_equal(&before, &after);
	for (size_t i = 0; i < CLASS_COUNT; i++)
		classes += after.events[i] > before.events[i];
	ktap_check(classes >= least_classes, "only %zu classes", classes);
	ktap_diag("%lu events of %zu classes, %lu retries", after.hits - before.hits,
		  classes, after.event_retries - before.event_retries);
}

/* Programs, also at the same time: forks, files, private copies. */
static void programs(void)
{
	around("for i in 1 2 3 4; do (for j in 1 2 3; do ls /bin | sort | gzip | wc -c; done) & done >/dev/null; wait", 5);
}

/* The tests of the classes make every one that this guest can. */
static void classes(void)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "for i in %s/../classes/*; do [ ! -x $i ] || [ -d $i ] || $i >/dev/null || [ $? -eq 4 ] || exit; done",
		 folder);
	around(command, 22);
}

/* Attempts before the one that ended a fault: none is left out, none twice. */
static void retries(void)
{
	static struct moment before, after;
	char command[512];

	snprintf(command, sizeof(command), "%s/../classes/swap >/dev/null", folder);
	event_trigger("fault", FAULT_TRIGGER);
	read_moment(&before);
	read_moment(&before);
	must_run(command);
	read_moment(&after);
	event_untrigger();
	ktap_check(after.retries > before.retries, "nothing was tried again");
	ktap_check(after.event_retries - before.event_retries ==
		   after.retries - before.retries,
		   "events tell of %lu retries, not %lu",
		   after.event_retries - before.event_retries,
		   after.retries - before.retries);
}

static void no_filter(void)
{
	file_write(TRAPSCOPE "/filter", "none");
}

/* The filter of the module is that of the event. */
static void filter(void)
{
	static struct moment before, after;
	char text[64];
	pid_t child;
	int go[2];

	ktap_need(pipe(go) == 0, "pipe");
	child = fork();
	ktap_need(child >= 0, "fork");
	if (child == 0) {
		char *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char byte;

		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		write_pages(area, PAGES);
		_exit(0);
	}
	snprintf(text, sizeof(text), "pid=%d", child);
	at_end(no_filter);
	ktap_need(file_write(TRAPSCOPE "/filter", text) == 0, "set the filter");
	event_trigger("fault", "hist:keys=tgid:vals=hitcount:size=256");
	read_moment(&before);
	must_run("ls -l / >/dev/null");
	ktap_need(write(go[1], "", 1) == 1, "let the child go");
	ktap_need(waitpid(child, NULL, 0) == child, "waitpid");
	read_moment(&after);
	snprintf(text, sizeof(text), "tgid:%d", child);
	ktap_check(hist_row(text, NULL).hits == after.hits && after.hits >= PAGES &&
		   after.hits == after.total - before.total,
		   "%lu events, %lu of the child, %lu faults", after.hits,
		   hist_row(text, NULL).hits, after.total - before.total);
	event_untrigger();
	no_filter();
	close(go[0]);
	close(go[1]);
}

static void perf(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	int fd = perf_open("trapscope/fault", getpid(), -1, 0);
	unsigned long count;

	watch_start(area);
	count = perf_count(fd);
	write_pages(area, PAGES);
	count = perf_count(fd) - count;
	watch_stop();
	expect("anon-alloc:%d", PAGES);
	ktap_check(count == PAGES, "perf counted %lu", count);
	close(fd);
	area_free(area, PAGES * PAGE);
}

static const char *const places[] = {
	"vmalloc", "modules", "direct-map", "vmemmap", "kernel-image",
	"cpu-entry-area", "vsyscall", "other", "no-vma", "access", "atomic",
};
#define FIRST_BAD_AREA	8

struct refusals {
	unsigned long counted[ARRAY_SIZE(places)][2];
	unsigned long events[ARRAY_SIZE(places)][2];
};

static void read_counted(unsigned long counted[ARRAY_SIZE(places)][2])
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		for (int user = 0; user < 2; user++)
			counted[i][user] =
				kernel_faults(i < FIRST_BAD_AREA ? "region" : "bad-area",
					      places[i], user);
}

/*
 * Both books, read again until no fault came between: after a fork any process may
 * have one, for the kernel writes frames of signals and struct rseq atomically.
 */
static void read_refusals(struct refusals *refusals)
{
	for (int try = 0; try < TRIES; try++) {
		unsigned long again[ARRAY_SIZE(places)][2];
		char key[64];

		read_counted(refusals->counted);
		ktap_need(hist_read(), "read the histogram, whole");
		for (size_t i = 0; i < ARRAY_SIZE(places); i++)
			for (int user = 0; user < 2; user++) {
				snprintf(key, sizeof(key), "place:%zu,user:%d", i, user);
				refusals->events[i][user] = hist_row(key, NULL).hits;
			}
		read_counted(again);
		if (memcmp(again, refusals->counted, sizeof(again)) == 0)
			return;
	}
	never_quiet();
}

/* The tests of the file kernel make all that can be made. */
static void refused(void)
{
	static struct refusals before, after;
	char command[512];
	size_t kinds = 0;

	event_trigger("kernel_fault", "hist:keys=place,user:vals=hitcount:size=256");
	read_refusals(&before);
	snprintf(command, sizeof(command),
		 "%s/../kernel/bad_area >/dev/null && %s/../kernel/regions >/dev/null",
		 folder, folder);
	must_run(command);
	read_refusals(&after);
	event_untrigger();
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		for (int user = 0; user < 2; user++) {
			unsigned long counted = after.counted[i][user] -
						before.counted[i][user];
			unsigned long events = after.events[i][user] -
					       before.events[i][user];

			ktap_check(events == counted,
				   "%s from %s: %lu events of %lu faults",
				   places[i], user ? "user mode" : "the kernel",
				   events, counted);
			kinds += counted > 0;
		}
	ktap_check(kinds >= 12, "only %zu kinds", kinds);
}

static const struct ktap_case cases[] = {
	{ "programs: an event for each fault, in each class", programs },
	{ "every class: an event for each fault", classes },
	{ "retries are those of the counters", retries },
	{ "the filter is that of the counters", filter },
	{ "perf counts each event", perf },
	{ "kernel_fault: an event for each, by place and mode", refused },
};

int main(int argc, char **argv)
{
	(void)argc;
	snprintf(folder, sizeof(folder), "%s", argv[0]);
	if (strrchr(folder, '/'))
		*strrchr(folder, '/') = '\0';
	if (access(EVENTS "fault", F_OK))
		ktap_skip_all("no " EVENTS "fault: load trapscope, mount tracefs");
	if (access(EVENTS "fault/hist", F_OK))
		ktap_skip_all("this kernel has no hist triggers (CONFIG_HIST_TRIGGERS)");
	return fault_plain(cases, ARRAY_SIZE(cases));
}

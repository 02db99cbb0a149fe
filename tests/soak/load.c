// SPDX-License-Identifier: GPL-2.0
/*
 * Hundreds of processes that do everything by which pages fault, on all
 * processors and short of memory, until there were SOAK_FAULTS faults
 * (100,000). Then all books must agree. What they do follows from SOAK_SEED.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "ledger.h"
#include "module.h"
#include "storm.h"

/* Workers at a time, each with children and threads of its own. */
#define WORKERS		150
#define ACTIONS		24
/* As many processes and threads at once, at the least. */
#define TASKS		200
#define PROGRESS	200000
/* Not zram, which has a lock for each processor, and hundreds who wait for it. */
#define DEVICE		"/dev/ram1"
#define KSM		"/sys/kernel/mm/ksm/"
#define CGROUPS		"/tmp/soak-cgroup"
#define CGROUP		CGROUPS "/storm"

static unsigned long wanted = 100000, seed;
static struct ledger before, after;
static pid_t workers[WORKERS], ksmd;
static int group = -1;
static unsigned long started, killed, failed, ksm_copied;

/* A RAM disk keeps what was written to it. */
static void give_memory_back(void)
{
	uint64_t range[2] = { 0 };
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &range[1]) || ioctl(fd, BLKDISCARD, range))
		ktap_diag("the memory of " DEVICE " is not free: %s", strerror(errno));
	close(fd);
}

static void take_down(void)
{
	file_write(CGROUP "/cgroup.kill", "1");
	while (wait(NULL) > 0 || errno == EINTR)
		;
	file_write(KSM "run", "0");
	/* As ksm_scan_thread() has it. */
	if (ksmd)
		setpriority(PRIO_PROCESS, ksmd, 5);
	/* It holds the mount. */
	if (group >= 0)
		close(group);
	rmdir(CGROUP);
	umount(CGROUPS);
	rmdir(CGROUPS);
	swapoff(DEVICE);
	give_memory_back();
}

static pid_t find_ksmd(void)
{
	char line[32] = "";
	FILE *pipe = popen("pidof ksmd", "r");

	ktap_need(pipe && fgets(line, sizeof(line), pipe), "find ksmd");
	pclose(pipe);
	return strtoul(line, NULL, 10);
}

static void set_up(void)
{
	/* A module that is asked for would be loaded by a child of the kernel's. */
	knob_set("/proc/sys/kernel/modprobe", "");
	knob_set("/proc/sys/vm/nr_hugepages", "8");
	knob_set("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	knob_set(KSM "sleep_millisecs", "5");
	knob_set(KSM "pages_to_scan", "500");
	at_end(take_down);
	must_run("mkswap " DEVICE " >/dev/null");
	ktap_need(swapon(DEVICE, 0) == 0, "swapon " DEVICE);
	ktap_need(file_write(KSM "run", "1") == 0, "run KSM");
	mkdir(CGROUPS, 0700);
	ktap_need(mount("cgroup2", CGROUPS, "cgroup2", 0, NULL) == 0,
		  "mount cgroup2");
	ktap_need(file_write(CGROUPS "/cgroup.subtree_control", "+memory") == 0 &&
		  mkdir(CGROUP, 0700) == 0, "make " CGROUP);
	group = open(CGROUP, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ktap_need(group >= 0, "open " CGROUP);
	/* Orphans of workers that were killed come here. */
	ktap_need(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "become a subreaper");
	/* Among hundreds, who starts and kills and who merges pages would not get far. */
	ksmd = find_ksmd();
	ktap_need(setpriority(PRIO_PROCESS, 0, -20) == 0 &&
		  setpriority(PRIO_PROCESS, ksmd, -5) == 0, "setpriority");
}

/*
 * Born in the group: to move there, all of them would wait for one mutex, on the
 * kernel of 'make test-debug' for more than a minute.
 */
static void start_worker(size_t place)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD,
		.cgroup = group,
	};
	uint64_t own = seed + started++;
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

	ktap_need(pid >= 0, "clone3 into " CGROUP);
	if (pid == 0) {
		if (setpriority(PRIO_PROCESS, 0, 0))
			_exit(5);
		storm_worker(own, ACTIONS);
	}
	workers[place] = pid;
}

static void ended(pid_t pid, int status)
{
	for (size_t i = 0; i < WORKERS; i++) {
		if (workers[i] != pid)
			continue;
		workers[i] = 0;
		if (status == 0 || (WIFSIGNALED(status) &&
				    WTERMSIG(status) == SIGKILL))
			return;
		failed++;
		ktap_diag("a worker ended with status 0x%x", status);
	}
}

/* Processes and threads that were started since boot. */
static unsigned long tasks_started(void)
{
	static char text[64 << 10];
	const char *line;

	ktap_need(file_read("/proc/stat", text, sizeof(text)), "read /proc/stat");
	line = strstr(text, "\nprocesses ");
	ktap_need(line != NULL, "no processes in /proc/stat");
	return strtoul(line + strlen("\nprocesses "), NULL, 10);
}

/* Processes and threads that there are, the kernel's own too. */
static unsigned long tasks_now(void)
{
	unsigned long there = 0;
	char text[128];

	ktap_need(file_read("/proc/loadavg", text, sizeof(text)) &&
		  sscanf(text, "%*s %*s %*s %*u/%lu", &there) == 1,
		  "read /proc/loadavg");
	return there;
}

/* What the group had, and how often that was read. */
static struct {
	unsigned long sum, times;
} had;

static void look_at_memory(void)
{
	char text[32];

	ktap_need(file_read(CGROUP "/memory.current", text, sizeof(text)),
		  "read " CGROUP "/memory.current");
	had.sum += strtoul(text, NULL, 10);
	had.times++;
}

/* What the workers want is not the same on every kernel: an eighth less than they had on average. */
static void make_memory_short(void)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", had.sum / had.times / 8 * 7);
	ktap_need(file_write(CGROUP "/memory.high", text) == 0,
		  "%s to memory.high", text);
	ktap_diag("memory.high is %s", text);
	memset(&had, 0, sizeof(had));
}

/* How often the group had more memory than memory.high. */
static unsigned long times_high(void)
{
	char text[512];
	const char *line;

	ktap_need(file_read(CGROUP "/memory.events", text, sizeof(text)),
		  "read " CGROUP "/memory.events");
	line = strstr(text, "\nhigh ");
	return line ? strtoul(line + strlen("\nhigh "), NULL, 10) : 0;
}

static void run(void)
{
	unsigned long tasks = tasks_started(), others = tasks_now(), there, most = 0, start;
	unsigned long short_at = wanted / 2;
	int status;
	pid_t pid;

	ktap_diag("SOAK_SEED=%lu SOAK_FAULTS=%lu does the same again", seed,
		  wanted);
	ktap_check(sysconf(_SC_NPROCESSORS_ONLN) >= 2, "one processor only: SMP=2 has two");
	ksm_copied = vmstat("cow_ksm");
	/* From here on. */
	storm_done(0);
	ledger_read(&before);
	start = before.pgfault;
	storm_seed(seed);
	for (unsigned long said = 0, faults; (faults = vmstat("pgfault") - start) < wanted;) {
		look_at_memory();
		/* Again, if the workers happen to want no more than that from then on. */
		if (faults > short_at && !times_high()) {
			make_memory_short();
			short_at = faults + wanted / 16;
		}
		if (faults / PROGRESS > said) {
			said = faults / PROGRESS;
			ktap_diag("%lu faults of %lu so far", faults, wanted);
		}
		for (size_t i = 0; i < WORKERS; i++)
			if (!workers[i])
				start_worker(i);
		usleep(2000 + storm_below(20000));
		/* In the middle of whatever it does. */
		if (storm_below(3) == 0) {
			kill(workers[storm_below(WORKERS)], SIGKILL);
			killed++;
		}
		there = tasks_now();
		most = there > most ? there : most;
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			ended(pid, status);
	}
	/* The rest go in the middle of it, too. */
	ktap_need(file_write(CGROUP "/cgroup.kill", "1") == 0, "cgroup.kill");
	while ((pid = wait(&status)) > 0 || errno == EINTR)
		ended(pid, status);
	ktap_need(file_write(KSM "run", "2") == 0, "stop KSM");
	ledger_read(&after);
	tasks = tasks_started() - tasks;
	ksm_copied = vmstat("cow_ksm") - ksm_copied;
	ktap_diag("%lu workers, %lu of them killed before the end; %lu processes and threads, %lu at once; %lu copies of KSM's pages",
		  started, killed, tasks, most - others, ksm_copied);
	ktap_diag("faults: %lu, %lu major, %lu failed; %lu from user mode, %lu from the kernel, %lu remote",
		  after.completed - before.completed,
		  after.completed_major - before.completed_major,
		  after.failed - before.failed, after.user - before.user,
		  after.kernel - before.kernel, after.remote - before.remote);
	ktap_diag("exceptions: %lu and %lu, without a call %lu and %lu; retries: %lu, %lu under the VMA lock",
		  after.raised_user - before.raised_user,
		  after.raised_kernel - before.raised_kernel,
		  after.reasons_user - before.reasons_user,
		  after.reasons_kernel - before.reasons_kernel,
		  after.retries - before.retries,
		  after.retries_vma_lock - before.retries_vma_lock);
	ktap_check(failed == 0, "%lu workers failed", failed);
	ktap_check(most >= others + TASKS,
		   "only %lu processes and threads at once, %lu of them before",
		   most, others);
	ktap_check(times_high() > 0, "the group's memory was enough");
	ktap_check(after.pgfault - before.pgfault >= wanted,
		   "only %lu faults", after.pgfault - before.pgfault);
}

static void all_deeds(void)
{
	for (size_t i = 0; i < STORM_DEEDS; i++) {
		ktap_diag("%lu times %s", storm_done(i), storm_deeds[i]);
		ktap_check(storm_done(i) > 0, "not once: %s", storm_deeds[i]);
	}
}

/* Not only calls of handle_mm_fault(): the others tell which row is the right one. */
static void nothing_lost(void)
{
	FILE *file = fopen(TRAPSCOPE "/status", "r");
	unsigned long missed, hooks = 0;
	char line[256], hook[128];

	ktap_need(file != NULL, "open " TRAPSCOPE "/status");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "hook:%127s attached %*s missed=%lu", hook, &missed) != 2)
			continue;
		hooks++;
		ktap_check(missed == 0, "%s missed %lu calls", hook, missed);
	}
	fclose(file);
	ktap_check(hooks > 0, "no hook is attached");
	ktap_check(status_value("retry_links_dropped") == 0,
		   "%lu links of retries were dropped", status_value("retry_links_dropped"));
}

/* What the load is there for; the rest needs two nodes, a device, bad memory. */
static const char *const classes[] = {
	"anon-zero", "anon-alloc", "anon-huge", "file-read", "file-write",
	"hugetlb", "cow-file", "cow-copy", "cow-reuse", "cow-zero", "cow-huge",
	"cow-hugetlb", "swap-in", "swap-cache", "stack-growth", "uffd-missing",
	"spurious", "sigsegv", "sigbus",
};

static void all_classes(void)
{
	static const char *const reasons[] = {
		"no-vma", "access", "atomic", "signal",
	};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		ktap_check(faults_class(classes[i], COMPLETED) +
			   faults_class(classes[i], RETRIES) > 0,
			   "no %s", classes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		ktap_check(kernel_faults("bad-area", reasons[i], true) +
			   kernel_faults("bad-area", reasons[i], false) > 0,
			   "no bad-area %s", reasons[i]);
	ktap_check(kernel_faults("region", "vsyscall", true) > 0, "no vsyscall");
	ktap_check(after.remote > before.remote, "nothing was remote");
	ktap_check(after.completed_major > before.completed_major, "nothing was major");
	ktap_check(ksm_copied > 0, "no copy of a page that KSM had merged");
	ktap_check(after.retries_vma_lock > before.retries_vma_lock,
		   "no retry under the VMA lock");
}

LEDGER_COMPARISONS

static const struct ktap_case cases[] = {
	{ "the storm", run },
	{ "the storm had every class that it is made for", all_classes },
	{ "the storm did all that it is made of", all_deeds },
	{ "no hook missed a call, no link of a retry was dropped", nothing_lost },
	LEDGER_CASES,
};

int main(void)
{
	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	ktap_need(getrandom(&seed, 4, 0) == 4, "a seed");
	seed = wanted_number("SOAK_SEED", seed);
	wanted = wanted_number("SOAK_FAULTS", wanted);
	ktap_need(file_write(TRAPSCOPE "/reset", "1") == 0, "reset");
	set_up();
	ledger_open();
	return fault_plain(cases, ARRAY_SIZE(cases));
}

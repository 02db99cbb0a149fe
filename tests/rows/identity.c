// SPDX-License-Identifier: GPL-2.0
/* Whose row a fault goes to, and that a new mapping starts from nothing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	8
#define ROUNDS	64

static bool loaded(void)
{
	if (module_loaded())
		return true;
	ktap_skip("trapscope is not loaded");
	return false;
}

static void map_again(void)
{
	char *room = area_new(PAGES, PROT_NONE);
	struct row row;

	if (!loaded())
		return;
	for (int round = 0; round < ROUNDS; round++) {
		size_t found;

		ktap_need(mmap(room, PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			       0) == room, "mmap");
		write_pages(room, PAGES);
		found = rows_at(getpid(), room, true, &row);
		ktap_check(found == 1 && row.faults == PAGES,
			   "round %d: %zu live rows, the last with %lu faults",
			   round, found, row.faults);
		area_free(room, PAGES * PAGE);
		ktap_check(rows_at(getpid(), room, true, NULL) == 0,
			   "round %d: an unmapped VMA has a live row", round);
	}
}

/*
 * Which part of a split mapping keeps the row is the kernel's choice; no fault
 * may get lost, and those after the split belong to their part.
 */
static void split(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	char *middle = area + PAGES * PAGE;
	size_t alloc = class_index("anon-alloc");
	size_t zero = class_index("anon-zero");
	struct row first, second;

	if (!loaded())
		return;
	write_pages(area, PAGES / 2);
	ktap_need(mprotect(middle, PAGES * PAGE, PROT_READ) == 0, "mprotect");
	write_pages(area + PAGES / 2 * PAGE, PAGES / 2);
	read_pages(middle, PAGES);
	ktap_check(rows_at(getpid(), area, true, &first) == 1 &&
		   first.start == (unsigned long)area &&
		   first.end == (unsigned long)middle &&
		   strcmp(first.perms, "rw-p") == 0,
		   "%p: the row is %lx-%lx %s", area, first.start, first.end,
		   first.perms);
	ktap_check(rows_at(getpid(), middle, true, &second) == 1 &&
		   second.start == (unsigned long)middle &&
		   second.end == (unsigned long)middle + PAGES * PAGE &&
		   strcmp(second.perms, "r--p") == 0,
		   "%p: the row is %lx-%lx %s", middle, second.start,
		   second.end, second.perms);
	ktap_check(first.classes[alloc] >= PAGES / 2 &&
		   first.classes[alloc] + second.classes[alloc] == PAGES &&
		   first.classes[zero] == 0 && second.classes[zero] == PAGES,
		   "anon-alloc:%lu and %lu, anon-zero:%lu and %lu",
		   first.classes[alloc], second.classes[alloc],
		   first.classes[zero], second.classes[zero]);
	area_free(area, 2 * PAGES * PAGE);
}

/* A child has rows of its own, and they stay when it is gone. */
static void child_rows(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	struct row row;
	pid_t child;
	int status;

	if (!loaded())
		return;
	write_pages(area, PAGES);
	child = fork();
	ktap_need(child >= 0, "fork");
	if (child == 0) {
		prctl(PR_SET_NAME, "a \\child\n");
		write_pages(area + PAGES * PAGE, PAGES);
		_exit(0);
	}
	ktap_need(waitpid(child, &status, 0) == child, "waitpid");
	ktap_check(rows_of(child, true) == 0, "the child has live rows");
	ktap_check(rows_at(child, area, false, &row) == 1 &&
		   row.faults == PAGES &&
		   row.classes[class_index("anon-alloc")] == PAGES,
		   "the child's row has %lu faults", row.faults);
	ktap_check(strcmp(row.comm, "a\\040\\134child\\012") == 0,
		   "the child's name is \"%s\"", row.comm);
	ktap_check(rows_at(getpid(), area, true, &row) == 1 &&
		   row.faults == PAGES,
		   "the parent's row has %lu faults", row.faults);
	area_free(area, 2 * PAGES * PAGE);
}

/* A child with that pid; with 0 it gets the next one. */
static pid_t child_with_pid(pid_t pid, char *area, size_t pages)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = pid ? (uintptr_t)&pid : 0,
		.set_tid_size = pid != 0,
	};
	pid_t child = syscall(SYS_clone3, &args, sizeof(args));
	int status;

	ktap_need(child >= 0, "clone3 with set_tid %d", pid);
	if (child == 0) {
		write_pages(area, pages);
		_exit(0);
	}
	ktap_need(waitpid(child, &status, 0) == child, "waitpid");
	return child;
}

static struct {
	pid_t pid;
	unsigned long start;
	/* Rows by how many faults they have. */
	size_t with[PAGES];
	size_t others;
} again;

static bool take_row(const struct row *row, void *data)
{
	(void)data;
	if (row->pid != again.pid || row->start != again.start)
		return true;
	if (row->faults < PAGES)
		again.with[row->faults]++;
	else
		again.others++;
	return true;
}

/* A pid that comes round again, with the same mapping at the same place. */
static void same_pid(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	if (!loaded())
		return;
	again.start = (unsigned long)area;
	again.pid = child_with_pid(0, area, 3);
	ktap_check(child_with_pid(again.pid, area, 5) == again.pid, "another pid");
	rows_each(take_row, NULL);
	ktap_check(again.with[3] == 1 && again.with[5] == 1 && !again.others,
		   "%zu rows with 3 faults, %zu with 5, %zu with %d or more",
		   again.with[3], again.with[5], again.others, PAGES);
	area_free(area, PAGES * PAGE);
}

/* Faults in a child's memory that this process causes are the child's. */
static void remote(bool by_file)
{
	static char data[PAGES * PAGE];
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	struct iovec from = { data, sizeof(data) };
	struct iovec to = { area, sizeof(data) };
	unsigned long origin = 0;
	pid_t child = child_hold();
	char path[64];

	if (!loaded()) {
		child_end(child);
		return;
	}
	watch_start_of(child, area);
	origin = faults_class("anon-alloc", REMOTE);
	if (by_file) {
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/mem", child);
		fd = open(path, O_RDWR);
		ktap_need(fd >= 0 && pwrite(fd, data, sizeof(data),
					    (off_t)area) == sizeof(data),
			  "write to %s", path);
		close(fd);
	} else {
		ktap_need(process_vm_writev(child, &from, 1, &to, 1, 0) ==
			  sizeof(data), "process_vm_writev");
	}
	origin = faults_class("anon-alloc", REMOTE) - origin;
	watch_stop();
	expect("anon-alloc:%d", PAGES);
	ktap_check(origin == PAGES, "%lu faults of remote origin, not %d",
		   origin, PAGES);
	ktap_check(watch_thread_faults() == PAGES,
		   "the kernel counted %lu faults of this thread, not %d",
		   watch_thread_faults(), PAGES);
	child_end(child);
	area_free(area, PAGES * PAGE);
}

static void remote_vm(void)
{
	remote(false);
}

static void remote_mem(void)
{
	remote(true);
}

/* The columns that /proc/self/maps has, of a mapping with an awkward name. */
static void like_maps(void)
{
	static const char *const names[] = { "anon", "file\nwith \\ blanks" };
	char want_perms[8], want_dev[16], line[1024];
	unsigned long start, end, offset, inode;
	int fd = memfd_create(names[1], 0);
	struct row row;
	int column;

	if (!loaded())
		return;
	ktap_need(fd >= 0 && ftruncate(fd, 3 * PAGE) == 0, "memfd");
	for (int i = 0; i < 2; i++) {
		char *area;
		FILE *maps;

		if (i == 0) {
			area = area_new(1, PROT_READ | PROT_WRITE);
			prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, area, PAGE,
			      names[0]);
		} else {
			area = area_new(1, PROT_NONE);
			ktap_need(mmap(area, PAGE, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_FIXED, fd, PAGE) ==
				  area, "mmap");
		}
		touch_write(area);
		maps = fopen("/proc/self/maps", "r");
		ktap_need(maps != NULL, "open /proc/self/maps");
		while (fgets(line, sizeof(line), maps))
			if (sscanf(line, "%lx-%lx %7s %lx %15s %lu %n", &start,
				   &end, want_perms, &offset, want_dev, &inode,
				   &column) == 6 && start == (unsigned long)area)
				break;
		fclose(maps);
		line[strcspn(line, "\n")] = '\0';
		ktap_check(rows_at(getpid(), area, true, &row) == 1 &&
			   row.start == start && row.end == end &&
			   strcmp(row.perms, want_perms) == 0 &&
			   row.offset == offset && row.inode == inode &&
			   strcmp(row.dev, want_dev) == 0 &&
			   strcmp(row.path, line + column) == 0,
			   "row: %lx-%lx %s %lx %s %lu %s; maps: %s",
			   row.start, row.end, row.perms, row.offset, row.dev,
			   row.inode, row.path, line);
		area_free(area, PAGE);
	}
	close(fd);
}

static const struct ktap_case cases[] = {
	{ "a mapping at a place that had one before", map_again },
	{ "a mapping that is split", split },
	{ "a child that ended", child_rows },
	{ "a child with the pid of one before", same_pid },
	{ "process_vm_writev to another process", remote_vm },
	{ "/proc/PID/mem of another process", remote_mem },
	{ "columns and names as in /proc/self/maps", like_maps },
};

int main(void)
{
	return fault_main(cases, ARRAY_SIZE(cases));
}

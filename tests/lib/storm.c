// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "storm.h"

#define PAGES		64
#define TOUCHERS	3
#define MS		1000
/* No word of the memory is ever this, so that nobody waits for it to change. */
#define NOT_THERE	0x7fffffff

/* Newer than the C library's headers may be. */
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

static __thread uint64_t state;
static __thread sigjmp_buf *volatile way_out;

void storm_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ULL | 1;
}

size_t storm_below(size_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1dULL >> 33) % n;
}

const char *const storm_deeds[STORM_DEEDS] = {
	[STORM_EXEC] = "a program that was executed to its end",
	[STORM_MUNMAP] = "munmap() in the middle of a mapping",
	[STORM_MREMAP] = "mremap()",
	[STORM_MPROTECT] = "mprotect()",
	[STORM_HEAP] = "a heap that grew",
	[STORM_WRITEV] = "process_vm_writev()",
	[STORM_POPULATE] = "MADV_POPULATE_WRITE",
	[STORM_ANSWERED] = "an answer by userfaultfd",
	[STORM_KILLED] = "SIGKILL in the middle of a fault",
};

/* Shared with all workers; none until somebody asks. */
static unsigned long *deeds;

unsigned long storm_done(enum storm_deed deed)
{
	if (!deeds)
		deeds = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ktap_need(deeds != MAP_FAILED, "mmap");
	return __atomic_load_n(&deeds[deed], __ATOMIC_RELAXED);
}

static void done(enum storm_deed deed, bool is_done)
{
	if (deeds && is_done)
		__atomic_fetch_add(&deeds[deed], 1, __ATOMIC_RELAXED);
}

static void leave(int sig)
{
	if (!way_out) {
		signal(sig, SIG_DFL);
		return;
	}
	siglongjmp(*way_out, 1);
}

static void nothing(int sig)
{
	(void)sig;
}

/* Touches a byte, whatever comes of it. */
static void poke(char *p)
{
	sigjmp_buf here;

	if (sigsetjmp(here, 0) == 0) {
		way_out = &here;
		if (storm_below(2))
			touch_write(p);
		else
			touch_read(p);
	}
	way_out = NULL;
}

static void poke_some(char *area, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		if (storm_below(4))
			poke(area + i * PAGE + storm_below(PAGE));
}

static char *map(size_t pages, int flags, int fd)
{
	char *area = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd,
			  0);

	return area == MAP_FAILED ? NULL : area;
}

static char *map_anonymous(size_t pages)
{
	return map(pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* A child that goes when its parent does. */
static pid_t child(void)
{
	pid_t parent = getpid(), pid = fork();

	/* As a pid, -1 would be everybody. */
	if (pid < 0)
		_exit(6);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* It may be gone already: then that signal never comes. */
		if (getppid() != parent)
			_exit(0);
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* mmap, mprotect, mremap, madvise, munmap of parts. */
static void mappings(void)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
	};
	size_t pages = 8 + storm_below(PAGES);
	size_t half = pages / 2;
	char *area = map_anonymous(pages);
	char *moved;

	if (!area)
		return;
	poke_some(area, pages);
	mprotect(area + storm_below(half) * PAGE, half * PAGE,
		 prots[storm_below(ARRAY_SIZE(prots))]);
	poke_some(area, pages);
	done(STORM_MPROTECT, mprotect(area, pages * PAGE, PROT_READ | PROT_WRITE) == 0);
	madvise(area + storm_below(half) * PAGE, half * PAGE, MADV_DONTNEED);
	moved = mremap(area, pages * PAGE, 2 * pages * PAGE, MREMAP_MAYMOVE);
	done(STORM_MREMAP, moved != MAP_FAILED);
	if (moved == MAP_FAILED)
		moved = area;
	else
		pages *= 2;
	poke_some(moved, pages);
	done(STORM_MUNMAP, munmap(moved + half * PAGE, 2 * PAGE) == 0);
	poke_some(moved, pages);
	munmap(moved, pages * PAGE);
}

/* Shared and private, and beyond the end of the file. */
static void files(void)
{
	size_t pages = 8 + storm_below(PAGES);
	int fd = memfd_create("storm", 0);
	char *shared, *private;

	if (fd < 0)
		return;
	if (ftruncate(fd, pages * PAGE) == 0) {
		shared = map(pages, MAP_SHARED, fd);
		private = map(pages, MAP_PRIVATE, fd);
		if (shared && private) {
			poke_some(shared, pages);
			poke_some(private, pages);
			if (ftruncate(fd, pages / 2 * PAGE) == 0) {
				poke_some(shared, pages);
				poke_some(private, pages);
			}
			munmap(shared, pages * PAGE);
			munmap(private, pages * PAGE);
		}
	}
	close(fd);
}

/* Copies on write, in parent and child; the child ends in one of five ways. */
static void family(void)
{
	enum { TRUE, TRUE_TO_ITS_END, LS, EXIT, PAUSE, WAYS } way = storm_below(WAYS);
	char *area = map_anonymous(PAGES);
	int status = 0;
	pid_t pid;

	if (!area)
		return;
	poke_some(area, PAGES);
	pid = child();
	if (pid == 0) {
		poke_some(area, PAGES);
		if (way == TRUE || way == TRUE_TO_ITS_END)
			execl("/bin/true", "true", NULL);
		else if (way == LS)
			execl("/bin/ls", "ls", "-l", "/bin/ls", NULL);
		else if (way == EXIT)
			_exit(0);
		while (way == PAUSE)
			pause();
		_exit(1);
	}
	poke_some(area, PAGES);
	if (way == TRUE_TO_ITS_END) {
		waitpid(pid, &status, 0);
		done(STORM_EXEC, status == 0);
	} else {
		usleep(storm_below(4 * MS));
		end_child(pid);
	}
	poke_some(area, PAGES);
	munmap(area, PAGES * PAGE);
}

/* By accesses and by system calls. */
static void stack(void)
{
	size_t pages = 16 + storm_below(PAGES);
	char *room = map_anonymous(pages + 512);
	char *top, *area;

	if (!room)
		return;
	munmap(room, (pages + 512) * PAGE);
	top = room + (pages + 511) * PAGE;
	area = mmap(top, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
	if (area == MAP_FAILED)
		return;
	for (size_t i = 1; i < pages; i++) {
		if (storm_below(4))
			poke(top - i * PAGE);
		else
			syscall(SYS_getcpu, top - i * PAGE, NULL, NULL);
	}
	munmap(top - pages * PAGE, (pages + 1) * PAGE);
}

static void heap(void)
{
	size_t pages = 1 + storm_below(PAGES);
	char *start = sbrk(pages * PAGE);

	if (start == (char *)-1)
		return;
	poke_some(start, pages - 1);
	done(STORM_HEAP, true);
	sbrk(-(long)(pages * PAGE));
}

static void swapped(void)
{
	char *area = storm_below(2) ? map_anonymous(PAGES) :
		map(PAGES, MAP_SHARED | MAP_ANONYMOUS, -1);
	pid_t pid;

	if (!area)
		return;
	for (size_t i = 0; i < PAGES; i++)
		memset(area + i * PAGE, 1 + storm_below(200), 64);
	madvise(area, PAGES * PAGE, MADV_PAGEOUT);
	pid = child();
	if (pid == 0) {
		poke_some(area, PAGES);
		_exit(0);
	}
	poke_some(area, PAGES);
	waitpid(pid, NULL, 0);
	munmap(area, PAGES * PAGE);
}

static void huge(void)
{
	char *room = map_anonymous(3 * HUGE / PAGE);
	char *area = (char *)(((unsigned long)room + HUGE - 1) & ~(HUGE - 1));
	pid_t pid;

	if (!room)
		return;
	madvise(area, HUGE, MADV_HUGEPAGE);
	poke(area + storm_below(HUGE));
	pid = child();
	if (pid == 0) {
		poke_some(area, PAGES);
		_exit(0);
	}
	poke_some(area, PAGES);
	mprotect(area + PAGES * PAGE, PAGE, PROT_READ);
	poke_some(area + PAGES / 2 * PAGE, PAGES);
	madvise(area, PAGES * PAGE, MADV_DONTNEED);
	poke_some(area, PAGES);
	waitpid(pid, NULL, 0);
	munmap(room, 3 * HUGE);
}

/* The pool is small: without a page of it there is nothing to do. */
static void hugetlb(void)
{
	char *area = map(HUGE / PAGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
			 -1);
	pid_t pid;

	if (!area)
		return;
	poke(area);
	pid = child();
	if (pid == 0) {
		poke(area + storm_below(HUGE));
		_exit(0);
	}
	poke(area);
	waitpid(pid, NULL, 0);
	munmap(area, HUGE);
}

static bool some_merged(void)
{
	char text[32];

	return file_read("/proc/self/ksm_merging_pages", text, sizeof(text)) &&
		strtoul(text, NULL, 10) > 0;
}

/* Written to at any time, and when they are one, if that is soon. */
static void same_pages(void)
{
	char *area = map_anonymous(PAGES);

	if (!area)
		return;
	memset(area, 7, PAGES * PAGE);
	madvise(area, PAGES * PAGE, MADV_MERGEABLE);
	if (storm_below(2))
		usleep(storm_below(20 * MS));
	else
		for (int looks = 0; looks < 40 && !some_merged(); looks++)
			usleep(10 * MS);
	poke_some(area, PAGES);
	if (storm_below(2))
		madvise(area, PAGES * PAGE, MADV_UNMERGEABLE);
	munmap(area, PAGES * PAGE);
}

/* Without an exception: by another process, and by madvise(). */
static void remote(void)
{
	static char buffer[PAGE];
	char *area = map_anonymous(PAGES);
	pid_t pid;

	if (!area)
		return;
	poke_some(area, PAGES);
	pid = child();
	if (pid == 0)
		for (;;)
			pause();
	for (size_t i = 0; i < PAGES; i++) {
		struct iovec here = { buffer, 64 };
		struct iovec there = { area + i * PAGE, 64 };

		if (storm_below(2))
			done(STORM_WRITEV, process_vm_writev(pid, &here, 1, &there,
							     1, 0) == 64);
		else
			process_vm_readv(pid, &here, 1, &there, 1, 0);
	}
	end_child(pid);
	madvise(area, PAGES * PAGE, MADV_DONTNEED);
	done(STORM_POPULATE, madvise(area, PAGES * PAGE, MADV_POPULATE_WRITE) == 0);
	munmap(area, PAGES * PAGE);
}

/* What is refused, each way. */
static void bad(void)
{
	long (*legacy_time)(long *) = (long (*)(long *))0xffffffffff600400UL;
	char *area = map_anonymous(PAGES);
	sigjmp_buf here;

	if (!area)
		return;
	madvise(area, PAGES / 4 * PAGE, MADV_GUARD_INSTALL);
	mprotect(area + PAGES / 4 * PAGE, PAGES / 4 * PAGE, PROT_READ);
	munmap(area + PAGES / 2 * PAGE, PAGES / 4 * PAGE);
	poke_some(area, PAGES);
	for (size_t i = 0; i < PAGES; i++)
		if (storm_below(2))
			syscall(SYS_getcpu, area + i * PAGE, NULL, NULL);
		else
			syscall(SYS_futex, area + i * PAGE, FUTEX_WAIT_PRIVATE,
				NOT_THERE, NULL, NULL, 0);
	if (sigsetjmp(here, 1) == 0) {
		way_out = &here;
		legacy_time(NULL);
		touch_read((void *)0xffff888000000000UL);
	}
	way_out = NULL;
	munmap(area, PAGES * PAGE);
}

/* ---- threads ---- */

struct thread {
	pthread_t id;
	uint64_t seed;
	char *area;
	int fd;
};

static void *poke_shared(void *data)
{
	struct thread *thread = data;

	storm_seed(thread->seed);
	for (int i = 0; i < 4; i++)
		poke_some(thread->area, PAGES);
	return NULL;
}

/* Of the kernel's, with its own accesses: they sleep as well. */
static void *read_zeros(void *data)
{
	struct thread *thread = data;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	storm_seed(thread->seed);
	for (size_t i = 0; i < PAGES; i++)
		if (read(fd, thread->area + storm_below(PAGES) * PAGE, 64) < 0)
			break;
	close(fd);
	return NULL;
}

static void start(struct thread *thread, void *(*run)(void *), char *area,
		  int fd)
{
	thread->seed = storm_below(1 << 30);
	thread->area = area;
	thread->fd = fd;
	if (pthread_create(&thread->id, NULL, run, thread))
		_exit(3);
}

/* Some touch what one maps, protects and unmaps. */
static void threads(void)
{
	struct thread thread[TOUCHERS];
	char *area = map_anonymous(PAGES);

	if (!area)
		return;
	for (size_t i = 0; i < TOUCHERS; i++)
		start(&thread[i], i ? poke_shared : read_zeros, area, -1);
	for (int i = 0; i < 30; i++) {
		char *part = area + storm_below(PAGES / 2) * PAGE;
		size_t bytes = (1 + storm_below(PAGES / 2)) * PAGE;

		switch (storm_below(4)) {
		case 0:
			mprotect(part, bytes, PROT_READ);
			break;
		case 1:
			mprotect(part, bytes, PROT_READ | PROT_WRITE);
			break;
		case 2:
			madvise(part, bytes, MADV_DONTNEED);
			break;
		default:
			mmap(part, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			     MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		}
	}
	for (size_t i = 0; i < TOUCHERS; i++)
		pthread_join(thread[i].id, NULL);
	munmap(area, PAGES * PAGE);
}

static int watched(char *area)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register missing = {
		.range = { (unsigned long)area, PAGES * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0 &&
	    ioctl(fd, UFFDIO_REGISTER, &missing) == 0)
		return fd;
	_exit(4);
}

/* Until nothing was asked for some time after the threads ended. */
static void *serve(void *data)
{
	static char source[PAGE] __attribute__((aligned(4096)));
	struct thread *thread = data;
	struct pollfd wait = { .fd = thread->fd, .events = POLLIN };
	struct uffd_msg msg;

	storm_seed(thread->seed);
	for (;;) {
		struct uffdio_copy copy = {
			.src = (unsigned long)source,
			.len = PAGE,
		};

		poll(&wait, 1, -1);
		if (read(thread->fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (storm_below(8) == 0)
			usleep(storm_below(MS));
		copy.dst = msg.arg.pagefault.address & ~(PAGE - 1);
		done(STORM_ANSWERED, ioctl(thread->fd, UFFDIO_COPY, &copy) == 0);
	}
}

/* In a child, since its last thread waits for ever. */
static void answered(void)
{
	struct thread thread[TOUCHERS], server;
	char *area = map_anonymous(PAGES);

	if (!area)
		return;
	start(&server, serve, area, watched(area));
	for (size_t i = 0; i < TOUCHERS; i++)
		start(&thread[i], i ? poke_shared : read_zeros, area, -1);
	for (size_t i = 0; i < TOUCHERS; i++)
		pthread_join(thread[i].id, NULL);
}

/* Nobody answers: signals interrupt the fault, SIGKILL ends it. */
static void unanswered(void)
{
	struct thread thread[TOUCHERS];
	char *area = map_anonymous(PAGES);
	struct pollfd wait = { .events = POLLIN };
	struct uffd_msg msg;

	if (!area)
		return;
	wait.fd = watched(area);
	for (size_t i = 0; i < TOUCHERS; i++)
		start(&thread[i], i ? poke_shared : read_zeros, area, -1);
	/* One event of each, and one more of each that was interrupted. */
	for (size_t i = 0; i < 2 * TOUCHERS - 1; i++) {
		poll(&wait, 1, -1);
		if (read(wait.fd, &msg, sizeof(msg)) == sizeof(msg) &&
		    i >= TOUCHERS - 1)
			pthread_kill(thread[i - TOUCHERS + 1].id, SIGUSR1);
	}
	kill(getpid(), SIGKILL);
}

static void userfault(void)
{
	bool served = storm_below(2);
	pid_t pid = child();
	int status = 0;

	if (pid == 0) {
		if (served)
			answered();
		else
			unanswered();
		_exit(0);
	}
	if (served && storm_below(4) == 0) {
		usleep(storm_below(30 * MS));
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
	done(STORM_KILLED, !served && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void (*const actions[])(void) = {
	mappings, mappings, files, files, family, family, stack, heap, swapped,
	huge, hugetlb, same_pages, remote, bad, threads, threads, userfault,
};

void storm_worker(uint64_t seed, size_t count)
{
	struct sigaction refused = {
		.sa_handler = leave,
		.sa_flags = SA_NODEFER,
	};
	struct sigaction interrupt = { .sa_handler = nothing };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGSEGV, &refused, NULL);
	sigaction(SIGBUS, &refused, NULL);
	sigaction(SIGUSR1, &interrupt, NULL);
	/* What the programs run print belongs to nobody's results. */
	close(STDOUT_FILENO);
	open("/dev/null", O_WRONLY);
	storm_seed(seed);
	while (count--) {
		actions[storm_below(ARRAY_SIZE(actions))]();
		/* Where hooks go, ftrace waits until each task has given way once. */
		sched_yield();
	}
	_exit(0);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * SURVIVE_WRITES (4,000) random writes to every file that takes any, by several
 * processes at once: each is taken or refused as documented.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "module.h"
#include "storm.h"

#define WRITERS		4
#define MOST		300
#define PROGRESS	2500
#define TRACE_IDT	TRAPSCOPE "/trace_idt/enable"

/* The longest write that a file takes. */
#define ROOM		256

/* Length of a character of UTF-8 that is none of control; 0 if it is no such. */
static size_t character(const unsigned char *at, size_t left)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = at[0] < 0x80 ? 1 : (at[0] & 0xe0) == 0xc0 ? 2 :
		(at[0] & 0xf0) == 0xe0 ? 3 : (at[0] & 0xf8) == 0xf0 ? 4 : 0;
	unsigned int value = length == 1 ? at[0] : at[0] & (0x7f >> length);

	if (!length || length > left)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (at[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff ||
	    (value >= 0xd800 && value < 0xe000) ||
	    value < 0x20 || (value >= 0x7f && value < 0xa0))
		return 0;
	return length;
}

static bool all_characters(const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t length = character((const unsigned char *)text + at,
					  size - at);

		if (!length)
			return false;
		at += length;
	}
	return true;
}

static bool takes_filter(const char *text, size_t size)
{
	bool has_pid = false;
	size_t at = 0;

	if (size && text[size - 1] == '\n')
		size--;
	if (!all_characters(text, size))
		return false;
	while (at < size && text[at] == ' ')
		at++;
	if (size - at == 4 && memcmp(text + at, "none", 4) == 0)
		return true;
	while (at < size) {
		unsigned long pid = 0;
		size_t digits = 0;

		if (size - at >= 5 && memcmp(text + at, "comm=", 5) == 0)
			return size - at > 5 && size - at <= 5 + 15;
		if (size - at < 4 || memcmp(text + at, "pid=", 4) || has_pid)
			return false;
		for (at += 4; at < size && text[at] >= '0' && text[at] <= '9';
		     at++, digits++)
			if (pid <= 0x7fffffff)
				pid = pid * 10 + text[at] - '0';
		if (!digits || !pid || pid > 0x7fffffff ||
		    (at < size && text[at] != ' '))
			return false;
		has_pid = true;
		while (at < size && text[at] == ' ')
			at++;
	}
	return has_pid;
}

static bool takes_switch(const char *text, size_t size, bool zero)
{
	if (size == 2 && text[1] == '\n')
		size--;
	return size == 1 && (text[0] == '1' || (zero && text[0] == '0'));
}

static bool takes_enable(const char *text, size_t size)
{
	return takes_switch(text, size, true);
}

static bool takes_reset(const char *text, size_t size)
{
	return takes_switch(text, size, false);
}

/* What this machine answers to 1: 0, or EOPNOTSUPP with page-table isolation. */
static int no_table;

static const struct file {
	const char *path;
	bool (*takes)(const char *text, size_t size);
	const int *refuses;
} files[] = {
	{ TRAPSCOPE "/enable", takes_enable, NULL },
	{ TRAPSCOPE "/reset", takes_reset, NULL },
	{ TRAPSCOPE "/filter", takes_filter, NULL },
	{ TRACE_IDT, takes_enable, &no_table },
};

/* Good text, good text with a byte changed, or noise. */
static size_t make_text(char *text)
{
	static const char *const good[] = {
		"0", "1", "0\n", "1\n", "none", "none\n", "pid=1", "pid=77 comm=sh",
		"comm=some one", "comm=\xc3\xa4\xe2\x82\xac", " pid=2147483647\n",
		"pid=1 comm=012345678901234",
	};
	size_t size;

	if (storm_below(4) == 0) {
		size = storm_below(MOST);
		for (size_t i = 0; i < size; i++)
			text[i] = storm_below(256);
		return size;
	}
	strcpy(text, good[storm_below(ARRAY_SIZE(good))]);
	size = strlen(text);
	switch (storm_below(4)) {
	case 0:
		text[storm_below(size)] = storm_below(256);
		break;
	case 1:
		text[size++] = storm_below(256);
		break;
	case 2:
		size = storm_below(size + 1);
	}
	return size;
}

static void write_for_ever(size_t writer, unsigned long count)
{
	char text[MOST + 32];

	storm_seed(wanted_number("SOAK_SEED", 1) + writer);
	for (unsigned long done = 0; done < count; done++) {
		const struct file *file = &files[storm_below(ARRAY_SIZE(files))];
		size_t size = make_text(text);
		int fd = open(file->path, O_WRONLY);
		int wanted = size <= ROOM && file->takes(text, size) ? 0 : EINVAL;
		ssize_t got;

		if (writer == 0 && done % PROGRESS == PROGRESS - 1)
			ktap_diag("%lu writes of %lu by each so far", done + 1, count);
		if (fd < 0)
			_exit(2);
		if (!wanted && file->refuses && text[0] == '1')
			wanted = *file->refuses;
		got = write(fd, text, size);
		if (wanted ? got != -1 || errno != wanted : got != (ssize_t)size) {
			printf("# %s, %zu bytes:", file->path, size);
			for (size_t i = 0; i < size; i++)
				printf(" %02x", (unsigned char)text[i]);
			printf(": %zd, %s wanted\n", got,
			       wanted ? strerror(wanted) : "taken");
			fflush(stdout);
			_exit(1);
		}
		close(fd);
	}
	_exit(0);
}

static void writes(void)
{
	unsigned long count = wanted_number("SURVIVE_WRITES", 4000);
	static char text[1024];
	int status;

	no_table = file_write(TRACE_IDT, "1");
	ktap_check(no_table == 0 || no_table == EOPNOTSUPP, "1 to " TRACE_IDT ": %s",
		   strerror(no_table));
	fflush(stdout);
	for (size_t i = 0; i < WRITERS; i++) {
		pid_t pid = fork();

		ktap_need(pid >= 0, "fork");
		if (pid == 0)
			write_for_ever(i, count / WRITERS);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		ktap_need(wait(&status) > 0, "wait");
		ktap_check(status == 0, "a writer ended with status 0x%x", status);
	}
	ktap_diag("%lu writes by %d processes", count, WRITERS);
	ktap_need(file_read(TRAPSCOPE "/enable", text, sizeof(text)), "read enable");
	ktap_check(strlen(text) == 2 && takes_enable(text, 2),
		   "enable is \"%s\"", text);
	ktap_need(file_read(TRAPSCOPE "/filter", text, sizeof(text)), "read filter");
	ktap_check(takes_filter(text, strlen(text)), "filter is \"%s\"", text);
	ktap_need(file_write(TRAPSCOPE "/filter", text) == 0, "write it again");
	ktap_need(file_read(TRACE_IDT, text, sizeof(text)), "read " TRACE_IDT);
	ktap_check(strlen(text) == 2 && takes_enable(text, 2), TRACE_IDT " is \"%s\"", text);
	/* By then each processor has to be on the kernel's own. */
	ktap_need(file_write(TRACE_IDT, "0") == 0, "0 to " TRACE_IDT);
	ktap_check(file_read(TRAPSCOPE "/idt/check", text, sizeof(text)) &&
		   strncmp(text, "OK\n", 3) == 0, "idt/check says \"%s\"", text);
	ktap_need(file_write(TRAPSCOPE "/filter", "none") == 0 &&
		  file_write(TRAPSCOPE "/enable", "1") == 0, "put back");
	check_counts();
}

static void put_back(void)
{
	file_write(TRAPSCOPE "/filter", "none");
	file_write(TRAPSCOPE "/enable", "1");
	file_write(TRACE_IDT, "0");
}

static const struct ktap_case cases[] = {
	{ "random writes, each taken or refused as documented", writes },
};

int main(void)
{
	module_needed();
	at_end(put_back);
	return fault_plain(cases, ARRAY_SIZE(cases));
}

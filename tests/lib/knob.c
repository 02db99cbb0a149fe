// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

#define MAX_KNOBS	16
#define MAX_UNDO	8

static struct knob {
	char path[128];
	char value[256];
} knobs[MAX_KNOBS];
static size_t knob_count;

static void (*undos[MAX_UNDO])(void);
static size_t undo_count;
static pid_t owner;

bool file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t used = 0;
	ssize_t got;

	if (fd < 0)
		return false;
	while ((got = read(fd, text + used, size - 1 - used)) > 0)
		used += got;
	close(fd);
	text[used] = '\0';
	return got == 0;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		error = errno;
	close(fd);
	return error;
}

static void restore(void)
{
	/* A forked child is no owner of the machine's settings. */
	if (getpid() != owner)
		return;
	while (undo_count)
		undos[--undo_count]();
	while (knob_count) {
		knob_count--;
		if (file_write(knobs[knob_count].path, knobs[knob_count].value))
			ktap_diag("can't restore %s: write \"%s\" to it",
				  knobs[knob_count].path,
				  knobs[knob_count].value);
	}
}

static void restore_at_exit(void)
{
	if (owner)
		return;
	owner = getpid();
	atexit(restore);
}

/* In "always [madvise] never" the word in brackets is what is set. */
static void pick_chosen(char *value)
{
	char *open = strchr(value, '[');
	char *close = strchr(value, ']');

	if (open && close > open) {
		*close = '\0';
		memmove(value, open + 1, strlen(open + 1) + 1);
	}
	value[strcspn(value, "\n")] = '\0';
}

bool knob_set(const char *path, const char *value)
{
	struct knob *knob = &knobs[knob_count];
	int error;

	restore_at_exit();
	ktap_need(knob_count < MAX_KNOBS, "more than %d settings", MAX_KNOBS);
	if (!file_read(path, knob->value, sizeof(knob->value)))
		return false;
	pick_chosen(knob->value);
	snprintf(knob->path, sizeof(knob->path), "%s", path);
	error = file_write(path, value);
	errno = error;
	ktap_need(error == 0, "write \"%s\" to %s", value, path);
	knob_count++;
	return true;
}

void must_run(const char *command)
{
	ktap_need(system(command) == 0, "run \"%s\"", command);
}

void at_end(void (*undo)(void))
{
	restore_at_exit();
	ktap_need(undo_count < MAX_UNDO, "more than %d things to undo", MAX_UNDO);
	undos[undo_count++] = undo;
}

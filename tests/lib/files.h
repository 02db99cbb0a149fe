/* SPDX-License-Identifier: GPL-2.0 */
/* The files of the module: all of them. */
#ifndef TESTS_FILES_H
#define TESTS_FILES_H

#include <stdbool.h>
#include <stddef.h>

enum { FILE_COUNT = 19 };

extern const struct module_file {
	const char *name;
	bool writable;
} module_files[FILE_COUNT];

/* Opens it as @flags (O_RDONLY ...) say; that has to work. */
int file_open(const struct module_file *file, int flags);

/* How many files there are. */
size_t files_there(void);

/* Ends the test unless these are all that there are. */
void files_complete(void);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Loading and unloading the module, without a shell. */
#ifndef TESTS_MODULE_H
#define TESTS_MODULE_H

#include <stdbool.h>

#define MODULE		"/lib/trapscope/trapscope.ko"

/* 0, or the errno of what failed. */
int module_insert(const char *parameters);
int module_remove(void);

/* The same, where nothing may fail. */
void module_load(const char *parameters);
void module_unload(void);

/* Ends the test as skipped unless the module is there, to load it again. */
void module_needed(void);

/* What a test program's environment asks for; @otherwise without it. */
unsigned long wanted_number(const char *name, unsigned long otherwise);

#endif

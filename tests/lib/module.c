// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "module.h"

int module_insert_file(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, parameters, 0))
		error = errno;
	close(fd);
	return error;
}

int module_remove_name(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
}

int module_insert(const char *parameters)
{
	return module_insert_file(MODULE, parameters);
}

int module_remove(void)
{
	return module_remove_name("trapscope");
}

void module_load(const char *parameters)
{
	errno = module_insert(parameters);
	ktap_need(errno == 0, "insmod " MODULE " %s", parameters);
}

void module_unload(void)
{
	errno = module_remove();
	ktap_need(errno == 0, "rmmod trapscope");
}

void module_needed(void)
{
	if (!module_loaded() || access(MODULE, R_OK))
		ktap_skip_all("trapscope is not loaded, or no " MODULE);
}

unsigned long wanted_number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

// SPDX-License-Identifier: GPL-2.0
/* The trace events, and functions by which Rust calls them. */

#include <linux/module.h>

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "fault_events.h"

/*
 * perf and BPF hold the module themselves. An event that is switched on in tracefs
 * alone does not: rmmod would take it away from whoever watches it.
 */
int trapscope_event_begins(void)
{
	return try_module_get(THIS_MODULE) ? 0 : -ENODEV;
}

void trapscope_event_ends(void)
{
	module_put(THIS_MODULE);
}

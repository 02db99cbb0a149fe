// SPDX-License-Identifier: GPL-2.0
/*
 * Others that watch handle_mm_fault() at the same time, by each of the kernel's
 * own means: whoever comes first or goes first, both see every call.
 */
#include "fault.h"
#include "module.h"
#include "others.h"

static void kprobe_event(void)
{
	beside(&others[KPROBE]);
}

static void kretprobe_event(void)
{
	beside(&others[KRETPROBE]);
}

static void fprobe_event(void)
{
	beside(&others[FENTRY]);
}

static void fprobe_return(void)
{
	beside(&others[FEXIT]);
}

static void function_tracer(void)
{
	beside(&others[FUNCTION]);
}

static void graph_tracer(void)
{
	beside(&others[GRAPH]);
}

static void direct_call(void)
{
	if (!others_direct_missing())
		beside(&others[CALL]);
}

static void replaced(void)
{
	if (!others_direct_missing())
		beside(&others[REPLACE]);
}

static void module_kprobe(void)
{
	if (!others_direct_missing())
		beside(&others[MODULE_KPROBE]);
}

static void module_kretprobe(void)
{
	if (!others_direct_missing())
		beside(&others[MODULE_KRETPROBE]);
}

static void all_at_once(void)
{
	beside_all(NULL, 0);
}

static void all_and_direct(void)
{
	if (!others_direct_missing())
		beside_all((const struct other *[]){ &others[CALL] }, 1);
}

static void all_and_replaced(void)
{
	if (!others_direct_missing())
		beside_all((const struct other *[]){ &others[REPLACE] }, 1);
}

static const struct ktap_case cases[] = {
	{ "beside a kprobe event", kprobe_event },
	{ "beside a kretprobe event", kretprobe_event },
	{ "beside an fprobe event", fprobe_event },
	{ "beside an fprobe event at the return", fprobe_return },
	{ "beside the function tracer", function_tracer },
	{ "beside the function graph tracer", graph_tracer },
	{ "beside a direct call", direct_call },
	{ "beside a function in its place, as livepatch has it", replaced },
	{ "beside a kprobe of another module", module_kprobe },
	{ "beside a kretprobe of another module", module_kretprobe },
	{ "beside all events and the tracer, loaded when they are there", all_at_once },
	{ "the same and a direct call", all_and_direct },
	{ "the same and a function in its place", all_and_replaced },
};

int main(void)
{
	module_needed();
	others_needed();
	return fault_plain(cases, ARRAY_SIZE(cases));
}

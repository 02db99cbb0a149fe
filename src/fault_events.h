/* SPDX-License-Identifier: GPL-2.0 */
/* The trace events trapscope:fault and trapscope:kernel_fault: docs/events.md. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM trapscope

#if !defined(TRAPSCOPE_FAULT_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define TRAPSCOPE_FAULT_EVENTS_H

#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "event_names.h"
#include "shim.h"

/* Whoever listens to an event keeps the module. */
int trapscope_event_begins(void);
void trapscope_event_ends(void);

/* Tools have the numbers only if they are told. */
TRACE_DEFINE_ENUM(FAULT_FLAG_WRITE);
TRACE_DEFINE_ENUM(FAULT_FLAG_MKWRITE);
TRACE_DEFINE_ENUM(FAULT_FLAG_ALLOW_RETRY);
TRACE_DEFINE_ENUM(FAULT_FLAG_RETRY_NOWAIT);
TRACE_DEFINE_ENUM(FAULT_FLAG_KILLABLE);
TRACE_DEFINE_ENUM(FAULT_FLAG_TRIED);
TRACE_DEFINE_ENUM(FAULT_FLAG_USER);
TRACE_DEFINE_ENUM(FAULT_FLAG_REMOTE);
TRACE_DEFINE_ENUM(FAULT_FLAG_INSTRUCTION);
TRACE_DEFINE_ENUM(FAULT_FLAG_INTERRUPTIBLE);
TRACE_DEFINE_ENUM(FAULT_FLAG_UNSHARE);
TRACE_DEFINE_ENUM(FAULT_FLAG_VMA_LOCK);
TRACE_DEFINE_ENUM(VM_FAULT_OOM);
TRACE_DEFINE_ENUM(VM_FAULT_SIGBUS);
TRACE_DEFINE_ENUM(VM_FAULT_MAJOR);
TRACE_DEFINE_ENUM(VM_FAULT_HWPOISON);
TRACE_DEFINE_ENUM(VM_FAULT_HWPOISON_LARGE);
TRACE_DEFINE_ENUM(VM_FAULT_SIGSEGV);
TRACE_DEFINE_ENUM(VM_FAULT_NOPAGE);
TRACE_DEFINE_ENUM(VM_FAULT_LOCKED);
TRACE_DEFINE_ENUM(VM_FAULT_RETRY);
TRACE_DEFINE_ENUM(VM_FAULT_FALLBACK);
TRACE_DEFINE_ENUM(VM_FAULT_DONE_COW);
TRACE_DEFINE_ENUM(VM_FAULT_NEEDDSYNC);
TRACE_DEFINE_ENUM(VM_FAULT_COMPLETED);

/* handle_mm_fault() is done with a fault: one event for each that is counted. */
TRACE_EVENT_FN(fault,
	TP_PROTO(const struct trapscope_fault *fault),
	TP_ARGS(fault),
	TP_STRUCT__entry(
		__field(u64, address)
		__field(u64, ip)
		__field(u64, latency_ns)
		__field(u64, vma_start)
		__field(u64, vma_end)
		__field(u64, ino)
		__field(u32, flags)
		__field(u32, result)
		__field(u32, dev)
		__field(s32, tgid)
		__field(u16, retries)
		__field(u8, class)
		__field(bool, major)
		__array(char, perms, 5)
	),
	TP_fast_assign(
		__entry->address = fault->address;
		__entry->ip = fault->begin.ip;
		__entry->latency_ns = fault->latency_ns;
		__entry->vma_start = fault->begin.vma_start;
		__entry->vma_end = fault->begin.vma_end;
		__entry->ino = fault->begin.ino;
		__entry->flags = fault->begin.flags;
		__entry->result = fault->result;
		__entry->dev = fault->begin.dev;
		__entry->tgid = fault->begin.tgid;
		__entry->retries = fault->begin.retries;
		__entry->class = fault->class;
		__entry->major = fault->major;
		__entry->perms[0] = fault->begin.vm_flags & VM_READ ? 'r' : '-';
		__entry->perms[1] = fault->begin.vm_flags & VM_WRITE ? 'w' : '-';
		__entry->perms[2] = fault->begin.vm_flags & VM_EXEC ? 'x' : '-';
		__entry->perms[3] = fault->begin.vm_flags & VM_MAYSHARE ? 's' : 'p';
		__entry->perms[4] = 0;
	),
	TP_printk("class=%s address=0x%llx ip=0x%llx flags=%s result=%s latency_ns=%llu vma=0x%llx-0x%llx perms=%s dev=%02x:%02x ino=%llu tgid=%d major=%d retries=%u",
		__print_symbolic(__entry->class, TRAPSCOPE_CLASSES),
		__entry->address, __entry->ip,
		(__entry->flags) ? __print_flags(__entry->flags, "|",
			FAULT_FLAG_TRACE, { FAULT_FLAG_UNSHARE, "UNSHARE" }) : "none",
		(__entry->result) ? __print_flags(__entry->result, "|",
			VM_FAULT_RESULT_TRACE) : "none",
		__entry->latency_ns, __entry->vma_start, __entry->vma_end,
		__entry->perms, MAJOR(__entry->dev), MINOR(__entry->dev),
		__entry->ino, __entry->tgid, __entry->major, __entry->retries),
	trapscope_event_begins, trapscope_event_ends
);

/* A fault on a kernel address, or one that was refused: one for each counted. */
TRACE_EVENT_FN(kernel_fault,
	TP_PROTO(u64 address, u64 ip, u64 error_code, u8 place, bool user),
	TP_ARGS(address, ip, error_code, place, user),
	TP_STRUCT__entry(
		__field(u64, address)
		__field(u64, ip)
		__field(u64, error_code)
		__field(u8, place)
		__field(bool, user)
	),
	TP_fast_assign(
		__entry->address = address;
		__entry->ip = ip;
		__entry->error_code = error_code;
		__entry->place = place;
		__entry->user = user;
	),
	TP_printk("place=%s address=0x%llx ip=0x%llx error_code=%s mode=%s",
		__print_symbolic(__entry->place, TRAPSCOPE_PLACES),
		__entry->address, __entry->ip,
		(__entry->error_code) ? __print_flags(__entry->error_code, "|",
			TRAPSCOPE_ERROR_CODE_BITS) : "none",
		__print_symbolic(__entry->user, { 0, "kernel" }, { 1, "user" })),
	trapscope_event_begins, trapscope_event_ends
);

#endif

/*
 * Found by -I, since define_trace.h is elsewhere. There must be no such file
 * beside that: hence the name.
 */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE fault_events
#include <trace/define_trace.h>

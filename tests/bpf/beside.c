// SPDX-License-Identifier: GPL-2.0
/*
 * BPF programs at the entry and at the return of handle_mm_fault(), by the system call
 * itself: whoever comes first or goes first, they and trapscope see every call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "module.h"
#include "others.h"

#define BTF		"/sys/kernel/btf/vmlinux"
#define PROBED		"handle_mm_fault"

/* The kernel's own is later than the header here may be: 24 bits, and kinds to 127. */
#define KIND(type)	((type)->info >> 24 & 0x7f)
#define LENGTH(type)	((type)->info & 0xffffff)

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* ---- the number of the function among the kernel's types ---- */

/* What follows a type, or -1 for a kind that is not known here. */
static long follows(const struct btf_type *type)
{
	size_t length = LENGTH(type);

	switch (KIND(type)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return length * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return length * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return length * sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return length * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return length * sizeof(struct btf_var_secinfo);
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	}
	return -1;
}

static uint32_t find_function(const char *btf, const char *name)
{
	const struct btf_header *header = (const void *)btf;
	const char *types = btf + header->hdr_len + header->type_off;
	const char *strings = btf + header->hdr_len + header->str_off;
	const char *end = types + header->type_len;

	ktap_need(header->magic == 0xeb9f, BTF " is no BTF");
	for (uint32_t id = 1; types < end; id++) {
		const struct btf_type *type = (const void *)types;
		long more = follows(type);

		if (KIND(type) == BTF_KIND_FUNC &&
		    strcmp(strings + type->name_off, name) == 0)
			return id;
		ktap_need(more >= 0, "type %u of " BTF " is of kind %u: add it",
			  id, KIND(type));
		types += sizeof(*type) + more;
	}
	ktap_need(false, "no %s in " BTF, name);
	return 0;
}

static uint32_t probed_id(void)
{
	static uint32_t id;
	size_t size = 32 << 20;
	char *btf;

	if (id)
		return id;
	btf = malloc(size);
	ktap_need(btf && file_read(BTF, btf, size), "read " BTF);
	id = find_function(btf, PROBED);
	free(btf);
	return id;
}

/* ---- a program that counts the calls of this process ---- */

static struct {
	int map;
	int program;
	int link;
	bool read;
} loaded[2];

#define INSN(c, dst, src, o, i)						\
	((struct bpf_insn) { .code = c, .dst_reg = dst, .src_reg = src,	\
			     .off = o, .imm = i })

static void load(size_t which, enum bpf_attach_type type)
{
	static char log[16384];
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1,
	};
	int fd = bpf(BPF_MAP_CREATE, &map);
	struct bpf_insn code[] = {
		/* if (bpf_get_current_pid_tgid() >> 32 != the pid) return 0; */
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_pid_tgid),
		INSN(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 32),
		INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 4, getpid()),
		/* the map's only value += 1, though an interrupt may come between */
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1,
		     BPF_PSEUDO_MAP_VALUE, 0, fd),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 1),
		INSN(BPF_STX | BPF_DW | BPF_ATOMIC, BPF_REG_1, BPF_REG_2, 0,
		     BPF_ADD),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr program = {
		.prog_type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = type,
		.insns = (uintptr_t)code,
		.insn_cnt = ARRAY_SIZE(code),
		.license = (uintptr_t)"GPL",
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
		.attach_btf_id = probed_id(),
	};
	union bpf_attr link = { 0 };

	ktap_need(fd >= 0, "make a map");
	loaded[which].read = false;
	loaded[which].map = fd;
	loaded[which].program = bpf(BPF_PROG_LOAD, &program);
	ktap_need(loaded[which].program >= 0, "load the program: %s", log);
	link.raw_tracepoint.prog_fd = loaded[which].program;
	loaded[which].link = bpf(BPF_RAW_TRACEPOINT_OPEN, &link);
	ktap_need(loaded[which].link >= 0, "attach the program");
}

static void unload(size_t which)
{
	close(loaded[which].link);
	close(loaded[which].program);
	close(loaded[which].map);
}

static unsigned long counted(size_t which)
{
	uint32_t key = 0;
	uint64_t value = 0;
	union bpf_attr attr = {
		.map_fd = loaded[which].map,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)&value,
	};

	ktap_need(bpf(BPF_MAP_LOOKUP_ELEM, &attr) == 0, "read the map");
	return value;
}

/* ---- who they are ---- */

struct programs {
	size_t count;
	enum bpf_attach_type types[2];
};

static void start(const struct other *other)
{
	const struct programs *programs = other->data;

	for (size_t i = 0; i < programs->count; i++)
		load(i, programs->types[i]);
}

static void stop(const struct other *other)
{
	const struct programs *programs = other->data;

	for (size_t i = 0; i < programs->count; i++)
		unload(i);
}

/* The second was attached later, and may have seen less until then: not afterwards. */
static unsigned long count(const struct other *other)
{
	const struct programs *programs = other->data;
	static unsigned long lead;
	unsigned long first = counted(0);

	if (programs->count == 2) {
		lead = loaded[1].read ? lead : first - counted(1);
		loaded[1].read = true;
		ktap_check(first - counted(1) == lead,
			   "%lu calls at the entry, %lu at the return", first,
			   counted(1));
	}
	return first;
}

#define OTHER(name, ...)						\
	{ name, start, stop, count, &(const struct programs) { __VA_ARGS__ } }

static const struct other at_entry =
	OTHER("a BPF program at the entry", 1, { BPF_TRACE_FENTRY });
static const struct other at_return =
	OTHER("a BPF program at the return", 1, { BPF_TRACE_FEXIT });
static const struct other at_both =
	OTHER("BPF programs at both", 2, { BPF_TRACE_FENTRY, BPF_TRACE_FEXIT });

static void entry(void)
{
	beside(&at_entry);
}

static void at_the_return(void)
{
	beside(&at_return);
}

static void both(void)
{
	beside(&at_both);
}

/* The module comes and goes in between. */
static void loaded_beside(void)
{
	at_both.start(&at_both);
	module_unload();
	module_load("");
	both_see(&at_both, true, true, "with both");
	at_both.stop(&at_both);
	both_see(&at_both, true, false, "afterwards");
}

static void all_at_once(void)
{
	beside_all((const struct other *[]){ &at_both }, 1);
}

/* Not with a direct call: BPF programs are one, and a function can have but one. */
static void all_and_replaced(void)
{
	if (!others_direct_missing())
		beside_all((const struct other *[]){ &at_both, &others[REPLACE] }, 2);
}

static const struct ktap_case cases[] = {
	{ "beside a BPF program at the entry", entry },
	{ "beside a BPF program at the return", at_the_return },
	{ "beside BPF programs at both", both },
	{ "loaded and unloaded while both are there", loaded_beside },
	{ "beside both, all events and the tracer, loaded when they are there", all_at_once },
	{ "the same and a function in its place, as livepatch has it", all_and_replaced },
};

int main(void)
{
	module_needed();
	if (access(BTF, R_OK))
		ktap_skip_all("no " BTF ": 'make test-bpf' has a kernel with it");
	others_needed();
	return fault_plain(cases, ARRAY_SIZE(cases));
}

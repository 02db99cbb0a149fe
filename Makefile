# SPDX-License-Identifier: GPL-2.0
# Set-up and use. The kernel's own build reads Kbuild instead of this file.

setup := scripts/setup

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

#: make run        set up all that is needed, boot the kernel with trapscope, report
#: make test       the same set-up, then the whole test suite
#: make test-debug the guest's part of it on a kernel that checks itself
#: make test-upstream  the kernel's own mm, x86 and ftrace tests, with it and without
#: make test-bpf   beside BPF programs, and the events in bpftrace, on a kernel with BTF
#: make soak       a million faults and a thousand rounds of loading
#: make test-nested  a guest of KVM in a guest, and 30,000 of its async page faults
#: make shell      a prompt in the guest, module loaded
#: make bench      what a fault costs under trapscope and under its peers
#: make bench-check  the same in short: fails if trapscope became dearer
#: make packages   install the Debian packages that are missing
#: make kernel     only fetch and build the kernel
#: make module     only build the module (and the kernel before it)
#: make tests      only compile the test programs
#: make clean      remove the module and the test programs from the cache
#: make distclean  remove the whole cache
#:
#: Variables: KSRC= kernel source, or KDIR= kernel build folder of your own;
#:   RUSTC= RUST_LIB_SRC= CARGO= BINDGEN= tools of your own; JOBS= of a build;
#:   SMP= MEM= CPU= APPEND= the guest. docs/set-up.md describes them.

run:
	@$(setup)/all.sh
	@scripts/run

test:
	@$(setup)/all.sh --all
	@scripts/test

test-debug:
	@FLAVOUR=debug $(setup)/all.sh --all
	@scripts/test --debug

test-upstream:
	@$(setup)/all.sh --upstream
	@scripts/upstream

test-bpf:
	@FLAVOUR=bench $(setup)/all.sh
	@FLAVOUR=bench $(setup)/tests-modules.sh
	@scripts/test --bpf

soak:
	@$(setup)/all.sh
	@$(setup)/tests-modules.sh
	@scripts/test --soak

test-nested:
	@$(setup)/all.sh
	@$(setup)/tests-modules.sh
	@scripts/test --nested

shell:
	@$(setup)/all.sh
	@scripts/vm shell

bench: export FLAVOUR := bench
bench:
	@$(setup)/packages.sh
	@$(setup)/kernel.sh
	@$(setup)/module.sh
	@$(setup)/bench.sh
	@bench/run

bench-check: module
	@$(setup)/bench.sh
	@bench/check

packages:
	@$(setup)/packages.sh --all

kernel:
	@$(setup)/packages.sh
	@$(setup)/kernel.sh

module: kernel
	@$(setup)/module.sh

tests:
	@$(setup)/packages.sh
	@$(setup)/tests.sh

clean:
	@$(setup)/clean.sh

distclean:
	@$(setup)/clean.sh --all

# Builds share the cache and lock it; one after the other reads better.
.NOTPARALLEL:
.PHONY: help run test test-debug test-upstream test-bpf soak test-nested shell bench bench-check packages kernel module tests clean distclean

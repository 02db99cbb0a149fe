# SPDX-License-Identifier: GPL-2.0
# Called by tests.sh in the top folder of the checkout, with CC and OUT.

CFLAGS = -static -O2 -Wall -Wextra -Werror -pthread -Itests/lib

lib := $(patsubst tests/%.c,$(OUT)/%.o,$(wildcard tests/lib/*.c))
sources := $(filter-out tests/lib/%,$(wildcard tests/*/*.c))
programs := $(patsubst tests/%.c,$(OUT)/%,$(sources))

all: $(programs)

# Headers are few: whoever changes one, or this file, has all compiled again.
headers := $(wildcard tests/lib/*.h) $(firstword $(MAKEFILE_LIST))

$(OUT)/lib/%.o: tests/lib/%.c $(headers)
	@mkdir -p $(@D) && echo "  CC $<"
	@$(CC) $(CFLAGS) -c -o $@ $<

$(programs): $(OUT)/%: tests/%.c $(lib) $(headers)
	@mkdir -p $(@D) && echo "  CC $<"
	@$(CC) $(CFLAGS) -o $@ $< $(lib)

.PHONY: all
.SECONDARY: $(lib)
.DELETE_ON_ERROR:

# tandem: one Makefile, not recursive.  "make help" lists the targets.
#
# Everything is built below build/VARIANT/.  Each folder's sources are one layer; a program is its
# main file and the one library of all layers.
.DEFAULT_GOAL := all
SHELL := /bin/bash
.DELETE_ON_ERROR:

VARIANT ?= release
Q := $(if $(V),,@)
B := build/$(VARIANT)
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif

PACKAGES := jansson libuv yaml-0.1 libcrypto
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
        -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wpointer-arith -Wno-missing-field-initializers -Werror
CFLAGS_release  := -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
CFLAGS_asan     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan     := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_coverage := -O0 -g --coverage
CFLAGS_clang    := -O1 -g -Wthread-safety -Wthread-safety-beta
LDFLAGS_release := -Wl,-z,relro,-z,now
LDFLAGS_asan    := -fsanitize=address,undefined
LDFLAGS_tsan    := -fsanitize=thread
LDFLAGS_coverage := --coverage

DEFS := -std=c11 -D_GNU_SOURCE -I.
ALL_CFLAGS = $(DEFS) $(WARN) $(CFLAGS_$(VARIANT)) -pthread -fPIE $(shell pkg-config --cflags $(PACKAGES)) $(CFLAGS)
ALL_LDFLAGS = $(LDFLAGS_$(VARIANT)) -pie -pthread $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PACKAGES)) -lcmark-gfm -lcmark-gfm-extensions

BASE       := $(sort $(wildcard state/base/*.c))
STATE      := $(sort $(wildcard state/*.c))
HANDLERS   := $(sort $(wildcard handlers/*.c))
TRANSPORTS := $(sort $(wildcard transports/*.c))
SERVER     := $(sort $(filter-out server/main.c,$(wildcard server/*.c)))
LIBRARY    := $(BASE) $(STATE) $(HANDLERS) $(TRANSPORTS) $(SERVER)
UNIT_TESTS := $(sort $(wildcard tests/unit/test_*.c))
TEST_HELP  := $(sort $(wildcard tests/*.c))

obj = $(patsubst %.c,$(B)/%.o,$(1))
UNIT_BINS := $(patsubst %.c,$(B)/%,$(UNIT_TESTS))

.PHONY: all unit bench-rpc clean help
all: build/tandem            ## build build/tandem

build/tandem: build/release/tandem
	@ln -sf release/tandem $@
$(B)/tandem: $(call obj,server/main.c) $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(B)/libtandem.a: $(call obj,$(LIBRARY))
	@rm -f $@
	@ar crsD $@ $^
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(call obj,$(TEST_HELP)) $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

unit: $(UNIT_BINS)           ## build and run the unit tests (VARIANT=asan, tsan, ...)
	@for t in $(UNIT_BINS); do $$t >$$t.log 2>&1 || { cat $$t.log; exit 1; }; done; echo "$(words $(UNIT_BINS)) unit programs passed"

bench-rpc: $(B)/tests/bench/bench_rpc ## time the scan of a message beside jansson
	@$<
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/libtandem.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

clean:                       ## remove build/
	rm -rf build
help:                        ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 16

-include $(shell find build -name '*.d' 2>/dev/null)
.PRECIOUS: $(B)/%.o

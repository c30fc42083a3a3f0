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

PACKAGES := libuv jansson yaml-0.1
# Loaded when they are needed (state/base/late.h): only their headers are used here.
LATE := sqlite3 libcrypto libwebsockets
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
        -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wpointer-arith -Wno-missing-field-initializers -Werror
# What who breaks into C programs counts on is taken from him, as far as compiler and processor know how.  It costs an
# echo 735 of 28,500 instructions; 5,100 if the buffers of its path were not NOT_CLEARED (state/base/mem.h).
takes = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null 2>/dev/null && echo $(1))
HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fno-delete-null-pointer-checks -fno-strict-overflow \
          $(foreach flag,-fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero,$(call takes,$(flag)))
CFLAGS_release  := -O2 -g $(HARDEN)
CFLAGS_asan     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan     := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_coverage := -O0 -g --coverage
CFLAGS_clang    := -O1 -g -Wthread-safety -Wthread-safety-beta -Wconversion
CFLAGS_sched    := -O1 -g -fsanitize=thread -Wno-tsan
CFLAGS_helgrind := -O1 -g -Wno-shadow -include tests/prove/helgrind.h
CFLAGS_fuzz     := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_release := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
LDFLAGS_asan    := -fsanitize=address,undefined
LDFLAGS_tsan    := -fsanitize=thread
LDFLAGS_coverage := --coverage
LDFLAGS_fuzz    := -fsanitize=fuzzer,address,undefined

DEFS := -std=c11 -D_GNU_SOURCE -I.
# The same bytes wherever it is built.
ALL_CFLAGS = $(DEFS) $(WARN) -ffile-prefix-map=$(CURDIR)=. $(CFLAGS_$(VARIANT)) -pthread -fPIE $(shell pkg-config --cflags $(PACKAGES) $(LATE)) $(CFLAGS)
ALL_LDFLAGS = $(LDFLAGS_$(VARIANT)) -pie -pthread $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PACKAGES)) -lcmark-gfm -lcmark-gfm-extensions -lm
TEST_LIBS = $(LIBS) -lcrypto -lsqlite3
soname = $(shell LC_ALL=C readelf -d "$$($(CC) -print-file-name=lib$(1).so)" | sed -n 's/.*(SONAME).*\[\(.*\)\]/"\1"/p')

BASE       := $(sort $(wildcard state/base/*.c))
STATE      := $(sort $(wildcard state/*.c))
HANDLERS   := $(sort $(wildcard handlers/*.c))
TRANSPORTS := $(sort $(wildcard transports/*.c))
EDIT       := $(sort $(wildcard server/edit/*.c))
SERVER     := $(sort $(filter-out server/main.c,$(wildcard server/*.c)))
LIBRARY    := $(BASE) $(STATE) $(HANDLERS) $(TRANSPORTS) $(EDIT) $(SERVER)
TEST_HELP  := $(sort $(wildcard tests/*.c))

# Test programs by folder: modules; transports over real sockets and pipes; many threads and crashes;
# scripts and programs that drive the binary as its users do.
obj = $(patsubst %.c,$(B)/%.o,$(1))
bins = $(patsubst %.c,$(B)/%,$(sort $(wildcard $(1))))
UNIT       := $(call bins,tests/unit/test_*.c)
TRANSPORT  := $(call bins,tests/transport/test_*.c)
STRESS     := $(call bins,tests/stress/*.c)
DRIVERS    := $(call bins,tests/transcripts/run_*.c)
SCRIPTS    := $(sort $(wildcard tests/cli/test_*.sh)) $(if $(filter release,$(VARIANT)),tests/prove/binary.sh tests/prove/confined.sh tests/prove/container.sh $(sort $(wildcard tests/package/test_*.sh)))
SCHEDULES  := build/sched/tests/prove/schedules
BENCHES    := $(call bins,tests/bench/bench_*.c)
BARE       := $(call bins,tests/bench/bare_*.c)
COMPARE    := $(B)/tests/bench/compare
PROOFS     := $(call bins,tests/prove/*_faults.c)
# Faults go before the allocator of a sanitizer: AddressSanitizer's lets them.
FAULTED    := $(if $(filter release asan,$(VARIANT)),$(PROOFS))
TEST_BINS  := $(UNIT) $(TRANSPORT) $(STRESS) $(DRIVERS) $(FAULTED)

.PHONY: FORCE all run test unit suite transcripts lint check-asan check-tsan check-valgrind check-sched check-models clients coverage prove bench bench-quick bench-modules figures fuzz deps \
        test-deps bench-deps \
        reference install portable tarball deb bundle image sbom clean help
.SECONDARY:

all: build/tandem            ## build build/tandem

build/tandem: build/release/tandem
	@ln -sf release/tandem $@
$(B)/tandem: $(call obj,server/main.c) $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(B)/libtandem.a: $(call obj,$(LIBRARY))
	@rm -f $@
	@ar crsD $@ $^
$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
# What objects are made with, wherever that is; they are made anew when it changes.
MADE_WITH = $(CC) $(subst $(CURDIR),,$(ALL_CFLAGS))
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(MADE_WITH)' | cmp -s - $@ || echo '$(MADE_WITH)' >$@
FORCE:
$(B)/state/base/sql_late.o: private DEFS += -DSQL_SONAME='$(call soname,sqlite3)'
$(B)/state/crypto.o: private DEFS += -DCRYPTO_SONAME='$(call soname,crypto)'
$(B)/transports/ws_late.o: private DEFS += -DWS_SONAME='$(call soname,websockets)'
# It writes its counts there when it ends.
$(B)/server/serve_sandbox.o: private CFLAGS_coverage += -DCOVERAGE_FOLDER='"$(CURDIR)/$(B)"'
$(B)/state/search_vectors.o: private CFLAGS_release += -O3 # Its loop over bytes: 1 ms instead of 15.
$(B)/libtests.a: $(call obj,$(TEST_HELP))
	@rm -f $@
	@ar crsD $@ $^
# What the assembler takes in, the compiler does not tell of.
$(B)/transports/http_console.o: $(wildcard transports/console/*)
$(TEST_BINS): $(B)/%: $(B)/%.o $(B)/libtests.a $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS) -lcmocka
# A server whose calls can be made to fail; the shim is called before a sanitizer has begun.
$(B)/tests/prove/shim/%.o: tests/prove/shim/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(DEFS) $(WARN) $(CFLAGS_release) -pthread -fPIE $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/tests/prove/tandem_faults: $(call obj,server/main.c tests/prove/shim/fault_shim.c) $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(FAULTED): | $(B)/tests/prove/tandem_faults
# A server that helgrind understands (VARIANT=helgrind): see tests/prove/helgrind.h.
$(B)/tests/prove/tandem_helgrind: $(call obj,server/main.c tests/prove/helgrind_syscall.c) $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--wrap=syscall -o $@ $^ $(LIBS)
# The compiler calls sched_points.c at each access to memory, and the linker leads pthread to sched.c: see sched.h.
$(addprefix $(B)/tests/prove/sched,.o _pthread.o _points.o): private CFLAGS_sched := -O2 -g
comma := ,
SCHED_WRAPS := $(addprefix -Wl$(comma)--wrap=,$(addprefix pthread_,create join mutex_init mutex_destroy mutex_lock \
               mutex_trylock mutex_unlock cond_wait cond_timedwait cond_signal cond_broadcast cond_destroy) \
               getrandom clock_gettime nanosleep fsync)
$(B)/tests/prove/schedules: $(call obj,$(addprefix tests/prove/,schedules.c scenes.c planted.c sched.c sched_pthread.c sched_points.c) \
    $(addprefix tests/,workflow_rig.c quota_rig.c fake_quota_store.c fakes.c tree.c) $(STATE) $(BASE))
	$(Q)$(CC) $(ALL_LDFLAGS) $(SCHED_WRAPS) -o $@ $^ $(TEST_LIBS) -lcmocka
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fakes.o $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
# For deploy/portable.sh: the same objects, but libraries are looked for beside the program first. The run path is of the old
# kind, which libraries inherit. libwebsockets comes with its plug-in: see deploy/portable/ws_plugin.c.
$(B)/portable/ws_late.o: transports/ws_late.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -DWS_SONAME='"libtandem-ws.so"' -MMD -MP -c -o $@ $<
$(B)/portable/tandem: $(call obj,server/main.c) $(B)/portable/ws_late.o $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../lib/tandem:$$ORIGIN/lib' -o $@ $^ $(LIBS)
$(B)/portable/libtandem-ws.so: deploy/portable/ws_plugin.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fPIE,$(ALL_CFLAGS)) -fPIC -shared $(LDFLAGS_$(VARIANT)) -Wl,-soname,$(@F) -o $@ $< -lwebsockets \
	    $(shell pkg-config --variable=libdir libwebsockets)/libwebsockets-evlib_uv.so
portable: $(addprefix $(B)/portable/,tandem libtandem-ws.so)

# "make bench": the programs that do the least that a machine can do, and the one that compares.
$(BARE): $(B)/%: $(B)/%.o $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
$(COMPARE): $(call obj,$(sort $(filter-out tests/bench/bench_%.c tests/bench/bare_%.c,$(wildcard tests/bench/*.c)))) \
            $(B)/libtests.a $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
$(BENCHES): $(B)/%: $(B)/%.o $(call obj,$(sort $(wildcard tests/harness*.c tests/*_client.c tests/tokens.c tests/tree.c tests/judged.c))) $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)

run: deps                    ## install what is missing, build, and show the main job: "tandem demo"
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) all
	@build/tandem demo

test: test-deps              ## everything; ends with "N passed, N failed"
	@rm -rf build/results
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory all suite clients
	@$(MAKE) --no-print-directory check-asan check-tsan check-valgrind check-sched check-models
	@tests/run.sh --sum

unit: $(UNIT)                ## the modules' own tests only (VARIANT=asan, tsan, ...)
	@tests/run.sh $(VARIANT)-unit $(UNIT)
suite: $(TEST_BINS) $(B)/tandem $(if $(filter release,$(VARIANT)),reference portable) ## all test programs of one variant (VARIANT=release, asan, tsan, coverage)
	@TANDEM=$(B)/tandem tests/run.sh $(VARIANT) $(TEST_BINS) $(SCRIPTS)
transcripts: $(B)/tandem $(DRIVERS) ## the transcripts on every transport (VARIANT=release, asan, tsan)
	@TANDEM=$(B)/tandem tests/run.sh $(VARIANT)-transcripts $(DRIVERS)
check-asan:                  ## the suite under AddressSanitizer, with leaks, and UBSan
	@$(MAKE) --no-print-directory VARIANT=asan suite
check-tsan:                  ## the suite under ThreadSanitizer
	@$(MAKE) --no-print-directory VARIANT=tsan suite
check-valgrind: $(B)/tests/stress/recorded ## 50 clients at a server under memcheck and helgrind, who see the libraries too
	@$(MAKE) --no-print-directory VARIANT=helgrind build/helgrind/tests/prove/tandem_helgrind
	@tests/run.sh valgrind tests/prove/memcheck.sh tests/prove/helgrind.sh
check-sched:                 ## the stores under a scheduler that a seed leads: 12,000 seeds, and planted bugs
	@$(MAKE) --no-print-directory VARIANT=sched $(SCHEDULES)
	@tests/run.sh sched $(SCHEDULES)
check-models:                ## models of shutdown and relay: spin walks through all states
	@tests/run.sh models tests/prove/models.sh
ROUNDS ?= 1000
stress: $(B)/tests/stress/stress_workflow $(B)/tests/stress/crash_workflow ## the races of sessions, ROUNDS=1000 times over
	@$(B)/tests/stress/stress_workflow $(ROUNDS)
	@$(B)/tests/stress/crash_workflow
clients: all $(DRIVERS) $(COMPARE) $(BARE) $(BENCHES) ## the official SDK clients, both eras, against build/tandem
	@TANDEM=build/tandem tests/run.sh clients $(sort $(wildcard tests/clients/test_*.sh))
coverage:                    ## lines covered by the suite, with the floors that must hold
	@$(MAKE) --no-print-directory VARIANT=coverage suite
	@tests/coverage.sh
lint:                        ## layers, lock annotations, banned calls, clang warnings, format
	@$(MAKE) --no-print-directory VARIANT=clang CC=clang build/clang/libtandem.a build/clang/server/main.o build/clang/deploy/reference/reference
	@tests/run.sh lint $(sort $(wildcard tests/lint/*.sh))
# Each proof is a row of tests/prove/proofs.txt.
prove: all                   ## the proofs in their long form, up to an hour: promise, figure, verdict (one: make prove-NAME)
	@tests/prove/prove.sh
prove-%:
	@tests/prove/prove.sh $*
# ONLY=echo,stdio: the workloads whose names have one of these parts; ROUNDS_EACH and TURN_MS make it longer or shorter.
ROUNDS_EACH ?= 5
TURN_MS ?= 400
bench: bench-deps            ## tandem beside its peers and the machine's limits, into the README (ONLY=echo: that only)
	@$(MAKE) --no-print-directory all $(COMPARE) $(BARE)
	@$(COMPARE) --only "$(ONLY)" --rounds $(ROUNDS_EACH) --turn $(TURN_MS) --table build/bench.md --chart build/bench.svg
	@[ -n "$(ONLY)$(QUICK)" ] || tests/bench/publish.sh build/bench.md build/bench.svg
bench-quick:                 ## the same in three minutes, rougher, and not written into the README
	@$(MAKE) --no-print-directory bench QUICK=yes ROUNDS_EACH=3 TURN_MS=100
bench-modules: all $(BENCHES) ## what the modules' own work costs, as ratios within one run
	@for b in $(BENCHES); do $$b || exit 1; done
bench-search: all $(B)/tests/bench/bench_search $(B)/tests/bench/bench_swaps $(B)/tests/bench/bench_vectors ## what search costs, how well it finds, what a swap and vectors cost
	@$(B)/tests/bench/bench_search
	@$(B)/tests/bench/bench_swaps
	@$(B)/tests/bench/bench_vectors
bench-%: $(B)/tests/bench/bench_% # One of them.
	@$<

# New inputs that reach new code go to build/fuzz/corpus; one that breaks something belongs in tests/fuzz/corpus.
FUZZ_SECONDS ?= 60
fuzz: $(patsubst tests/fuzz/fuzz_%.c,fuzz-%,$(sort $(wildcard tests/fuzz/fuzz_*.c))) ## each fuzzer for FUZZ_SECONDS=60 (one: make fuzz-rpc)
fuzz-%:
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang build/fuzz/tests/fuzz/fuzz_$*
	@mkdir -p build/fuzz/corpus/$*
	@build/fuzz/tests/fuzz/fuzz_$* -max_total_time=$(FUZZ_SECONDS) -timeout=5 -print_final_stats=0 -verbosity=0 \
	    -artifact_prefix=build/fuzz/find-$*- build/fuzz/corpus/$* tests/fuzz/corpus/$*

deps:                        # Debian packages that building needs.
	@deploy/install-deps.sh
bench-deps:                  # And those that are compared.
	@deploy/install-deps.sh --bench
test-deps:                   # And those that testing needs, with the locked npm clients.
	@deploy/install-deps.sh --test

# Programs that print what they counted or measured, beside their verdict.
FIGURES := tests/unit/test_workflow_tasklist tests/unit/test_yaml tests/stress/counters \
           tests/stress/scenario tests/stress/stress_workflow tests/stress/crash tests/stress/crash_quota \
           tests/stress/lifecycle
figures: all $(addprefix $(B)/,$(FIGURES)) $(COMPARE) ## the figures that tandem promises, measured now
	@for program in $(FIGURES); do echo "$$program"; \
	    TANDEM=build/tandem $(B)/$$program 2>&1 | grep -vE '^(\[|time=|$$)' | sed 's/^/    /'; \
	    [ $${PIPESTATUS[0]} -eq 0 ] || exit 1; done
	@$(COMPARE) --only start,idle --without SDK
	@tests/prove/container.sh | sed -n 's/^figure: /    /p'

# Manual pages and completions, filled in by a program that has the binary's own tables: build/share is what
# "make install" puts below PREFIX/share.
REFERENCE := $(B)/deploy/reference/reference
PAGES := $(patsubst deploy/man/%.in,%,$(sort $(wildcard deploy/man/*.in)))
COMPLETIONS := bash-completion/completions/tandem zsh/site-functions/_tandem fish/vendor_completions.d/tandem.fish
SHARE := $(foreach page,$(PAGES),build/share/man/man$(subst .,,$(suffix $(page)))/$(page)) $(addprefix build/share/,$(COMPLETIONS))
# When this was made, for what tells a date: the last change, or what whoever packs it says.
EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),$(shell stat -c %Y state/version.h))
fill = @mkdir -p $(@D) && $(REFERENCE) $< "$$(cat build/date)" >$@
build/date: FORCE
	@mkdir -p build; LC_ALL=C date -u -d @$(EPOCH) '+%B %-d, %Y' | cmp -s - $@ || LC_ALL=C date -u -d @$(EPOCH) '+%B %-d, %Y' >$@
FORCE:
$(REFERENCE): $(call obj,$(sort $(wildcard deploy/reference/*.c))) $(B)/libtandem.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(filter build/share/man/man1/%,$(SHARE)): build/share/man/man1/%: deploy/man/%.in $(REFERENCE) build/date
	$(fill)
$(filter build/share/man/man5/%,$(SHARE)): build/share/man/man5/%: deploy/man/%.in $(REFERENCE) build/date
	$(fill)
build/share/bash-completion/completions/tandem: deploy/completion/tandem.bash.in $(REFERENCE) build/date
	$(fill)
build/share/zsh/site-functions/_tandem: deploy/completion/_tandem.in $(REFERENCE) build/date
	$(fill)
build/share/fish/vendor_completions.d/tandem.fish: deploy/completion/tandem.fish.in $(REFERENCE) build/date
	$(fill)
reference: $(SHARE)          ## manual pages and completions, into build/share

PREFIX ?= /usr/local
DOCS := README.md $(addprefix deploy/,NEWS.md guide.md settings.md operations.md alerts.yaml grafana.json)
install: all reference       ## install into $(DESTDIR)$(PREFIX): program, manual pages, completions, units, example
	install -D -m 0755 build/release/tandem $(DESTDIR)$(PREFIX)/bin/tandem
	cd build/share && for f in $(SHARE:build/share/%=%); do install -D -m 0644 $$f $(DESTDIR)$(PREFIX)/share/$$f || exit 1; done
	for f in $(DOCS); do install -D -m 0644 $$f $(DESTDIR)$(PREFIX)/share/doc/tandem/$${f##*/} || exit 1; done
	install -m 0644 deploy/systemd/README.md $(DESTDIR)$(PREFIX)/share/doc/tandem/systemd.md
	for f in $(wildcard deploy/systemd/sysusers.d/*.conf); do install -D -m 0644 $$f $(DESTDIR)$(PREFIX)/lib/sysusers.d/$${f##*/} || exit 1; done
	for d in system user; do folder=deploy/systemd; [ $$d = system ] || folder=$$folder/$$d; \
	    for f in $$folder/*.service $$folder/*.socket; do install -D -m 0644 $$f $(DESTDIR)$(PREFIX)/lib/systemd/$$d/$${f##*/} || exit 1; done; done
	cd deploy && find example -type f ! -name token ! -name 'server.*' ! -name .gitignore ! -path '*/state/*' ! -path '*/index/*' -exec install -D -m 0644 {} $(DESTDIR)$(PREFIX)/share/tandem/{} \;

tarball: all reference portable ## build/tandem-VERSION-linux-x86_64.tar.gz, which brings its libraries along: for glibc 2.36 or newer
	@deploy/tarball.sh
deb:                         ## build/deb/tandem_VERSION_*.deb, from a Debian source package made of this tree
	@deploy/deb.sh
bundle: all portable         ## build/tandem-VERSION.mcpb, for editors that install bundles, and build/server.json, for the MCP registry
	@deploy/bundle.sh build/release/tandem build
ENGINE ?= docker
image:                       ## the container image "tandem" (ENGINE=podman: by another engine than docker)
	$(ENGINE) build $(if $(findstring podman,$(ENGINE)),--format docker) -f deploy/container/Containerfile -t tandem -t tandem:$$(deploy/version.sh) \
	    --build-arg VERSION=$$(deploy/version.sh) --build-arg REVISION=$$(git rev-parse HEAD) .
sbom: all                    ## build/tandem.cdx.json: what tandem is made of, as CycloneDX
	@deploy/sbom.sh >build/tandem.cdx.json

clean:                       ## remove build/
	rm -rf build
help:                        ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 16

-include $(shell find $(B) -name '*.d' 2>/dev/null)

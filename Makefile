# SPDX-License-Identifier: GPL-2.0-or-later
# make | make check | make demo | make bench | make install

VERSION := 0.1.0
prefix ?= /usr/local
DESTDIR ?=
BUILD ?= build

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(shell command -v bpftool 2>/dev/null) /usr/sbin/bpftool)
# Another MACHINE and its SYSROOT: see tests/cross.sh.
MACHINE ?= $(shell uname -m)
SYSROOT ?=
ARCH := $(subst x86_64,x86,$(subst aarch64,arm64,$(MACHINE)))

# SANITIZE=address,undefined builds and tests with the sanitizers.
SANITIZE ?=
SAN := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)

CFLAGS ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DPYCOST_VERSION='"$(VERSION)"' -I. -I$(BUILD)/gen
ALL_CFLAGS := -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wno-unused-parameter \
	-Wno-missing-field-initializers $(CFLAGS) $(SAN)
LDLIBS := -lbpf -lelf -lcapstone -lz -llzma -liberty -ljansson -lxxhash -lyaml -lsodium -lprotobuf-c -lncursesw \
	-ltinfo -lcap -lm -lpthread
# FLEET=0 leaves out what is for many hosts: agent, serve, push and query, and their libraries.
FLEET ?= 1
ROOMS := userspace $(if $(filter 1,$(FLEET)),userspace/fleet userspace/store userspace/query \
	userspace/agent userspace/collector)
ifeq ($(FLEET),1)
CPPFLAGS += -DPYCOST_FLEET
LDLIBS += -lmicrohttpd -lgnutls -lcurl -lzstd -lsqlite3 -lsystemd -ldl
endif

# Kernel programs: one skeleton each, generated under $(BUILD)/gen.
BPF_SRC := $(wildcard bpf/*.bpf.c)
SKELS := $(BPF_SRC:bpf/%.bpf.c=$(BUILD)/gen/%.skel.h)
PROTO := $(wildcard $(ROOMS:=/*.proto))
PROTO_C := $(patsubst %.proto,$(BUILD)/gen/%.pb-c.c,$(notdir $(PROTO)))
vpath %.proto $(ROOMS)

SYM_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard symbolizer/*.c))
USER_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out userspace/main.c,$(wildcard $(ROOMS:=/*.c)))) \
	$(PROTO_C:.c=.o)
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(UNIT_SRC))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))

all: $(BUILD)/pycost
	@:

$(BUILD)/pycost: $(BUILD)/userspace/main.o $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/libpycost.a: $(USER_OBJ)
	rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/libsymbolizer.a: $(SYM_OBJ)
	rm -f $@ && $(AR) rcs $@ $^

# Generated headers must exist before the first compile; -MMD tracks them after.
$(USER_OBJ) $(UNIT_OBJ) $(BUILD)/userspace/main.o: | $(SKELS) $(PROTO_C)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/gen/%.pb-c.o: $(BUILD)/gen/%.pb-c.c
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.pb-c.c: %.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=$(<D) --c_out=$(@D) $(<F)

BPF_CFLAGS := -g -O2 -Wall -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -I. \
	-I$(SYSROOT)/usr/include/$(MACHINE)-linux-gnu
vpath %.bpf.c bpf tests/bench
$(BUILD)/bpf/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@.tmp $<
	$(BPFTOOL) gen object $@ $@.tmp
$(BUILD)/gen/%.skel.h: $(BUILD)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@

# Unit tests need no privilege; the end-to-end tests attach to real processes.
$(BUILD)/unit: $(UNIT_OBJ) $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcunit

# What the running kernel's verifier makes of each program; for tests/kernels.sh.
$(BUILD)/verifier: $(BUILD)/tests/rig/verifier.o $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lbpf -lelf -lcapstone -lz
$(BUILD)/tests/rig/verifier.o: | $(SKELS)
# Saves the threads that the unit tests walk: see tests/walk/check.sh.
$(BUILD)/walk-save: $(BUILD)/tests/walk/save.o $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lelf -lcapstone -lz
# Each request as the kernel's programs tell it.
$(BUILD)/served: $(BUILD)/tests/rig/served.o $(BUILD)/tests/rig/served_marks.o $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/rig/served.o $(BUILD)/tests/rig/served_marks.o: | $(SKELS)
# Requests by the thousand, counted: see tests/load/load.h.
$(BUILD)/load: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/load/*.c))
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^
# What a fleet would ship: see tests/fleet/simulator/simulator.c.
$(BUILD)/simulator: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/fleet/simulator/*.c)) $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)
# Such batches by the agent's spool and sender, whose clock may be off: see tests/fleet/faults.py.
$(BUILD)/courier: $(BUILD)/tests/fleet/courier.o $(patsubst %,$(BUILD)/tests/fleet/simulator/%.o,fleet fleet_pattern fleet_service) $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -Wl,--wrap=time -o $@ $^ $(LDLIBS)
$(BUILD)/tests/fleet/courier.o: | $(PROTO_C)
# Batches that a test made up, into a store.
$(BUILD)/store_json: $(BUILD)/tests/fleet/store_json.o $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)
# Fills an agent's spool: see tests/fleet/agent.py.
$(BUILD)/spooled: $(BUILD)/tests/fleet/spooled.o $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/fleet/spooled.o: | $(PROTO_C)
# Batches of known totals, and the totals of a store.
$(BUILD)/stores: $(BUILD)/tests/fleet/stores.o $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/batches: $(BUILD)/tests/fleet/batches.o $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)
# The store in a directory: written to and killed; and what it takes to load and to ask.
STORE_TESTS := $(BUILD)/store-kills $(BUILD)/store-load $(BUILD)/store-full
$(STORE_TESTS): $(BUILD)/store-%: $(BUILD)/tests/fleet/store_%.o $(BUILD)/tests/unit/fleet_sample.o $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(STORE_TESTS:$(BUILD)/store-%=$(BUILD)/tests/fleet/store_%.o): | $(SKELS) $(PROTO_C)
# How it grows, by what a simulated fleet ships.
$(BUILD)/store-day: $(BUILD)/tests/fleet/store_day.o $(patsubst %,$(BUILD)/tests/fleet/simulator/%.o,fleet fleet_pattern fleet_service) $(BUILD)/libpycost.a $(BUILD)/libsymbolizer.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/fleet/store_day.o: | $(PROTO_C)
# Moves what a recorder measures from one class of requests to the next.
$(BUILD)/turner: $(BUILD)/tests/rig/turner.o
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lbpf
$(BUILD)/counted: $(BUILD)/tests/rig/counted.o
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^

check-unit: $(BUILD)/unit
	$(BUILD)/unit

# make fuzz [FUZZ_SECONDS=30]: each parser of foreign bytes, from its seed corpus; or one,
# as make fuzz_elf.
FUZZ_SECONDS ?= 10
FUZZ_CFLAGS := -std=gnu11 -g -O1 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=undefined
FUZZ_OBJ := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(filter-out userspace/main.c,$(wildcard \
	$(ROOMS:=/*.c))) $(wildcard symbolizer/*.c)) $(PROTO_C:$(BUILD)/%.c=$(BUILD)/fuzz/obj/%.o)
$(BUILD)/fuzz/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/fuzz/obj/%.o: %.c | $(SKELS) $(PROTO_C)
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/fuzz/libpycost.a: $(FUZZ_OBJ)
	rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o $(BUILD)/fuzz/libpycost.a
	$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)

FUZZING := $(notdir $(FUZZERS))
fuzz: $(FUZZING)
$(FUZZING): fuzz_%: $(BUILD)/fuzz/fuzz_%
	@mkdir -p $(BUILD)/corpus/$@ && echo "fuzz $@ for $(FUZZ_SECONDS) s" && \
	if $< -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=10 -verbosity=0 \
		-artifact_prefix=$(BUILD)/corpus/$@- $(BUILD)/corpus/$@ $(wildcard tests/fuzz/$@.corpus); \
	then echo "PASS $@"; else echo "FAIL $@"; false; fi

# The commands of the README start on a machine that has nothing but make: what is
# missing is installed first, and only then may anything be compiled.
check:
	@BUILD=$(BUILD) tests/check.sh

deps:
	@deploy/install-deps.sh

# Debian's kernels from 5.10 to the newest, and an exact instruction counter, emulated.
check-kernels: all
	tests/kernels.sh
check-pmu:
	tests/pmu.sh

demo: deps
	@echo "building $(BUILD)/pycost" && $(MAKE) -s all
	@deploy/demo.sh

# make bench [BENCH="--strict call"]: what it costs, as ratios within one run.
bench: deps
	@$(MAKE) -s all bench-programs
	@BUILD=$(BUILD) tests/bench/run.sh $(BENCH)

bench-programs: $(BUILD)/bench/empty_probes $(BUILD)/bench/spin $(BUILD)/load
	@:
$(BUILD)/bench/empty_probes: tests/bench/empty_probes.c $(BUILD)/gen/empty.skel.h $(BUILD)/libsymbolizer.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -o $@ $< $(BUILD)/libsymbolizer.a $(LDFLAGS) $(LDLIBS)
$(BUILD)/bench/spin: tests/bench/spin.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -o $@ $< $(LDFLAGS)

install: all
	install -D -m 0755 $(BUILD)/pycost $(DESTDIR)$(prefix)/bin/pycost
	install -D -m 0644 deploy/pycost.1 $(DESTDIR)$(prefix)/share/man/man1/pycost.1
	install -D -m 0644 -t $(DESTDIR)$(prefix)/share/doc/pycost deploy/*.yaml

# Packages for Debian, into BUILD/deb.
deb: all
	@BUILD=$(BUILD) deploy/debian/build.sh

clean:
	rm -rf $(BUILD)

# Not those of a build within this one, which may be under way: see tests/check.sh.
-include $(shell find $(addprefix $(BUILD)/,userspace symbolizer bpf gen tests bench fuzz) -name '*.d' 2>/dev/null)

.SECONDARY:
.PHONY: all deps check check-kernels check-pmu check-unit fuzz $(FUZZING) demo bench bench-programs install deb clean

# SPDX-License-Identifier: Apache-2.0
# The everyday commands; the build itself is meson's (meson.build). V=1 shows the compiler's lines.
BUILD ?= build
NINJA = ninja $(if $(V),-v,--quiet) -C
export KIST_BUILD = $(abspath $(BUILD))

all: $(BUILD)/build.ninja
	@$(NINJA) $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) >$(BUILD).log 2>&1 || { cat $(BUILD).log; rm -f $(BUILD).log; exit 1; }
	@mv $(BUILD).log $(BUILD)/setup.log

deps-%:
	@tools/install $(subst +, ,$*)

# The main job: a server in a container is checkpointed and goes on. Under two minutes.
demo: deps-build+demo
	@$(MAKE) --no-print-directory all
	@tests/demo/demo

# Every test; ARGS go to pytest, as in `make test ARGS='-k redis'`.
test: deps-build+test
	@$(MAKE) --no-print-directory all
	@tests/run $(ARGS)

# The unit tests and those integration tests that bear it, with address and UB sanitizers.
asan: deps-build+test
	@[ -f build-asan/build.ninja ] || meson setup build-asan -Db_sanitize=address,undefined \
		-Db_lundef=false >/dev/null
	@$(NINJA) build-asan
	@KIST_BUILD=$(abspath build-asan) tests/run --asan $(ARGS)

bench: deps-build+bench
	@$(MAKE) --no-print-directory all
	@tests/bench/bench $(ARGS)

# A selection on a pure cgroup v2 host with Debian's kernel, under emulation.
test-vm: deps-build+vm
	@$(MAKE) --no-print-directory all
	@tests/vm/run $(ARGS)

# Every fuzzer for FUZZ_SECONDS each.
fuzz: deps-build+develop
	@[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@$(NINJA) build-fuzz
	@tests/fuzz/run build-fuzz $(or $(FUZZ_SECONDS),60)

format: deps-develop
	@clang-format -i $$(git ls-files '*.[ch]')

install: all
	@meson install -C $(BUILD) --no-rebuild

clean:
	@rm -rf build build-asan build-fuzz

.PHONY: all demo test asan bench test-vm fuzz format install clean

# make            the extension, the program and the shell, in build/release
# make debug      the same without optimization, in build/debug
# make asan       the same with AddressSanitizer and UndefinedBehaviorSanitizer, in build/asan; make test-asan: every
#                 test with it
# make tsan       the same with ThreadSanitizer, in build/tsan, for a DuckDB that it compiles for it first (about 40
#                 minutes on two cores); make test-tsan: the C++ tests with it
# make wheel      the Python package, for DuckDB 1.5.5 and 2.0.1, in dist
# make test       every test; also: demo, bench, format, format-check, lint, clean
# make package    an archive; also: deb (a Debian package), image (a container image), repository (a directory for
#                 DuckDB's INSTALL): docs/deploy.md
# make tidy       clang-tidy, and clang's analysis of what is done with a lock held, on the files that changed
# make strict     as asan, for a DuckDB with its assertions on, which it compiles first (about 40
#                 minutes on two cores), in build/strict; make test-strict: every test with it
# make fuzz       libFuzzer on everything that reads bytes from the wire, in build/fuzz: docs/fuzzing.md;
#                 FUZZ_SECONDS (600) each, FUZZ_TARGETS all by default
#
# DUCKDB_VERSION=2.0.1   the extension for that DuckDB, in build/release-2.0.1
# DUCKDB=source make     compiles DuckDB from its source package instead of fetching libduckdb
# DUCKHERDER_DOWNLOADS   a directory for the downloads, to share them between clones
# JOBS                   how many compilers run at once
# FILES                  the files that format, format-check and tidy look at, all by default

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := release

JOBS ?= $(shell nproc)
RELEASE := build/release
PYTHON := build/deps/venv/bin/python
# Two builds at once in one directory would write the same files; the second waits (seconds: a build of DuckDB).
LOCK := $(if $(shell command -v flock),flock --timeout 7200 build/.lock)

FROM_SOURCE := build/deps/duckdb-source
DUCKDB ?= prebuilt
ifeq ($(DUCKDB),source)
LIBDUCKDB := $(CURDIR)/$(FROM_SOURCE)/src/libduckdb.so
SOURCE_STEP := build-duckdb
else ifeq ($(DUCKDB),prebuilt)
LIBDUCKDB := $(CURDIR)/build/deps/libduckdb/libduckdb.so
else
$(error DUCKDB is '$(DUCKDB)', it can be 'prebuilt' or 'source')
endif

DUCKDB_VERSION ?= 1.5.5
NEXT_DUCKDB := 2.0.1
NEXT_RELEASE := build/release-$(NEXT_DUCKDB)
ifneq ($(DUCKDB_VERSION),1.5.5)
ifneq ($(DUCKDB_VERSION),$(NEXT_DUCKDB))
$(error DUCKDB_VERSION is '$(DUCKDB_VERSION)', it can be '1.5.5' or '$(NEXT_DUCKDB)')
endif
ifneq ($(filter-out release,$(or $(MAKECMDGOALS),release)),)
$(error Only the default goal can be made with DUCKDB_VERSION=$(DUCKDB_VERSION))
endif
endif

ASSERTING := build/deps/duckdb-assert
RACE_CHECKED := build/deps/duckdb-tsan

FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= $(patsubst test/fuzz/fuzz_%.cpp,%,$(wildcard test/fuzz/fuzz_*.cpp))

.PHONY: announce release debug asan tsan strict test test-asan test-tsan test-strict fuzz demo bench format \
	format-check lint tidy package deb image repository wheel clean deps deps-demo deps-test build-duckdb

deps:
	@scripts/check_tools.sh
	@mkdir -p build
	@$(LOCK) python3 scripts/fetch.py build

deps-test: deps
	@$(LOCK) python3 scripts/fetch.py demo test venv venv-clients venv-superset java

# Much less than the tests need: no S3 server, no PostgreSQL, no browser
deps-demo: deps
	@$(LOCK) python3 scripts/fetch.py demo venv-demo

build-duckdb: deps
	@$(LOCK) scripts/build_duckdb.sh $(JOBS) $(FROM_SOURCE)

# $(call build,directory,build type,target)
define build
@$(LOCK) scripts/build.sh $(1) $(2) $(3) $(JOBS) -DDUCKHERDER_LIBDUCKDB=$(LIBDUCKDB)
endef

# $(call build-next,target): for the next DuckDB, which has no library to link with but the one of its Python package
define build-next
@$(LOCK) python3 scripts/fetch.py build-$(NEXT_DUCKDB) venv-$(NEXT_DUCKDB)
@$(LOCK) scripts/build.sh $(NEXT_RELEASE) Release $(1) $(JOBS) -DDUCKHERDER_DUCKDB_VERSION=$(NEXT_DUCKDB)
endef

# $(call build-strict,target)
define build-strict
@$(LOCK) scripts/build.sh build/strict Asan $(1) $(JOBS) \
	-DDUCKHERDER_LIBDUCKDB=$(CURDIR)/$(ASSERTING)/duckdb/src/libduckdb.so -DDUCKHERDER_FORCE_ASSERT=1
endef

# $(call build-tsan,target)
define build-tsan
@$(LOCK) scripts/build.sh build/tsan Tsan $(1) $(JOBS) -DDUCKHERDER_LIBDUCKDB=$(CURDIR)/$(RACE_CHECKED)/src/libduckdb.so
endef

announce:
	@scripts/announce.sh before $(RELEASE) $(DUCKDB)

ifeq ($(DUCKDB_VERSION),1.5.5)
release: announce deps $(SOURCE_STEP)
	$(call build,build/release,Release,all)
	@scripts/announce.sh after $(RELEASE)
else
release: deps
	$(call build-next,all)
	$(call build-next,python_extension)
	@echo "$(NEXT_RELEASE)/duckherder.duckdb_extension loads into the Python package duckdb $(NEXT_DUCKDB)"
endif

debug: deps $(SOURCE_STEP)
	$(call build,build/debug,Debug,all)

asan: deps $(SOURCE_STEP)
	$(call build,build/asan,Asan,all)

test-asan: asan deps-test
	$(call build,build/asan,Asan,test_programs)
	@scripts/run_tests.sh build/asan $(JOBS)

tsan: deps
	@$(LOCK) scripts/build_duckdb.sh $(JOBS) $(RACE_CHECKED) -DENABLE_THREAD_SANITIZER=ON \
		-DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG"
	$(call build-tsan,all)

test-tsan: tsan
	$(call build-tsan,test_programs)
	@scripts/run_tests.sh build/tsan $(JOBS)

strict: deps
	@$(LOCK) python3 scripts/fetch.py strict
	@$(LOCK) scripts/build_asserting_duckdb.sh $(JOBS)
	$(call build-strict,all)

test-strict: strict deps-test
	$(call build-strict,test_programs)
	@scripts/run_tests.sh build/strict $(JOBS) $(CURDIR)/$(ASSERTING)/python

# Both run to their end, so that one look shows everything that fails.
test: release deps-test wheel
	$(call build,build/release,Release,test_programs)
	@status=0; scripts/run_tests.sh $(RELEASE) $(JOBS) || status=$$?; \
		scripts/run_next_tests.sh $(NEXT_RELEASE) $(JOBS) build/deps/venv-$(NEXT_DUCKDB)/bin/python && exit $$status

fuzz:
	@CXX=clang++ scripts/check_tools.sh
	@mkdir -p build
	@$(LOCK) python3 scripts/fetch.py build
	@$(LOCK) env CXX=clang++ scripts/build.sh build/fuzz Fuzz fuzz_targets $(JOBS) -DDUCKHERDER_LIBDUCKDB=$(LIBDUCKDB)
	@scripts/fuzz.sh build/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

demo: release deps-demo
	@scripts/demo.sh

bench: release deps-test
	@$(PYTHON) bench/run.py

format format-check:
	@mkdir -p build
	@$(LOCK) python3 scripts/fetch.py format
	@scripts/format.sh $@ $(FILES)

lint:
	@python3 scripts/lint

# CMake's list of the files, and the one header that it makes, without compiling anything
tidy: deps
	@$(LOCK) python3 scripts/fetch.py tidy
	$(call build,$(RELEASE),Release,duckherder_version)
	@scripts/tidy.py $(RELEASE) $(JOBS) $(FILES)

package: release
	@scripts/package.sh $(RELEASE)

deb: package
	@scripts/package_deb.sh $(RELEASE)

image: package
	@$(LOCK) python3 scripts/fetch.py image
	@scripts/build_image.sh $(RELEASE)

repository: release
	@scripts/extension_repository.py $(RELEASE) build/repository

# VERSION=FILE of each DuckDB that the wheel has an extension for
WHEEL_EXTENSIONS := 1.5.5=$(RELEASE)/python/duckherder.duckdb_extension \
	$(NEXT_DUCKDB)=$(NEXT_RELEASE)/python/duckherder.duckdb_extension

wheel: release
	$(call build,$(RELEASE),Release,python_extension)
	$(call build-next,python_extension)
	@$(LOCK) python3 scripts/fetch.py wheel
	@python3 scripts/build_wheel.py \
		"$$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' $(RELEASE)/CMakeCache.txt)" dist $(WHEEL_EXTENSIONS)

clean:
	rm -rf build/release build/release-* build/debug build/asan build/tsan build/strict build/fuzz build/tidy \
		build/package build/image build/repository build/wheel dist

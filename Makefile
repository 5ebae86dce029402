# make            the extension, the program and the shell, in build/release
# make debug      the same without optimization, in build/debug
# make asan       the same with AddressSanitizer, in build/asan
# make test       every test; also: demo, bench, format, format-check, lint, package, clean
#
# DUCKDB=source make     compiles DuckDB from its source package instead of fetching libduckdb (about 40 minutes on two
#                        cores); FORCE_ASSERT=1 switches DuckDB's assertions on in it
# DUCKHERDER_DOWNLOADS   a directory for the downloads, to share them between clones
# JOBS                   how many compilers run at once
# FILES                  the files that format and format-check look at, all by default

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := release

JOBS ?= $(shell nproc)
RELEASE := build/release
PYTHON := build/deps/venv/bin/python
# Two builds at once in one directory would write the same files; the second waits (seconds: a build of DuckDB).
LOCK := $(if $(shell command -v flock),flock --timeout 7200 build/.lock)

DUCKDB ?= prebuilt
FORCE_ASSERT ?= 0
ifeq ($(DUCKDB),source)
LIBDUCKDB := $(CURDIR)/build/deps/duckdb-source$(if $(filter 1,$(FORCE_ASSERT)),-assert)/src/libduckdb.so
SOURCE_STEP := build-duckdb
else ifeq ($(DUCKDB),prebuilt)
ifeq ($(FORCE_ASSERT),1)
$(error FORCE_ASSERT=1 needs DUCKDB=source: the fetched libduckdb has no assertions)
endif
LIBDUCKDB := $(CURDIR)/build/deps/libduckdb/libduckdb.so
else
$(error DUCKDB is '$(DUCKDB)', it can be 'prebuilt' or 'source')
endif

.PHONY: release debug asan test demo bench format format-check lint package clean deps deps-test build-duckdb

deps:
	@scripts/check_tools.sh
	@mkdir -p build
	@$(LOCK) python3 scripts/fetch.py build

deps-test: deps
	@$(LOCK) python3 scripts/fetch.py test venv

build-duckdb: deps
	@$(LOCK) scripts/build_duckdb.sh $(FORCE_ASSERT) $(JOBS)

# $(call build,directory,build type,target)
define build
@$(LOCK) scripts/build.sh $(1) $(2) $(3) $(JOBS) -DDUCKHERDER_LIBDUCKDB=$(LIBDUCKDB) \
	-DDUCKHERDER_FORCE_ASSERT=$(FORCE_ASSERT)
endef

release: deps $(SOURCE_STEP)
	$(call build,build/release,Release,all)

debug: deps $(SOURCE_STEP)
	$(call build,build/debug,Debug,all)

asan: deps $(SOURCE_STEP)
	$(call build,build/asan,Asan,all)

test: release deps-test
	$(call build,build/release,Release,test_programs)
	@scripts/run_tests.sh $(RELEASE) $(JOBS)

demo: release deps-test
	@scripts/demo.sh

bench: release deps-test
	@$(PYTHON) bench/run.py

format format-check:
	@mkdir -p build
	@$(LOCK) python3 scripts/fetch.py format
	@scripts/format.sh $@ $(FILES)

lint:
	@python3 scripts/check_layers.py

package: release
	@scripts/package.sh $(RELEASE)

clean:
	rm -rf build/release build/debug build/asan build/package

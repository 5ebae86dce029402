#!/usr/bin/env bash
# run_tests.sh BUILD_DIRECTORY JOBS [DIRECTORY of another DuckDB module for Python]
# The C++ tests, then the Python suites. Both run to their end, so that one look shows everything that fails.
# With ThreadSanitizer only the C++ tests: it would have to see what Python and DuckDB do.
set -uo pipefail
directory=$1 jobs=$2
export DUCKHERDER_BUILD=$PWD/$directory PYTHONPATH=${3:-}
minutes=90
preload=
build_type=$(sed -n 's/^CMAKE_BUILD_TYPE:STRING=//p' "$directory/CMakeCache.txt")
if [[ $build_type == Asan ]]; then
    # Python is not compiled with AddressSanitizer, so its runtime has to come first by other means, and with it what it
    # intercepts. Python itself leaks at its end, and everything takes longer.
    compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$directory/CMakeCache.txt")
    preload="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libstdc++.so)"
    export ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} UBSAN_OPTIONS=print_stacktrace=1:${UBSAN_OPTIONS:-}
    export DUCKHERDER_TEST_PATIENCE=${DUCKHERDER_TEST_PATIENCE:-6}
    minutes=$((minutes * DUCKHERDER_TEST_PATIENCE))
fi
if [[ $build_type == Tsan ]]; then
    # its other pools give memory to the next one unseen
    export ARROW_DEFAULT_MEMORY_POOL=system
    export TSAN_OPTIONS=suppressions=$PWD/test/tsan_suppressions.txt:second_deadlock_stack=1:${TSAN_OPTIONS:-}
fi
status=0
ctest --test-dir "$directory" --parallel "$jobs" --output-on-failure --no-tests=error || status=1

# pytest's own limit ends a test, but not one that is stuck inside a library call; the outer one ends whatever is left.
if [[ $build_type != Tsan && -n $(find test -name 'test_*.py' -print -quit) ]]; then
    # A file's tests share what its fixtures have started, so that a process takes whole files.
    LD_PRELOAD=$preload timeout --kill-after=30 ${minutes}m build/deps/venv/bin/python -m pytest test -q --timeout=300 \
        --numprocesses "$jobs" --dist loadfile -o cache_dir="$PWD/build/pytest_cache" || status=1
fi
exit $status

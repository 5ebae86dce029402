#!/usr/bin/env bash
# run_tests.sh BUILD_DIRECTORY JOBS: the C++ tests, then the Python suites. Both run to their end, so that one look
# shows everything that fails.
set -uo pipefail
directory=$1 jobs=$2
status=0
ctest --test-dir "$directory" --parallel "$jobs" --output-on-failure --no-tests=error || status=1

# pytest's own limit ends a test, but not one that is stuck inside a library call; the outer one ends whatever is left.
if [[ -n $(find test -name 'test_*.py' -print -quit) ]]; then
    timeout --kill-after=30 5400 build/deps/venv/bin/python -m pytest test -q --timeout=300 \
        -o cache_dir="$PWD/build/pytest_cache" || status=1
fi
exit $status

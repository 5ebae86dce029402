#!/usr/bin/env bash
# run_next_tests.sh BUILD_DIRECTORY JOBS PYTHON
# Python suites with the next DuckDB: those that pass as a whole, within a few minutes. docs/versions.md has all.
set -uo pipefail
directory=$1 jobs=$2 python=$3
scripts/lay_out_next.sh "$directory" "$python" || exit 1
export DUCKHERDER_BUILD=$PWD/$directory PYTHONPATH=$PWD/$directory/packages
suites=()
for name in tpch tpcds clickbench types bound_scans settings_review; do
    suites+=("test/differential/test_$name.py")
done
timeout --kill-after=30 30m "$python" -m pytest "${suites[@]}" \
    -q --timeout=300 --numprocesses "$jobs" --dist loadfile -o cache_dir="$PWD/build/pytest_cache_next"

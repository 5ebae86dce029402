#!/usr/bin/env bash
# fuzz.sh BUILD_DIRECTORY SECONDS TARGET...
# One target after the other. New inputs are kept in BUILD_DIRECTORY/corpus, so that the next run goes on from there,
# and an input that is a finding in BUILD_DIRECTORY/findings. Ends with a line per target; fails if there is a finding.
set -uo pipefail
directory=$1 seconds=$2
shift 2
mkdir -p "$directory/findings" "$directory/logs"
# what DuckDB keeps until the end is no leak of ours
export ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} UBSAN_OPTIONS=print_stacktrace=1:${UBSAN_OPTIONS:-}
status=0
summary=()
for target in "$@"; do
	mkdir -p "$directory/corpus/$target"
	log=$directory/logs/$target.log
	ended="no finding"
	echo "$target: $seconds s, log in $log"
	"$directory/test/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-malloc_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$directory/findings/$target-" \
		"$directory/corpus/$target" "test/fuzz/corpus/$target" >"$log" 2>&1 || {
		ended="FINDING, see $log"
		status=1
	}
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	inputs=$(find "$directory/corpus/$target" "test/fuzz/corpus/$target" -type f | wc -l)
	summary+=("$target: ${executions:-0} executions, $inputs inputs in the corpus, $ended")
done
printf '%s\n' "${summary[@]}"
exit $status

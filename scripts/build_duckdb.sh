#!/usr/bin/env bash
# build_duckdb.sh JOBS DIRECTORY [cmake option...]: libduckdb from DuckDB's own source, with the official library's
# extensions, as DIRECTORY/src/libduckdb.so.
set -euo pipefail
jobs=$1 directory=$2
shift 2
if [[ ! -f $directory/build.ninja ]]; then
    # The source package has no git history: DuckDB must be told its version, or it refuses extensions and remote plans.
    cmake -S build/deps/duckdb -B "$directory" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DOVERRIDE_GIT_DESCRIBE=v1.5.5-0-gd8cdaa33fd -DBUILD_EXTENSIONS="core_functions;parquet;json;icu" \
        -DBUILD_SHELL=OFF -DBUILD_UNITTESTS=OFF -DENABLE_SANITIZER=OFF -DENABLE_UBSAN=OFF "$@"
fi
exec ninja -C "$directory" -j "$jobs" src/libduckdb.so

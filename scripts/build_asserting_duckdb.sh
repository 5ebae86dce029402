#!/usr/bin/env bash
# build_asserting_duckdb.sh JOBS: DuckDB with its assertions on, as the Python package that sessions run in and as the
# libduckdb.so of workers, from the same objects. The package's own build wants a newer CMake than Debian 12 has.
set -euo pipefail
directory=build/deps/duckdb-assert
if [[ ! -e $(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h ]]; then
    echo "Python.h is missing: install the Debian package python3-dev" >&2
    exit 1
fi
if [[ ! -f $directory/build.ninja ]]; then
    build/deps/cmake/bin/cmake -S build/deps/duckdb-package -B "$directory" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DFORCE_ASSERT=ON -DOVERRIDE_GIT_DESCRIBE=v1.5.5-0-gd8cdaa33fd \
        -DBUILD_EXTENSIONS="core_functions;json;parquet;icu" \
        -Dpybind11_DIR="$PWD/build/deps/pybind11/share/cmake/pybind11"
fi
ninja -C "$directory" -j "$1" _duckdb duckdb/src/libduckdb.so
# A directory that stands in for the stock module when it comes first on Python's path.
mkdir -p "$directory/python"
ln -sf -t "$directory/python" "$PWD/$directory"/_duckdb.*.so

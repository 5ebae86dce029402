#!/usr/bin/env bash
# package.sh BUILD_DIRECTORY: one archive with the products, the libraries they need and everybody's licenses.
set -euo pipefail
build=$1
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
name=duckherder-$version-linux_amd64
out=build/package
rm -rf "$out" && mkdir -p "$out/$name/lib" "$out/$name/licenses"

# Seven eighths of both are names for debuggers; what the messages of DuckDB's errors show of a stack stays.
install -m 755 "$build/duckherder" "$out/$name/"
strip --strip-unneeded "$out/$name/duckherder"
scripts/strip_extension.py "$build/duckherder.duckdb_extension" "$out/$name/duckherder.duckdb_extension"
cp --dereference "$build"/lib/*.so* "$out/$name/lib/"
install -m 644 README.md LICENSE "$out/$name/"
install -m 644 build/deps/libduckdb/LICENSE "$out/$name/licenses/duckdb-LICENSE.txt"
install -m 644 third_party/licenses/preact.txt "$out/$name/licenses/preact-LICENSE.txt"
install -m 644 build/deps/web/htm.LICENSE "$out/$name/licenses/htm-LICENSE.txt"
install -m 644 build/deps/web/dagre.LICENSE "$out/$name/licenses/dagre-LICENSE.txt"
install -m 644 build/deps/web/dagre.LEGAL.txt "$out/$name/licenses/dagre-parts.txt"
for file in build/deps/arrow/licenses/*; do
    install -m 644 "$file" "$out/$name/licenses/arrow-${file##*/}"
done
tar --owner=0 --group=0 --sort=name -C "$out" -czf "$out/$name.tar.gz" "$name"

# The archive must work away from this build: what it finds neither in itself nor in the system is an error.
found=$(ldd "$out/$name/duckherder" "$out/$name/duckherder.duckdb_extension")
if grep -E "not found|$PWD/build/(deps|release)" <<<"$found"; then
    echo "package: a library is missing from $out/$name/lib" >&2
    exit 1
fi
echo "$out/$name.tar.gz"

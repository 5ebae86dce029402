#!/usr/bin/env bash
# lay_out_next.sh BUILD_DIRECTORY PYTHON
# What the tests look for in a build directory, for a DuckDB that is only there as the package of that Python: our
# package from the source folder with the extension that was built, and a program of nodes that is `python -m
# duckherder`.
set -euo pipefail
directory=$(realpath "$1")
python=$PWD/$2
version=$("$python" -c "import duckdb; print(duckdb.__version__)")
package=$directory/packages/duckherder
rm -rf "$directory/packages"
mkdir -p "$package/extensions/$version"
ln -s "$PWD"/python/duckherder/*.py "$PWD"/python/duckherder/py.typed "$package/"
ln -s "$directory/python/duckherder.duckdb_extension" "$package/extensions/$version/"
cat >"$directory/duckherder" <<END
#!/bin/sh
PYTHONPATH=$directory/packages exec $python -m duckherder "\$@"
END
chmod +x "$directory/duckherder"

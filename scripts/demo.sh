#!/usr/bin/env bash
# make demo: a driver and three worker processes on this machine answer TPC-H queries beside plain DuckDB.
set -euo pipefail
cd "$(dirname "$0")/.."
exec build/deps/venv-demo/bin/python scripts/demo.py "$@"

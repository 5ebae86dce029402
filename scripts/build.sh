#!/usr/bin/env bash
# build.sh DIRECTORY BUILD_TYPE TARGET JOBS [cmake option...]
# Configures when the options differ from last time, then builds. ninja itself runs cmake again when a CMakeLists.txt or
# the set of source files changed.
set -euo pipefail
directory=$1 type=$2 target=$3 jobs=$4
shift 4
options="$type $*"
if [[ ! -f $directory/build.ninja || $(cat "$directory/configured-with" 2>/dev/null) != "$options" ]]; then
    cmake -S . -B "$directory" -G Ninja -DCMAKE_BUILD_TYPE="$type" "$@"
    echo "$options" >"$directory/configured-with"
fi
exec ninja -C "$directory" -j "$jobs" "$target"

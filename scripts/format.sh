#!/usr/bin/env bash
# format.sh format|format-check [FILE...]: our C++ files through the pinned clang-format; by default all of them, those
# not yet committed too.
set -euo pipefail
mode=$1
shift
files=("$@")
if [[ $# == 0 ]]; then
    mapfile -d '' files < <(git ls-files -z --cached --others --exclude-standard -- '*.cpp' '*.hpp' |
        while IFS= read -r -d '' file; do if [[ -f $file ]]; then printf '%s\0' "$file"; fi; done)
fi
for file in "${files[@]}"; do
    if [[ $file != *.[ch]pp ]]; then
        echo "$0: $file is no C++ file" >&2
        exit 2
    fi
done
clang_format=build/deps/clang-format/clang-format
case $mode in
format) "$clang_format" -i "${files[@]}" ;;
format-check) "$clang_format" --dry-run --Werror "${files[@]}" && echo "format: ${#files[@]} files" ;;
*) echo "usage: $0 format|format-check [FILE...]" >&2 && exit 2 ;;
esac

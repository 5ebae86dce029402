#!/usr/bin/env python3
"""Fails on what the compiler allows and we do not: see the modules beside this file, one for each kind of rule."""

import subprocess
import sys
from pathlib import Path

import layers
import sizes
import words

# Inputs of the fuzz targets: bytes, even where they look like text
BYTES_FOLDER = "test/fuzz/corpus/"


def check_file(root, path):
    content = (root / path).read_bytes()
    if b"\0" in content[:8192] or path.startswith(BYTES_FOLDER):
        return []
    text = content.decode("utf-8", errors="replace")
    problems = [problem for module in (layers, sizes, words) for problem in module.check(path, text)]
    return [f"{path}:{number}: {problem}" for number, problem in sorted(problems)]


def missing_files(paths):
    """Exceptions for files that are not there any more."""
    excepted = {path for path, _ in sizes.EXCEPTIONS}
    return [f"{path}: there is no such file, but an exception for it in scripts/lint" for path in
            sorted(excepted - set(paths))]


def main():
    root = Path(__file__).resolve().parents[2]
    # Files that are about to be committed count as well.
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode().split("\0")
    paths = sorted({path for path in listed if path and (root / path).is_file()})
    problems = [problem for path in paths for problem in check_file(root, path)] + missing_files(paths)
    for problem in problems:
        print(problem)
    print(f"lint: {len(paths)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

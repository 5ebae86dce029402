#!/usr/bin/env python3
"""Builds the Python package: dist/duckherder-VERSION-py3-none-manylinux_….whl.

usage: build_wheel.py VERSION OUTPUT_DIRECTORY DUCKDB_VERSION=EXTENSION_FILE...

One wheel has an extension for each of these versions of DuckDB, and serves every version of Python. The pinned
setuptools makes it from python/, in build/wheel.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETUPTOOLS = ROOT / "build" / "deps" / "setuptools"
STAGE = ROOT / "build" / "wheel"
#: The release of pyarrow whose libraries the extension is linked with, by name
PYARROW_REQUIREMENT = "pyarrow>=26.0,<26.1"
#: glibc of the pyarrow wheel, and the first one that comes with the libstdc++ of gcc 12
OLDEST_GLIBC = (2, 28)
GLIBC_WITH_LIBSTDCXX_OF_GCC_12 = (2, 35)
NEWEST_LIBSTDCXX_BEFORE = (3, 4, 29)
#: In a library for the host's own DuckDB none of these may be needed
FORBIDDEN = ("libduckdb", "_duckdb")


def objdump(option, library):
    return subprocess.run(["objdump", option, str(library)], capture_output=True, text=True, check=True).stdout


def newest(symbol_version, symbols):
    found = re.findall(rf"\b{symbol_version}_([0-9.]+)", symbols)
    return max(tuple(map(int, version.split("."))) for version in found)


def platform_tag(libraries):
    """The oldest glibc that has what all these libraries need, as the wheel's platform."""
    glibc = OLDEST_GLIBC
    for library in libraries:
        symbols = objdump("-T", library)
        glibc = max(glibc, newest("GLIBC", symbols)[:2])
        if newest("GLIBCXX", symbols) > NEWEST_LIBSTDCXX_BEFORE:
            glibc = max(glibc, GLIBC_WITH_LIBSTDCXX_OF_GCC_12)
    return f"manylinux_{glibc[0]}_{glibc[1]}_x86_64"


def check_needed(library):
    needed = re.findall(r"NEEDED\s+(\S+)", objdump("-p", library))
    wrong = [name for name in needed if name.startswith(FORBIDDEN)]
    if wrong:
        sys.exit(f"build_wheel.py: {library} would bring another copy of DuckDB into the process: it needs {wrong[0]}. "
                 "Take build/release/python/duckherder.duckdb_extension")


def numbers(version):
    return [int(part) for part in version.split(".")]


def duckdb_requirement(versions):
    """pip cannot say "one of these"; the package itself looks at what is between them."""
    first, last = min(versions, key=numbers), max(versions, key=numbers)
    return f"duckdb=={first}" if first == last else f"duckdb>={first},<={last}"


def stage(version, extensions):
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.copytree(ROOT / "python", STAGE, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    shutil.copyfile(ROOT / "LICENSE", STAGE / "LICENSE")
    shutil.copyfile(ROOT / "docs" / "python.md", STAGE / "README.md")
    (STAGE / "VERSION").write_text(version + "\n")
    (STAGE / "requirements.txt").write_text(f"{duckdb_requirement(list(extensions))}\n{PYARROW_REQUIREMENT}\n")
    licenses = STAGE / "licenses"
    licenses.mkdir()
    deps = ROOT / "build" / "deps"
    for name, source in (("preact", ROOT / "third_party" / "licenses" / "preact.txt"),
                         ("htm", deps / "web" / "htm.LICENSE"), ("dagre", deps / "web" / "dagre.LICENSE"),
                         ("dagre-parts", deps / "web" / "dagre.LEGAL.txt")):
        shutil.copyfile(source, licenses / f"{name}.txt")
    for duckdb_version, file in extensions.items():
        folder = STAGE / "duckherder" / "extensions" / duckdb_version
        folder.mkdir(parents=True)
        shutil.copyfile(file, folder / "duckherder.duckdb_extension")


def main(version, output, *entries):
    extensions = {name: Path(file) for name, _, file in (entry.partition("=") for entry in entries)}
    for file in extensions.values():
        check_needed(file)
    stage(version, extensions)
    output = Path(output).absolute()
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("duckherder-*.whl"):
        old.unlink()
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--no-index",
               "--no-build-isolation", "-w", str(output), str(STAGE)]
    environment = {**os.environ, "PYTHONPATH": str(SETUPTOOLS),
                   "DUCKHERDER_WHEEL_PLATFORM": platform_tag(extensions.values())}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=environment)
    if done.returncode:
        sys.exit(f"build_wheel.py: failed: {' '.join(command)}\n{done.stdout}")
    wheel = next(output.glob("duckherder-*.whl"))
    print(f"{os.path.relpath(wheel)}: {wheel.stat().st_size / 1e6:.1f} MB, for duckdb {', '.join(extensions)}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

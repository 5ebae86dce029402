#!/usr/bin/env python3
"""clang-tidy and clang's thread-safety analysis, with .clang-tidy, over the source files that changed.

usage: tidy.py BUILD_DIRECTORY JOBS [FILE...]        (all of src/ by default)

Changed is what is not as it was when it was last found clean: a file, one of our headers that it includes, how it is
compiled, the checks, or a pinned part. That is remembered in $DUCKHERDER_TIDY_CLEAN (default build/tidy/clean).

DuckDB's headers take clang seconds for each file, and gcc's precompiled ones are not for clang. So the headers that
CMake precompiles become a module, which the first clang-tidy compiles and the others load.
"""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLANG_TIDY = ROOT / "build" / "deps" / "clang-tidy" / "bin" / "clang-tidy"
WORK = ROOT / "build" / "tidy"
CLEAN = Path(os.environ.get("DUCKHERDER_TIDY_CLEAN") or WORK / "clean")
OWN_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# For gcc's precompiled header, and which of gcc's warnings end the build
ONLY_GCC = re.compile(r"-fpch-preprocess|-Winvalid-pch|-W(no-)?error(=.*)?")
FILE_SECONDS = 600


def pins():
    """What the parts that we did not write depend on."""
    return (ROOT / "third_party" / "versions.ini").read_bytes()


def write_module(precompiled):
    """The headers that CMake precompiles as a module; returns the flags that make clang load it."""
    text = Path(precompiled).read_text()
    directory = WORK / "modules" / hashlib.sha256(pins() + text.encode()).hexdigest()[:16]
    if not (directory / "module.modulemap").exists():
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "headers.hpp").write_text(text)
        declared = 'module headers [system] {\n\theader "headers.hpp"\n\texport *\n}\n'
        (directory / "module.modulemap").write_text(declared)
    return ["-fmodules", "-fimplicit-module-maps", f"-fmodule-map-file={directory / 'module.modulemap'}",
            f"-fmodules-cache-path={directory / 'compiled'}", "-include", str(directory / "headers.hpp")]


def clang_arguments(entry):
    """How clang-tidy compiles a file of CMake's list."""
    arguments = shlex.split(entry["command"])
    # the launcher (ccache, with its settings) stands before the compiler
    compiler = next(at for at, argument in enumerate(arguments) if re.search(r"(\+\+|/cc)(-\d+)?$", argument))
    result, pending = [arguments[compiler]], arguments[compiler + 1:]
    while pending:
        argument = pending.pop(0)
        if argument == "-include" and pending[0].endswith("cmake_pch.hxx"):
            result += write_module(pending.pop(0))
        elif not ONLY_GCC.fullmatch(argument):
            result.append(argument)
    return result


def list_files(build):
    """CMake's list with clang's arguments, in a place where clang-tidy finds it: {path: entry} of what is in src/."""
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = Path(entry["file"])
        if path.is_relative_to(ROOT / "src") and path.exists():
            entries[str(path.relative_to(ROOT))] = {"directory": entry["directory"], "file": entry["file"],
                                                    "arguments": clang_arguments(entry)}
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "compile_commands.json").write_text(json.dumps(list(entries.values())))
    return entries


def with_headers(path, seen):
    """Adds to `seen` the file and those of ours that it includes, themselves or by others."""
    pending = [path]
    while pending:
        current = pending.pop()
        if current not in seen and current.exists():
            seen.add(current)
            pending += [ROOT / "src" / name for name in OWN_INCLUDE.findall(current.read_text(errors="replace"))]
    return seen


def digest(path, entry):
    result = hashlib.sha256(pins() + (ROOT / ".clang-tidy").read_bytes())
    # where the work tree lies does not matter
    result.update("\n".join(entry["arguments"]).replace(str(ROOT), "").encode())
    for file in sorted(with_headers(ROOT / path, set())):
        result.update(f"\n{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return result.hexdigest()


def look_at(path, mark):
    """What clang-tidy says of a file; nothing if it is clean."""
    command = [str(CLANG_TIDY), "--quiet", "-p", str(WORK), str(ROOT / path)]
    try:
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=FILE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"{path}: not done within {FILE_SECONDS} s"
    if done.returncode:
        # what is wrong with the call itself, or how many warnings were left out
        return (done.stdout.strip() or done.stderr.strip()).replace(f"{ROOT}/", "")
    mark.touch()
    return ""


def main(build, jobs, *files):
    entries = list_files(Path(build).absolute())
    wanted = [str(Path(file).resolve().relative_to(ROOT)) for file in files] or sorted(entries)
    if unknown := sorted(set(wanted) - set(entries)):
        sys.exit(f"tidy: {', '.join(unknown)} is not compiled by {build}")
    CLEAN.mkdir(parents=True, exist_ok=True)
    marks = {path: CLEAN / digest(path, entries[path]) for path in wanted}
    changed = [path for path in wanted if not marks[path].exists()]
    problems = 0
    with ThreadPoolExecutor(int(jobs)) as pool:
        # the first one alone: it compiles the module
        for some in (changed[:1], changed[1:]):
            for said in pool.map(lambda path: look_at(path, marks[path]), some):
                problems += bool(said)
                if said:
                    print(said, flush=True)
    print(f"tidy: {len(wanted)} files, {len(changed)} looked at, {problems} with problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

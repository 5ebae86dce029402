#!/usr/bin/env python3
"""Lays out a directory that DuckDB's INSTALL understands, in a web server or on a disk.

usage: extension_repository.py BUILD_DIRECTORY OUT_DIRECTORY

    INSTALL duckherder FROM 'OUT_DIRECTORY';        -- or an http:// URL where it is served
    LOAD duckherder;

INSTALL copies one file, so the file here carries the extension and the shared libraries that it needs, see
deploy/repository/single_file.cpp. A further run for another version of DuckDB adds to the directory.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from strip_extension import fields_of, footer_of, strip

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "deploy" / "repository" / "single_file.cpp"
NAME = "duckherder.duckdb_extension"
#: The best one takes three times as long for half a percent
COMPRESSION = 6


def parts_of(build: Path, stripped: Path) -> dict[str, Path]:
    """By their names below the directory that LOAD makes."""
    libraries = sorted((build / "lib").glob("*.so*"))
    return {NAME: stripped, **{f"lib/{library.name}": library.resolve() for library in libraries}}


def assembly(parts: dict[str, Path]) -> str:
    """The parts as data of a library, as the struct Part in single_file.cpp has them."""
    digest = hashlib.sha256()
    for name, path in parts.items():
        digest.update(name.encode() + b"\0" + path.read_bytes())
    blobs, names, table = [], [], []
    for number, (name, path) in enumerate(parts.items()):
        blobs.append(f'.balign 64\nbegin_{number}: .incbin "{path}"\nend_{number}:')
        names.append(f'name_{number}: .asciz "{name}"')
        table.append(f".quad name_{number}, begin_{number}, end_{number}")
    return "\n".join([
        '.section .rodata,"a"', *blobs, *names,
        ".globl DUCKHERDER_PARTS_HASH, DUCKHERDER_PARTS", ".hidden DUCKHERDER_PARTS_HASH, DUCKHERDER_PARTS",
        f'DUCKHERDER_PARTS_HASH: .asciz "{digest.hexdigest()[:16]}"',
        '.section .data.rel.ro,"aw"', ".balign 8", "DUCKHERDER_PARTS:", *table,
        ".quad 0, 0, 0", '.section .note.GNU-stack,"",@progbits', ""])


def compile_single_file(parts: dict[str, Path], directory: Path) -> Path:
    listed = directory / "parts.S"
    listed.write_text(assembly(parts))
    library = directory / "single_file.so"
    command = [os.environ.get("CXX", "g++"), "-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
               "-fvisibility=hidden", "-Wl,-z,defs", "-Wl,-Bsymbolic", "-o", str(library), str(SOURCE), str(listed)]
    subprocess.run(command, check=True)
    return library


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    footer = footer_of(args.build / NAME)
    _, platform, duckdb_version, version, *_ = fields_of(footer)
    target = args.out / duckdb_version / platform / f"{NAME}.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        stripped = Path(directory) / NAME
        strip(args.build / NAME, stripped)
        library = compile_single_file(parts_of(args.build, stripped), Path(directory))
        with open(library, "ab") as file:
            file.write(footer)
        fresh = Path(directory) / "fresh.gz"
        # Without a name and a time: the same build gives the same bytes.
        with open(fresh, "wb") as packed, gzip.GzipFile("", "wb", COMPRESSION, packed, mtime=0) as file:
            with open(library, "rb") as content:
                shutil.copyfileobj(content, file, 1 << 20)
        unpacked = library.stat().st_size
        os.replace(fresh, target)
    print(f"{target}: Duckherder {version} for DuckDB {duckdb_version}, {target.stat().st_size / 1e6:.0f} MB, "
          f"{unpacked / 1e6:.0f} MB unpacked")
    print(f"INSTALL duckherder FROM '{args.out.resolve()}';")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Copies an extension without its symbols, which are seven eighths of it.

usage: strip_extension.py EXTENSION OUT
       strip_extension.py --where EXTENSION     only says where DuckDB keeps it: VERSION/PLATFORM

strip alone would also remove the footer after the library, which DuckDB looks at before it loads the extension.
"""

import os
import subprocess
import sys
from pathlib import Path

SECTION_HEADER = b"\x00\x93\x04\x10duckdb_signature\x80\x04"
FOOTER_BYTES = len(SECTION_HEADER) + 512
FIELD_BYTES = 32


def footer_of(extension: Path) -> bytes:
    with open(extension, "rb") as file:
        file.seek(-FOOTER_BYTES, os.SEEK_END)
        footer = file.read()
    if not footer.startswith(SECTION_HEADER):
        raise SystemExit(f"{extension} is no DuckDB extension: run make first")
    return footer


def fields_of(footer: bytes) -> list[str]:
    """Of the footer: its own version, platform, version of DuckDB, version of the extension."""
    fields = footer[len(SECTION_HEADER):]
    return [fields[at:at + FIELD_BYTES].rstrip(b"\0").decode()
            for at in reversed(range(0, 8 * FIELD_BYTES, FIELD_BYTES))]


def strip(extension: Path, out: Path) -> None:
    footer = footer_of(extension)
    subprocess.run(["strip", "--strip-unneeded", "-o", str(out), str(extension)], check=True)
    with open(out, "ab") as file:
        file.write(footer)
    out.chmod(0o755)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["--where", extension]:
            _, platform, duckdb_version, *_ = fields_of(footer_of(Path(extension)))
            print(f"{duckdb_version}/{platform}")
        case [extension, out]:
            strip(Path(extension), Path(out))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])

#!/usr/bin/env python3
"""Copies a shared library and appends the 512-byte footer that DuckDB wants at the end of a loadable extension.

The footer: a WebAssembly custom section header, eight 32-byte fields in reverse order, 256 bytes for a signature.
"""

import argparse
import os
import subprocess
from pathlib import Path

PLATFORM = "linux_amd64"
SECTION_HEADER = b"\x00\x93\x04\x10duckdb_signature\x80\x04"
FIELD_BYTES = 32


def describe_commit():
    """The commit of this build, empty outside of a git clone (a release archive)."""
    try:
        command = ["git", "describe", "--always", "--exclude=*", "--dirty"]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def footer(duckdb_version, extension_version):
    fields = ["4", PLATFORM, duckdb_version, extension_version, "CPP", "", "", ""]
    encoded = [field.encode() for field in fields]
    assert all(len(field) <= FIELD_BYTES for field in encoded), fields
    return SECTION_HEADER + b"".join(field.ljust(FIELD_BYTES, b"\0") for field in reversed(encoded)) + b"\0" * 256


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library", type=Path)
    parser.add_argument("extension", type=Path)
    parser.add_argument("--version", required=True)
    parser.add_argument("--duckdb-version", required=True, help="of the DuckDB that may load it")
    args = parser.parse_args()
    version = "-".join(filter(None, ["v" + args.version, describe_commit()]))
    # Written beside and renamed: a process that has the old file loaded keeps it.
    fresh = args.extension.with_suffix(".new")
    fresh.write_bytes(args.library.read_bytes() + footer("v" + args.duckdb_version, version[:FIELD_BYTES]))
    os.replace(fresh, args.extension)


if __name__ == "__main__":
    main()

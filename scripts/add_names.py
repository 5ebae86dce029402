#!/usr/bin/env python3
"""Gives the headers of DuckDB 1.5 the names of DuckDB 2.0 that are listed in src/compat/names_of_2_0.txt.

usage: add_names.py LIST INCLUDE_DIRECTORY OUTPUT_DIRECTORY

Copies each listed header into the output directory, with the listed lines in its class. Only functions that are inline
and not virtual may be listed: they change neither the layout of a class nor the library that was compiled without them.
"""

import sys
from pathlib import Path


def sections(text):
    """(header, class line, lines to add) of the list: a header's path, then a class line, then indented lines."""
    header, declaration, added = None, None, []
    for line in [*text.splitlines(), "end"]:
        if line.startswith("\t"):
            added.append(line)
        elif line and not line.startswith("#"):
            if added:
                yield header, declaration, added
                added = []
            if line.endswith(".hpp"):
                header = line
            else:
                declaration = line


def with_lines(text, declaration, added, header):
    """The header's text with the lines as public members of the class."""
    lines = text.split("\n")
    found = [number for number, line in enumerate(lines)
             if line.startswith(declaration) and line[len(declaration):].lstrip().startswith((":", "{"))]
    if len(found) != 1:
        sys.exit(f"add_names.py: {header} has {len(found)} times '{declaration}'")
    start = next(number for number in range(found[0], len(lines))
                 if lines[number].split("//")[0].rstrip().endswith("{"))
    lines[start + 1:start + 1] = ["public:", *added, "public:" if declaration.startswith("struct") else ""]
    return "\n".join(lines)


def main(listed, include, output):
    texts = {}
    for header, declaration, added in sections(Path(listed).read_text()):
        text = texts.get(header) or (Path(include) / header).read_text()
        texts[header] = with_lines(text, declaration, added, header)
    for header, text in texts.items():
        path = Path(output) / header
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])

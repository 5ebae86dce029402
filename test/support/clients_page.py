"""The blocks of code in docs/clients.md."""

import re

from support import paths

PAGE = paths.ROOT / "docs" / "clients.md"
ADDRESS = "127.0.0.1:8815"
EXTENSION = "build/release/duckherder.duckdb_extension"


def blocks(heading: str) -> list[tuple[str, str]]:
    """(language, code) of the fenced blocks below that heading."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    found = [part for part in section if part.split("\n", 1)[0] == heading]
    assert len(found) == 1, f"docs/clients.md has no section '{heading}'"
    return re.findall(r"^```(\w+)\n(.*?)^```$", found[0], re.MULTILINE | re.DOTALL)


def here(code: str, address: str) -> str:
    """With the address of a test's driver, and with the extension of this build."""
    return code.replace(ADDRESS, address).replace(EXTENSION, str(paths.EXTENSION))

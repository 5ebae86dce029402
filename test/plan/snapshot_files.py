"""Files of snapshots: a section for each query. A line that is not indented begins one, by which git names it in a
diff."""

from collections.abc import Iterable
from pathlib import Path

from plan.cases import SNAPSHOTS, Case

SUFFIX = ".txt"
REWRITE = "build/deps/venv/bin/python test/plan/rewrite.py"


def path_of(file: str) -> Path:
    return SNAPSHOTS / f"{file}{SUFFIX}"


def read(file: str) -> dict[str, str]:
    """By the query's name, its section."""
    path = path_of(file)
    sections: dict[str, str] = {}
    name = ""
    for line in path.read_text().splitlines(keepends=True) if path.exists() else []:
        if not line.startswith((" ", "\n")):
            name = line.partition(":")[0]
            sections[name] = ""
        if line.strip():
            sections[name] += line
    return sections


def write(file: str, sections: Iterable[str]) -> None:
    path = path_of(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(sections))


def files() -> set[str]:
    """Those that exist, as the cases call them."""
    return {str(path.relative_to(SNAPSHOTS).with_suffix("")) for path in SNAPSHOTS.rglob(f"*{SUFFIX}")}


def left_over(cases: list[Case]) -> list[str]:
    """Files and sections that no query has any more."""
    known = {(case.file, case.name) for case in cases}
    expected = {case.file for case in cases}
    sections = [f"{file}: {name}" for file in sorted(expected) for name in read(file) if (file, name) not in known]
    return [*sorted(files() - expected), *sections]

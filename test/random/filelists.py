"""Lists of Parquet files that do not look alike: what a scan binds once, and each file is fitted to.

Other orders of columns, wider types, columns that some files lack, hive directories, files that stand in the list
twice, and filters in the view that leave files out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from support.paths import quoted

#: Types that hold every value of the type, of which another file may have one
WIDER = {"TINYINT": ("SMALLINT", "INTEGER", "BIGINT"), "SMALLINT": ("INTEGER", "BIGINT"), "INTEGER": ("BIGINT",),
         "UTINYINT": ("USMALLINT", "INTEGER"), "USMALLINT": ("INTEGER", "BIGINT"), "UINTEGER": ("BIGINT",),
         "FLOAT": ("DOUBLE",), "DECIMAL(4,1)": ("DECIMAL(9,2)", "DECIMAL(18,3)"), "DECIMAL(9,2)": ("DECIMAL(18,3)",),
         "DATE": ("TIMESTAMP",), "TIMESTAMP_S": ("TIMESTAMP",), "TIMESTAMP_MS": ("TIMESTAMP",)}
HIVE_KEY = "h1"


@dataclass(frozen=True)
class ListedFile:
    #: Names of the table's columns in the order of this file, each with the type that it has there
    columns: tuple[tuple[str, str], ...]
    #: Of the directory, if there are such
    hive: int | None = None


@dataclass(frozen=True)
class FileList:
    files: tuple[ListedFile, ...]
    #: Positions of files, in the order of the list; empty: all, by a pattern
    order: tuple[int, ...] = ()
    options: tuple[str, ...] = ()
    #: Of the view
    where: str = ""

    @property
    def hive(self) -> bool:
        return self.files[0].hive is not None

    def path(self, directory: Path, table: str, number: int) -> Path:
        hive = self.files[number].hive
        folder = directory / f"{table}_list"
        return (folder if hive is None else folder / f"{HIVE_KEY}={hive}") / f"f{number}.parquet"

    def scan(self, directory: Path, table: str) -> str:
        if self.order:
            paths = "[" + ", ".join(quoted(self.path(directory, table, number)) for number in self.order) + "]"
        else:
            paths = quoted(directory / f"{table}_list" / ("*/*.parquet" if self.hive else "*.parquet"))
        return f"read_parquet({', '.join((paths, *self.options))})"


def make_list(rng: Random, columns: list[tuple[str, str]], files: int) -> FileList:
    """`columns`: names and types of the table. Without union_by_name the first file that is read decides about names
    and types: it has all columns, in any order."""
    hive = rng.random() < 0.4
    by_name = rng.random() < 0.5
    order: tuple[int, ...] = ()
    if rng.random() < 0.6:
        order = tuple(rng.choices(range(files), k=rng.randrange(1, files + 3)))
    first = order[0] if order else None
    listed = []
    for number in range(files):
        shown = list(columns)
        if rng.random() < 0.5:
            rng.shuffle(shown)
        if by_name and number != first and len(shown) > 1 and rng.random() < 0.3:
            shown.pop(rng.randrange(len(shown)))
        typed = [(name, rng.choice(WIDER[type_name]) if type_name in WIDER and rng.random() < 0.25 else type_name)
                 for name, type_name in shown]
        listed.append(ListedFile(tuple(typed), rng.choice((1, 2, 3, 10)) if hive else None))
    options = (*(("union_by_name = true",) if by_name else ()),
               *((rng.choice(("hive_partitioning = true", f"hive_types = {{{HIVE_KEY}: INTEGER}}")),) if hive else ()))
    kept = [number for number in range(files) if rng.random() < 0.6] or [0]
    filters = ["", "", f"filename SIMILAR TO '.*/f[{''.join(map(str, kept))}][.]parquet'"]
    if hive:
        filters += [f"{HIVE_KEY} IN (2, 3)", f"{HIVE_KEY} > 1", f"{HIVE_KEY} <> 10"]
    if by_name:
        missing = {name for file in listed for name, _ in columns} - set.intersection(
            *({name for name, _ in file.columns} for file in listed))
        # a column that no file in the list has would not be there at all
        lost = {name for name in missing
                if not any(name in dict(listed[number].columns) for number in (order or range(files)))}
        if lost:
            listed[order[0] if order else 0] = ListedFile(tuple(columns), listed[order[0] if order else 0].hive)
    return FileList(tuple(listed), order, options, rng.choice(filters))


def smaller_lists(listed: FileList) -> Iterator[FileList]:
    if listed.where:
        yield replace(listed, where="")
    for number in range(len(listed.order)):
        if shorter := listed.order[:number] + listed.order[number + 1:]:
            yield replace(listed, order=shorter)
    for number in range(len(listed.options)):
        yield replace(listed, options=listed.options[:number] + listed.options[number + 1:])
    if not listed.order and len(listed.files) > 1:
        yield replace(listed, files=listed.files[:-1])
    for number, file in enumerate(listed.files):
        if file.columns != tuple(sorted(file.columns)):
            changed = replace(file, columns=tuple(sorted(file.columns)))
            yield replace(listed, files=(*listed.files[:number], changed, *listed.files[number + 1:]))

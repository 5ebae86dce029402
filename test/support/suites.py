"""The published sets of queries under one face, for what runs any of them: benchmarks, the table of coverage."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support import clickbench, tpcds, tpch
from support.compare import Result


def _as_it_is(sql: str, _: Result) -> str:
    return sql


@dataclass(frozen=True)
class Suite:
    title: str
    #: How big the data is, for a scale
    size: Callable[[float], str]
    queries: Callable[[float], dict[int, str]]
    #: Generates the Parquet files of a scale below a directory, if they are not there
    parquet_directory: Callable[[float, Path], Path]
    #: On a session, from the files' directory; VIEW or TABLE
    create_sources: Callable
    #: The query, from it and a result of it, whose answer can be compared with another engine's
    comparable: Callable[[str, Result], str] = _as_it_is

    def names(self, scale: float) -> dict[str, str]:
        return {f"Q{number}": sql for number, sql in sorted(self.queries(scale).items())}

    def data(self, scale: float) -> str:
        return f"{self.title} {self.size(scale)}"


def _scale_factor(scale: float) -> str:
    return f"SF{scale:g}"


def _rows(scale: float) -> int:
    return round(scale * 1_000_000)


SUITES = {
    "tpch": Suite("TPC-H", _scale_factor, lambda _: tpch.queries(), tpch.parquet_directory, tpch.create_sources),
    "tpcds": Suite("TPC-DS", _scale_factor, lambda _: tpcds.queries(), tpcds.parquet_directory, tpcds.create_sources),
    "clickbench": Suite("ClickBench", lambda scale: f"{_rows(scale):,} rows",
                        lambda scale: clickbench.queries(_rows(scale)),
                        lambda scale, base: clickbench.parquet_directory(_rows(scale), base), clickbench.create_sources,
                        lambda sql, result: clickbench.unique_query(sql, len(result.names))),
}
#: What a scale is
SCALE_HELP = "scale factor; of ClickBench: millions of rows (1)"


def numbers(text: str) -> list[int]:
    """Of a list such as 1,3,6-8."""
    result: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        result += range(int(first), int(last or first) + 1)
    return result

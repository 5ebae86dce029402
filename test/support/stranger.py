"""A world of its own for each worker process: nothing that a fragment needs may come from where a worker runs.

Working directory with other files of the names that tests use, time zone, language, umask, home, number of threads,
defaults of DuckDB's settings, and extensions that the session has not loaded.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from support import paths
from support.versions import IS_NEXT_DUCKDB

ZONES = ("Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham")
LANGUAGES = ("tr_TR.UTF-8", "C", "de_DE.UTF-8")
THREADS = (1, 2, 1, 3)
#: Names that tests give their files; those of a stranger hold rows that no test expects
DECOYS = ("t", "a", "b", "rel", "data", "lineitem", "orders", "events", "part", "f", "z")
#: Every setting that travels has another value than DuckDB's default here, and some that only matter for the speed
DEFAULTS = {
    "Calendar": "'japanese'",
    "default_collation": "'nocase'",
    "default_null_order": "'nulls_first'",
    "default_order": "'desc'",
    "deprecated_using_key_syntax": "'union_as_union_all'",
    "disable_timestamptz_casts": "true",
    "binary_as_string": "true",
    "enable_geoparquet_conversion": "false",
    "ieee_floating_point_ops": "false",
    "ignore_unknown_crs": "true",
    "integer_division": "true",
    "lambda_syntax": "'disable_single_arrow'",
    "old_implicit_casting": "true",
    "order_by_non_integer_literal": "true",
    "preserve_identifier_case": "false",
    "preserve_insertion_order": "false",
    "scalar_subquery_error_on_multiple_rows": "false",
    "errors_as_json": "true",
    "enable_fsst_vectors": "true",
    "max_expression_depth": "30",
    "ordered_aggregate_threshold": "1000",
}


def defaults_sql(number: int) -> str:
    zone = ZONES[(number + 1) % len(ZONES)]
    defaults = {"TimeZone": f"'{zone}'", **DEFAULTS}
    if IS_NEXT_DUCKDB:
        with duckdb.connect() as con:
            known = {name.lower() for name, in con.execute("SELECT name FROM duckdb_settings()").fetchall()}
        defaults = {name: value for name, value in defaults.items() if name.lower() in known}
    lines = [f"SET GLOBAL {name} = {value};" for name, value in defaults.items()]
    if number % 2 == 1 and paths.TPCH_EXTENSION.exists() and not IS_NEXT_DUCKDB:
        lines.insert(0, f"LOAD {paths.quoted(paths.TPCH_EXTENSION)};")
    return "\n".join(lines) + "\n"


@dataclass
class StrangerWorld:
    """Of the worker with this number; made on disk by `make`."""

    directory: Path
    number: int

    @classmethod
    def make(cls, parent: Path, name: str, number: int) -> "StrangerWorld":
        world = cls(parent / f"{name}.world", number)
        (world.directory / "home").mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as con:
            con.execute("CREATE TABLE decoy AS SELECT -i AS i, -i AS a, -i AS b, 'decoy' AS s FROM range(7) r(i)")
            for decoy in DECOYS:
                for suffix in ("parquet", "csv"):
                    con.execute(f"COPY decoy TO {paths.quoted(world.directory / f'{decoy}.{suffix}')}")
        return world

    @property
    def environment(self) -> dict[str, str]:
        language = LANGUAGES[self.number % len(LANGUAGES)]
        return {"TZ": ZONES[self.number % len(ZONES)], "LANG": language, "LC_ALL": language,
                "HOME": str(self.directory / "home")}

    @property
    def threads(self) -> int:
        return THREADS[self.number % len(THREADS)]

    def with_defaults(self, options: list[str]) -> list[str]:
        """The worker's options with an --init that sets the defaults, after what an --init of theirs does."""
        init = self.directory / "init.sql"
        options = list(options)
        before = ""
        if "--init" in options:
            place = options.index("--init")
            before = Path(options[place + 1]).read_text() + "\n"
            del options[place:place + 2]
        init.write_text(f"{before};\n{defaults_sql(self.number)}")
        return [*options, "--init", str(init)]

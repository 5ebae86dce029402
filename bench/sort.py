#!/usr/bin/env python3
"""TPC-H's lineitem sorted into files: by workers with a memory limit each, and by one stock DuckDB with as many threads
and as much memory in all. Says how long both take, how much memory each process has at most, and whether the files are
in order."""

import argparse
import contextlib
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

import report  # noqa: E402
from sides import Run, Side, start_plain, start_session  # noqa: E402
from support.process import forget_peak, peak_bytes  # noqa: E402
from support.suites import SUITES  # noqa: E402

ORDER = "l_shipdate, l_comment"
SOURCES = "lineitem sorted into files"
#: In the order of the files' names. A window without frame and partitions reads its rows one after another.
IN_ORDER = """
    SELECT count(*), count(*) FILTER (key < before), sum(hash(key)) FROM (
        SELECT key, lag(key) OVER () AS before FROM (SELECT (l_shipdate, l_comment) AS key FROM read_parquet('{}')))
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", "--sf", type=float, default=10.0, help="of TPC-H (10)")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each side (3)")
    parser.add_argument("--workers", type=int, default=4, help="worker processes of one thread (4)")
    parser.add_argument("--memory", type=int, default=700, help="--memory-limit of each worker, in MB (700)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return parser.parse_args()


class Sorting:
    """Runs of one side, which sorts into a directory of its own."""

    def __init__(self, side: Side, source: Path, target: Path, options: str):
        self.side = side
        self.source = source
        self.target = target
        self.sql = f"COPY (FROM '{source}' ORDER BY {ORDER}) TO '{target}' (FORMAT parquet{options})"
        self.runs: list[Run] = []
        self.peaks: list[list[int]] = []

    def run(self) -> None:
        if self.target.is_file():
            self.target.unlink()
        shutil.rmtree(self.target, ignore_errors=True)
        for pid in self.side.pids:
            forget_peak(pid)
        self.runs.append(self.side.run(self.sql))
        self.peaks.append([peak_bytes(pid) for pid in self.side.pids])

    def seconds(self) -> float:
        return statistics.median(run.seconds for run in self.runs)

    def cpu_seconds(self) -> float:
        return statistics.median(run.cpu_seconds for run in self.runs)

    def peak(self, process: int) -> int:
        return max(peaks[process] for peaks in self.peaks)

    def problem(self, plain: Side) -> str:
        """Empty if the files have the rows of the source in order"""
        pattern = self.target if self.target.is_file() else f"{self.target}/*.parquet"
        ((rows, wrong, keys),) = plain.result(IN_ORDER.format(pattern)).rows
        ((expected, _, expected_keys),) = plain.result(IN_ORDER.format(self.source)).rows
        if wrong:
            return f"{wrong} rows are not in order"
        return "" if (rows, keys) == (expected, expected_keys) else f"{rows} rows of {expected}"


def megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f}"


def table(plain: Sorting, ours: Sorting, files: int, problems: list[str]) -> str:
    workers = [ours.peak(process) for process in range(1, len(ours.side.pids))]
    return "\n".join([
        "| side | wall s | CPU s | peak MB of the session | peak MB of the largest worker | files |",
        "|---|---:|---:|---:|---:|---:|",
        f"| plain DuckDB | {plain.seconds():.1f} | {plain.cpu_seconds():.1f} | {megabytes(plain.peak(0))} | | 1 |",
        f"| duckherder | {ours.seconds():.1f} | {ours.cpu_seconds():.1f} | {megabytes(ours.peak(0))} | "
        f"{megabytes(max(workers))} | {files} |",
        f"| ratio | {ours.seconds() / plain.seconds():.2f} | {ours.cpu_seconds() / plain.cpu_seconds():.2f} | | | |",
        "", "Rows in order, and equal to those of the source: " + (", ".join(problems) or "yes") + "."])


def section(data: str, options: argparse.Namespace, body: str) -> str:
    return f"""{report.title(data, SOURCES)}

`COPY (FROM lineitem ORDER BY {ORDER}) TO …`: {options.workers} worker processes of one thread and {options.memory} MB
each against one stock process of {options.workers} threads and {options.workers * options.memory} MB, which writes one
file. {report.counted(options.runs)}, both sides by turns; CPU is user and system time of all processes of the side. The
peaks are the most memory that a process had in any run.

{body}

{report.origin()}
"""


def main() -> int:
    options = arguments()
    suite = SUITES["tpch"]
    source = suite.parquet_directory(options.scale, ROOT / "build" / "bench-data") / "lineitem.parquet"
    with contextlib.ExitStack() as stack:
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT / "build" / "bench-data")))
        side = start_plain(stack, options.workers)
        side.execute(f"SET memory_limit = '{options.workers * options.memory}MB'",
                     f"SET temp_directory = '{target}/plain-spill'")
        session = start_session(stack, options.workers,
                                worker_options=["--memory-limit", f"{options.memory}MB"])
        session.execute(f"SET duckherder_shared_paths = '{target}'", "SET duckherder_require_distributed = true")
        plain = Sorting(side, source, target / "plain.parquet", "")
        ours = Sorting(session, source, target / "ours", ", PER_THREAD_OUTPUT")
        for _ in range(options.runs):
            for sorting in (plain, ours):
                sorting.run()
        files = len(list(ours.target.iterdir()))
        problems = [problem for sorting in (plain, ours) if (problem := sorting.problem(side))]
        body = table(plain, ours, files, problems)
    text = section(suite.data(options.scale), options, body)
    print(text)
    if options.write:
        report.write(suite.data(options.scale), SOURCES, text)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

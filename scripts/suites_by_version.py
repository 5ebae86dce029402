#!/usr/bin/env python3
"""Runs the suites with each DuckDB that there is an extension for, and writes the table of docs/versions.md.

usage: suites_by_version.py [--only VERSION] [--jobs N] [SUITE...]

It wants `make test` to have been run, which builds both. With --only, the other version's column stays as it is. SUITE:
some rows only, by the beginning of their title.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "versions.md"
BEGIN, END = "<!-- suites: begin -->", "<!-- suites: end -->"
VERSIONS = {
    "1.5.5": ("build/release", "build/deps/venv"),
    "2.0.1": ("build/release-2.0.1", "build/deps/venv-2.0.1"),
}
DIFFERENTIAL = "test/differential/test_"
#: Title, and what pytest is given
SUITES = {
    "TPC-H, 22 queries": [f"{DIFFERENTIAL}tpch.py"],
    "TPC-DS, 99 queries": [f"{DIFFERENTIAL}tpcds.py"],
    "ClickBench, 43 queries": [f"{DIFFERENTIAL}clickbench.py"],
    "Types": [f"{DIFFERENTIAL}types.py"],
    "Aggregates": [f"{DIFFERENTIAL}aggregates.py"],
    "Errors": [f"{DIFFERENTIAL}errors.py"],
    "Joins": [f"{DIFFERENTIAL}{name}.py" for name in ("asof_joins", "correlated", "join_choice", "dynamic_filters")],
    "Parquet files": [f"{DIFFERENTIAL}{name}.py" for name in
                      ("bound_scans", "clustered_scans", "aligned_scans", "sorted_files", "fallback_splits")],
    "Feeds": [f"{DIFFERENTIAL}{name}.py" for name in
              ("native_feeds", "feed_errors", "feed_ends_early", "sources", "index_scans")],
    "Other statements": [f"{DIFFERENTIAL}{name}.py" for name in
                         ("statements", "set_operations", "partitioned_inputs", "adaptive_exchanges", "auto_mode",
                          "explain", "regressions")],
    "Functions and settings": [f"{DIFFERENTIAL}{name}.py" for name in
                               ("function_traits", "functions_on_workers", "session_world", "settings_review")],
    "sqllogictest": ["test/sql"],
    "Random queries, short": ["test/random"],
    "Cluster": ["test/cluster"],
    "ATTACH": [f"test/remote/test_{name}.py" for name in
               ("attach", "client_world", "explain", "history", "interfaces", "interleavings", "large_results",
                "mixed_queries", "progress", "roles", "statement_kinds", "suites", "writers")],
    "Flight SQL": [f"test/remote/test_flight_sql_{name}.py" for name in ("adbc", "metadata", "streams")],
    "Wheel": ["test/python"],
}


def run(version, arguments, jobs):
    """Passed, failed, and skipped tests"""
    directory, environment = VERSIONS[version]
    python = ROOT / environment / "bin" / "python"
    variables = {**os.environ, "DUCKHERDER_BUILD": str(ROOT / directory)}
    packages = ROOT / directory / "packages"
    if packages.exists():
        variables["PYTHONPATH"] = str(packages)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        subprocess.run([python, "-m", "pytest", *arguments, "-q", "--timeout=300", "-n", str(jobs), "--dist",
                        "loadfile", "-p", "no:cacheprovider", "--tb=line", f"--junitxml={report}"], cwd=ROOT,
                       env=variables, check=False)
        if not report.exists():
            sys.exit(f"suites_by_version.py: pytest has not finished {' '.join(arguments)} with DuckDB {version}")
        totals = xml.etree.ElementTree.parse(report).getroot().find("testsuite").attrib
    failed, skipped = int(totals["failures"]) + int(totals["errors"]), int(totals["skipped"])
    return int(totals["tests"]) - failed - skipped, failed, skipped


def text_of(result):
    passed, failed, skipped = result
    parts = [f"{passed} passed"]
    if failed:
        parts.append(f"**{failed} failed**")
    if skipped:
        parts.append(f"{skipped} not for it")
    return ", ".join(parts)


def read_rows(page):
    """Title to version to text, of the table that is there"""
    rows = {}
    for line in page[page.index(BEGIN):page.index(END)].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(VERSIONS) + 1 and cells[0] in SUITES:
            rows[cells[0]] = dict(zip(VERSIONS, cells[1:], strict=True))
    return rows


def write_rows(page, rows):
    lines = ["| Suite | " + " | ".join(VERSIONS) + " |", "|---|" + "---|" * len(VERSIONS)]
    for title in SUITES:
        cells = rows.get(title, {})
        lines.append(f"| {title} | " + " | ".join(cells.get(version, "not run") for version in VERSIONS) + " |")
    table = "\n".join([BEGIN, "", *lines, "", END])
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: table, page, flags=re.DOTALL))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=VERSIONS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    arguments = parser.parse_args()
    failures = 0
    for title, paths in SUITES.items():
        if arguments.suites and not title.startswith(tuple(arguments.suites)):
            continue
        for version in [arguments.only] if arguments.only else VERSIONS:
            result = run(version, paths, arguments.jobs)
            failures += result[1]
            page = PAGE.read_text()
            rows = read_rows(page)
            rows.setdefault(title, {})[version] = text_of(result)
            write_rows(page, rows)
            print(f"{version} {title}: {text_of(result)}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

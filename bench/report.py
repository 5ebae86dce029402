"""The figures as a Markdown table."""

import os
import platform
import subprocess
import sys
from pathlib import Path

from measuring import Measurement, geometric_mean
from support import paths


def say(text: str) -> None:
    """Of how far a benchmark is: its tables alone go to the standard output."""
    print(text, file=sys.stderr, flush=True)


def processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = {line.split(":", 1)[1].strip() for line in file if line.startswith("model name")}
    except OSError:
        names = set()
    return f"{os.cpu_count()} x {', '.join(sorted(names)) or platform.machine()}"


def commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=paths.ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "no git commit"


def row(measurement: Measurement, workers: int) -> str:
    numbers = measurement.statistics
    mode = numbers.get("execution_mode", "?")
    busy = numbers.get("task_ms", 0) / (measurement.ours_ms * workers)
    cells = [measurement.name, f"{measurement.plain_ms:.0f}", f"{measurement.ours_ms:.0f}",
             f"{measurement.wall_ratio:.2f}", f"{measurement.cpu_ratio:.2f}", f"{numbers.get('task_rows', 0):,}",
             f"{numbers.get('bytes_exchanged', 0):,}", str(numbers.get("num_tasks_generated", 0)),
             str(numbers.get("num_stages", 0)), f"{busy:.0%}", mode, measurement.problem or "yes"]
    return "| " + " | ".join(cells) + " |"


def table(measurements: list[Measurement], fixed: Measurement, workers: int) -> str:
    lines = ["| query | plain ms | duckherder ms | wall ratio | CPU ratio | rows into tasks | bytes exchanged | tasks "
             "| stages | workers busy | mode | equal |", "|---|" + "---:|" * 9 + "---|---|"]
    lines += [row(measurement, workers) for measurement in measurements]
    wall = geometric_mean(measurement.wall_ratio for measurement in measurements)
    cpu = geometric_mean(measurement.cpu_ratio for measurement in measurements)
    lines.append(f"| **geometric mean** | | | **{wall:.2f}** | **{cpu:.2f}** | | | | | | | |")
    lines += ["", f"Fixed cost: a query over one row takes {fixed.ours_ms:.1f} ms distributed and "
                  f"{fixed.plain_ms:.1f} ms in plain DuckDB (CPU ratio {fixed.cpu_ratio:.1f})."]
    return "\n".join(lines)


def title(data: str, sources: str) -> str:
    return f"## {data}, {sources}"


def counted(runs: int) -> str:
    return f"Medians of {runs} runs" if runs > 1 else "One run"


def origin() -> str:
    """How to get the figures again, and what they were measured on."""
    command = " ".join([f"bench/{Path(sys.argv[0]).name}", *(word for word in sys.argv[1:] if word != "--write")])
    return f"Command: `{command}`, commit {commit()}, {processor()}."


def section(data: str, sources: str, setup: str, runs: int, body: str) -> str:
    return f"""{title(data, sources)}

{setup}
{counted(runs)} after a warm-up, both sides by turns in one run; a ratio above 1 means that duckherder took more.
CPU is user and system time of all processes of the side. `rows into tasks`: what their scans, after the filters in
them, and their exchanges delivered. `workers busy`: the tasks' time over the workers' time; the rest was spent on
rounds and in the session.

{body}

{origin()}
"""


HEADER = """# Benchmarks

Duckherder against plain DuckDB 1.5.5 with the same total number of threads, on one machine. Written by
`bench/run.py --write`.
"""


def write(data: str, sources: str, text: str) -> None:
    """Replaces the section of this data and kind of tables, and keeps the others."""
    path = paths.ROOT / "docs" / "benchmarks.md"
    old = path.read_text() if path.exists() else HEADER
    parts = old.split("\n## ")
    head, sections = parts[0], ["## " + part for part in parts[1:]]
    mine = title(data, sources)
    sections = [part for part in sections if part.split("\n")[0] != mine] + [text]
    path.write_text("\n\n".join([head.strip(), *(part.strip() for part in sorted(sections))]) + "\n")

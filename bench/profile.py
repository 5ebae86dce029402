#!/usr/bin/env python3
"""Where the time of one query goes: perf over all processes of both sides, plain DuckDB and a session with workers.

usage: profile.py [--suite tpch] [--scale 10] [--workers 2] [--runs 3] [--tables native] [--embedded] [--top 25] QUERY

Prints for each side the CPU seconds and freshly faulted pages of one run, the shares of our code, DuckDB, Arrow and
gRPC, the C library and the kernel (its network and its memory apart), and the symbols that took most. Needs `perf` and
the right to look at processes of one's own (root, or kernel.perf_event_paranoid of at most 1).
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

from measuring import last_statistics  # noqa: E402
from sides import Side, start_sides  # noqa: E402
from support.suites import SCALE_HELP, SUITES  # noqa: E402

SAMPLES_PER_SECOND = 999
#: The first that matches what perf calls the object, and the symbol in it
PARTS = (
    ("kernel: network", r"\[kernel", r"tcp|^ip_|^__ip|sock|skb|inet|^net|dev_|napi|loopback|release_sock|eth_"),
    ("kernel: memory", r"\[kernel", r"page|fault|mmap|munmap|vma|folio|_mm_|memcg|charge|zap|tlb|clear_|alloc|lru"),
    ("kernel: other", r"\[kernel|\[unknown\]|\[vdso\]", r""),
    ("ours", r"duckherder", r""),
    ("DuckDB", r"duckdb", r""),
    ("Arrow, Flight, gRPC", r"arrow|grpc|ssl|crypto|protobuf", r""),
    ("C library", r"libc[.-]|libm[.-]|libstdc|libpthread|ld-linux", r""),
    ("other", r"", r""),
)


def part_of(library: str, symbol: str) -> str:
    return next(name for name, in_library, in_symbol in PARTS
                if re.search(in_library, library) and re.search(in_symbol, symbol))


def faulted_pages(pid: int) -> int:
    """Pages that the process was given, by first touch or from the file cache."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


class Perf:
    """Samples the processes from `enable` on until it ends."""

    def __init__(self, pids: list[int], directory: Path):
        self._data = directory / "perf.data"
        control, answer = directory / "control", directory / "answer"
        for pipe in (control, answer):
            os.mkfifo(pipe)
        # Opened for both, so that neither end waits for the other.
        self._control = os.open(control, os.O_RDWR)
        self._answer = os.open(answer, os.O_RDWR)
        command = ["perf", "record", "--freq", str(SAMPLES_PER_SECOND), "--delay", "-1", "--quiet", "--control",
                   f"fifo:{control},{answer}", "--output", str(self._data), "--pid", ",".join(map(str, pids))]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def enable(self) -> None:
        os.write(self._control, b"enable\n")
        os.read(self._answer, 16)

    def end(self) -> dict[tuple[str, str], int]:
        """The samples by object and symbol."""
        self._process.send_signal(signal.SIGINT)
        said = self._process.communicate()[1]
        os.close(self._control)
        os.close(self._answer)
        if not self._data.exists():
            raise RuntimeError(f"perf recorded nothing: {said}")
        command = ["perf", "report", "--stdio", "--input", str(self._data), "--sort", "dso,symbol", "--show-nr-samples",
                   "--field-separator", "\t", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        result: dict[tuple[str, str], int] = defaultdict(int)
        for line in done.stdout.splitlines():
            fields = [field.strip() for field in line.split("\t")]
            if len(fields) >= 4 and not line.startswith("#"):
                result[fields[2], re.sub(r"^\[[k.]\] ", "", fields[3])] += int(fields[1])
        return result


def profile(side: Side, sql: str, runs: int, top: int) -> str:
    side.run(sql)
    with tempfile.TemporaryDirectory(prefix="duckherder-profile-") as name:
        perf = Perf(side.pids, Path(name))
        try:
            perf.enable()
            pages = sum(map(faulted_pages, side.pids))
            measured = [side.run(sql) for _ in range(runs)]
            pages = sum(map(faulted_pages, side.pids)) - pages
        finally:
            samples = perf.end()
    total = max(1, sum(samples.values()))
    parts: dict[str, int] = defaultdict(int)
    for (library, symbol), count in samples.items():
        parts[part_of(library, symbol)] += count
    wall, cpu = (sum(values) / runs for values in zip(*((run.seconds, run.cpu_seconds) for run in measured)))
    lines = [f"{side.name}: {wall:.3f} s, CPU {cpu:.3f} s, {pages // runs:,} pages faulted, in the mean of {runs} runs"]
    lines += [f"  {parts[part] / total:6.1%}  {cpu * parts[part] / total:7.3f} s  {part}" for part, _, _ in PARTS]
    lines.append("")
    ordered = sorted(samples.items(), key=lambda item: -item[1])[:top]
    lines += [f"  {count / total:6.1%}  {library:<28.28} {symbol:.110}" for (library, symbol), count in ordered]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("query", help="a number of the suite, or SQL over its tables")
    parser.add_argument("--suite", choices=tuple(SUITES), default="tpch")
    parser.add_argument("--scale", "--sf", type=float, default=10.0, help=SCALE_HELP)
    parser.add_argument("--tables", choices=("parquet", "native"), default="parquet")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of one thread (2)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--embedded", action="store_true", help="workers in the session's process instead")
    parser.add_argument("--top", type=int, default=25, help="so many symbols (25)")
    options = parser.parse_args()
    if not shutil.which("perf"):
        parser.error("perf is not installed: it is in Debian's package linux-perf")
    suite = SUITES[options.suite]
    data = suite.parquet_directory(options.scale, ROOT / "build" / "bench-data")
    sql = suite.names(options.scale)[f"Q{options.query}"] if options.query.isdigit() else options.query
    with contextlib.ExitStack() as stack:
        sides = start_sides(stack, options.workers, embedded=options.embedded)
        for side in sides:
            suite.create_sources(side, data, "TABLE" if options.tables == "native" else "VIEW")
            print(profile(side, sql, options.runs, options.top), end="\n\n", flush=True)
        numbers = last_statistics(sides[1], sql)
        print(f"{numbers.get('execution_mode')} {numbers.get('local_reason') or ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the loss of a worker costs: one of three is killed in the middle of a TPC-H query.

usage: lost_work.py [--scale 10] [--query 9] [--runs 3]

Prints CPU seconds of all workers (of the killed one until its end), undisturbed and with the loss in each kind of
stage, and their ratio. Ends with 1 if rows differ from plain DuckDB's or a ratio is above 1.6.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chaos.matrix import STAGES, Query, check_rows, prepare, settings_of  # noqa: E402
from chaos.nodes import Environment, Nodes  # noqa: E402
from support import paths, tpch  # noqa: E402
from support.cluster import use_new_token  # noqa: E402

RATIO_MAX = 1.6
LIMIT_SECONDS = 600


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(query: Query, stage: str | None, data: Path, directory: Path) -> float:
    directory.mkdir()
    environment = Environment()
    with Nodes(directory, environment, query.points[stage] if stage else None, paths.FAULTY_WORKER) as nodes:
        begin = {name: cpu_seconds(worker.pid) for name, worker in nodes.workers.items()}
        used = 0.0
        nodes.start_client(query.sql, data, settings_of(environment, 3))
        victim = None
        if stage:
            victim = nodes.wait_reached()
            used += cpu_seconds(nodes.workers[victim].pid) - begin[victim]
            nodes.workers[victim].kill()
            nodes.go()
        answer = nodes.answer(LIMIT_SECONDS)
        check_rows(answer, query.expected)
        for name, worker in nodes.workers.items():
            if name != victim:
                used += cpu_seconds(worker.pid) - begin[name]
        return used


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--scale", type=float, default=10)
    arguments.add_argument("--query", type=int, default=9)
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="duckherder-chaos-") as name:
        base = Path(name)
        use_new_token(base)
        data = tpch.parquet_directory(chosen.scale, paths.ROOT / "build" / "bench-data")
        query = prepare(chosen.query, data, Environment(), base / "undisturbed", LIMIT_SECONDS)
        normal = 0.0
        print("| killed in | CPU seconds | over undisturbed |\n|---|---:|---:|")
        for stage in (None, *STAGES):
            used = statistics.median(run(query, stage, data, base / f"{stage}-{number}")
                                     for number in range(chosen.runs))
            normal = normal or used
            worst = max(worst, used / normal)
            print(f"| {stage or '(undisturbed)'} | {used:.1f} | {used / normal:.2f} |", flush=True)
    return 1 if worst > RATIO_MAX else 0


if __name__ == "__main__":
    sys.exit(main())

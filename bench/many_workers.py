#!/usr/bin/env python3
"""TPC-H with few and with many worker processes: what each node has open and keeps, and what goes over the network
beside the rows. Wall times mean nothing here, as all processes share this machine."""

import argparse
import contextlib
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]

import report  # noqa: E402
from measuring import compare, last_statistics  # noqa: E402
from sides import Side, start_plain, start_session  # noqa: E402
from support.suites import SUITES, numbers  # noqa: E402

SUITE = SUITES["tpch"]
ESTABLISHED = "01"
HEAD = ("| workers | queries equal | stages | tasks | bytes exchanged | bytes on the network "
        "| CPU s of the session | CPU s of the workers | connections of the session | of a worker, most "
        "| MB of the session | MB of a worker, median | most |")


def network_bytes() -> int:
    """Sent over the loopback device, headers included."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers_of = line.partition(":")
        if name.strip() == "lo":
            return int(numbers_of.split()[8])
    raise RuntimeError("no loopback device")


def connections() -> dict[int, int]:
    """Established ones of each process that /proc shows, by pid."""
    sockets = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == ESTABLISHED:
                sockets.add(f"socket:[{words[9]}]")
    result = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            links = [str(entry.readlink()) for entry in (directory / "fd").iterdir()]
            result[int(directory.name)] = sum(link in sockets for link in links)
    return result


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


#: One shuffle of many small groups, which are not in place
SHUFFLE = "SELECT count(*), max(n) FROM (SELECT l_partkey, l_suppkey, count(*) AS n FROM lineitem GROUP BY ALL)"
SHUFFLE_HEAD = ("| workers | tasks that write | tasks that read | outputs read | CPU s | bytes exchanged "
                "| bytes on the network |")


def shuffle_row(ours: Side, workers: int) -> str:
    """Of what one shuffle costs by the number of its outputs; medians of three runs."""
    ours.run(SHUFFLE)
    cpu, sent = [], []
    for _ in range(3):
        before = network_bytes()
        cpu.append(ours.run(SHUFFLE).cpu_seconds)
        sent.append(network_bytes() - before)
    last = last_statistics(ours, SHUFFLE)
    tasks = [count for _, count in ours.result("SELECT stage_id, count(*) FROM duckherder_tasks() WHERE query_id = "
                                               f"'{last['query_id']}' GROUP BY stage_id ORDER BY stage_id").rows]
    network = statistics.median(sent)
    cells = [str(workers), str(tasks[0]), str(tasks[1]), f"{tasks[0] * tasks[1]:,}", f"{statistics.median(cpu):.2f}",
             f"{last['bytes_exchanged']:,}", f"{network:,.0f}"]
    return "| " + " | ".join(cells) + " |"


@dataclass
class Totals:
    """Of all queries with so many workers"""
    workers: int
    shuffle: str = ""
    equal: int = 0
    stages: int = 0
    tasks: int = 0
    exchanged: int = 0
    network: int = 0
    session_cpu: float = 0
    workers_cpu: float = 0
    open: list[int] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def row(self, queries: int) -> str:
        workers = sorted(self.memory[1:])
        cells = [str(self.workers), f"{self.equal} of {queries}", str(self.stages), str(self.tasks),
                 f"{self.exchanged:,}", f"{self.network:,}", f"{self.session_cpu:.1f}", f"{self.workers_cpu:.1f}",
                 str(self.open[0]), str(max(self.open[1:])), f"{self.memory[0]:.0f}",
                 f"{statistics.median(workers):.0f}", f"{workers[-1]:.0f}"]
        return "| " + " | ".join(cells) + " |"


def measure(plain: Side, workers: int, options: argparse.Namespace) -> Totals:
    totals = Totals(workers)
    data = SUITE.parquet_directory(options.scale, ROOT / "build" / "bench-data")
    with contextlib.ExitStack() as stack:
        ours = start_session(stack, workers, worker_options=["--memory-limit", f"{options.memory}MB"])
        SUITE.create_sources(ours, data, "VIEW")
        ours.execute("SET duckherder_mode = 'always'")
        for name, sql in SUITE.names(options.scale).items():
            # each node has its connections, and has seen the files
            ours.run(sql)
            before = network_bytes()
            run = ours.run(sql)
            totals.network += network_bytes() - before
            totals.session_cpu += run.cpu_seconds - run.helper_cpu_seconds
            totals.workers_cpu += run.helper_cpu_seconds
            last = last_statistics(ours, sql)
            totals.stages += last["num_stages"]
            totals.tasks += last["num_tasks_generated"]
            totals.exchanged += last["bytes_exchanged"]
            problem = compare(plain, ours, sql, SUITE.comparable)
            totals.equal += not problem
            report.say(f"{workers} workers, {name}: {last['num_tasks_generated']} tasks, {problem or 'equal'}")
        totals.shuffle = shuffle_row(ours, workers)
        opened = connections()
        totals.open = [opened[pid] for pid in ours.pids]
        totals.memory = [resident_mb(pid) for pid in ours.pids]
    return totals


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", "--sf", type=float, default=1.0, help="of TPC-H (1)")
    parser.add_argument("--workers", default="2,8,32,64", help="numbers of workers (2,8,32,64)")
    parser.add_argument("--memory", type=int, default=250, help="--memory-limit of each worker, in MB (250)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    queries = SUITE.names(options.scale)
    lines, shuffles = ([head, "|" + "---:|" * (head.count("|") - 1)] for head in (HEAD, SHUFFLE_HEAD))
    equal = True
    with contextlib.ExitStack() as stack:
        plain = start_plain(stack, 2)
        SUITE.create_sources(plain, SUITE.parquet_directory(options.scale, ROOT / "build" / "bench-data"), "VIEW")
        for workers in numbers(options.workers):
            totals = measure(plain, workers, options)
            equal = equal and totals.equal == len(queries)
            lines.append(totals.row(len(queries)))
            shuffles.append(totals.shuffle)
            report.say(lines[-1])
    sources = "many worker processes"
    table = "\n".join(lines)
    shuffle = "\n".join(shuffles)
    text = f"""{report.title(SUITE.data(options.scale), sources)}

All 22 queries, one after another, mode `always`, workers of one thread and {options.memory} MB. Sums over the queries;
the second run of each. Connections and memory are those after the last query.

{table}

One shuffle, `{SHUFFLE}`, medians of three runs:

{shuffle}

{report.origin()}
"""
    print(text)
    if options.write:
        report.write(SUITE.data(options.scale), sources, text)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())

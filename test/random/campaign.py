"""Rounds of random queries: one schema and some queries on it per round, each determined by the seed."""

import re
import shutil
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from lab import BOTH_FAILED, CRASH, HANG, PLAIN_CRASH, SAME, STUCK, Outcome, Setup
from queries import Case, Queries
from runner import Runner, SetupFailed
from schema import Schema, make_schema
from shrink import Finding, Shrinker, signature
from sqltree import statement
from support import faults
from support.cluster import Cluster

QUERIES_PER_ROUND = 40
SHRINK_SECONDS = 60.0
#: What a query with faults may end with: docs/operations.md, "When something fails"
EXCUSED = (faults.USED, "would not make the same rows again", "cannot be read again for a retry")
#: Counted apart: an empty table or a condition that is always false leaves nothing that workers could read
NO_SCAN_REASON, NO_SCAN = "the optimizer left no scan in the plan", "no scan"
#: Of these kinds of problems only so many are shrunk
SHRUNK_PER_SIGNATURE = 3


@dataclass(frozen=True)
class Options:
    seed: int = 1
    queries: int = 10**9
    seconds: float = 60.0
    #: 0: another number each round
    workers: int = 0
    processes: bool = False
    #: Of the attempts and reads at worker processes something happens to so many percent
    faults: int = 0
    only: str | None = None
    shrink: bool = True
    ignore: tuple[str, ...] = ()
    keep: Path | None = None
    verbose: bool = False
    queries_per_round: int = QUERIES_PER_ROUND


class Campaign:
    def __init__(self, options: Options, directory: Path):
        self.options = options
        self.findings: list[Finding] = []
        self.outcomes: Counter[str] = Counter()
        self.modes: Counter[tuple[str, str]] = Counter()
        self.features: Counter[tuple[str, str]] = Counter()
        self.reasons: Counter[str] = Counter()
        self.retries = 0
        self.errors: Counter[str] = Counter()
        self._signatures: Counter[str] = Counter()
        self._directory = directory
        self._runner = Runner(directory / "labs.log")
        self._cluster: Cluster | None = None
        self._begin = time.monotonic()
        self._asked = 0

    def run(self) -> None:
        self._begin = time.monotonic()
        only_round, _, only_query = (self.options.only or "").partition("/")
        number = int(only_round or 0)
        while not self._done():
            self._round(number, int(only_query) if only_query else None)
            if only_round:
                return
            number += 1

    def _done(self) -> bool:
        return self._asked >= self.options.queries or time.monotonic() - self._begin >= self.options.seconds

    def close(self) -> None:
        self._runner.close()
        if self._cluster:
            self._cluster.__exit__()
            self._cluster = None

    def _locations(self, workers: int) -> tuple[str, ...]:
        if not self.options.processes:
            return ()
        if self._cluster and not all(node.alive for node in self._cluster.workers.values()):
            self._cluster.__exit__()
            self._cluster = None
        if not self._cluster:
            directory = self._directory / "cluster"
            directory.mkdir(exist_ok=True)
            variables = faults.variables(self.options.seed, self.options.faults) if self.options.faults else None
            self._cluster = Cluster(directory, self.options.workers or 3, faults=variables).__enter__()
        return tuple(node.location for node in self._cluster.workers.values())[:workers]

    def _round(self, number: int, only_query: int | None) -> None:
        rng = Random(f"{self.options.seed}/{number}")
        schema = make_schema(rng)
        workers = self.options.workers or rng.choice((1, 2, 3) if self.options.processes else (1, 2, 3, 5))
        directory = self._directory / f"round-{number}"
        try:
            prepared = False
            for query in range(self.options.queries_per_round):
                if only_query is not None and query != only_query:
                    continue
                if self._done():
                    return
                if not prepared or not self._runner.alive:
                    self._runner.setup(Setup(schema, directory, workers, self._locations(workers)))
                    prepared = True
                self._query(f"{number}/{query}", schema, workers)
        except SetupFailed as error:
            print(f"round {number} of seed {self.options.seed} cannot be set up: {error}", flush=True)
            self.outcomes["no setup"] += 1
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _query(self, name: str, schema: Schema, workers: int) -> None:
        rng = Random(f"{self.options.seed}/{name}")
        case = Queries(rng, schema).case()
        settings = (f"SET duckherder_tasks_per_worker = {rng.choice((1, 2, 4, 4, 7))}",
                    f"SET duckherder_broadcast_limit = {rng.choice((0, 0, 1000, 67108864))}",
                    f"SET duckherder_dynamic_filters = {rng.choice(('true', 'true', 'true', 'false'))}",
                    f"SET duckherder_min_task_bytes = {rng.choice((1, 1, 1, 5000, 1048576))}")
        if self.options.faults:
            settings += (f"SET duckherder_task_retries = {faults.RETRIES}",)
        if self.options.verbose:
            print(f"{name}: {statement(case.sql)}", flush=True)
        finding = Finding(schema, case.sql, case.ordered, settings, workers, self._locations(workers), Outcome(SAME))
        outcome = self._runner.ask(finding.question())
        if self._cluster:
            for worker, node in self._cluster.workers.items():
                if not node.alive:
                    outcome = Outcome(CRASH, f"{worker} has ended: {node.log()[-500:]}")
        if outcome.status == CRASH and not self._cluster and self._plain_crashes(finding):
            outcome = Outcome(PLAIN_CRASH, outcome.detail)
        self._asked += 1
        self._count(case, outcome)
        if self.options.verbose:
            print(f"    {outcome.status}, {outcome.mode} {outcome.reason}, {outcome.seconds:.3f} s, plain "
                  f"{outcome.plain_seconds:.3f} s {outcome.detail}", flush=True)
        ignored = [*self.options.ignore, *self._excused(schema)]
        if outcome.is_problem and not any(re.search(each, outcome.detail) for each in ignored):
            self._report(name, Finding(schema, case.sql, case.ordered, settings, workers, finding.locations, outcome))

    def _excused(self, schema: Schema) -> tuple[str, ...]:
        if not self.options.faults:
            return ()
        # tasks that are fed from CSV files have one attempt
        fed = any(table.storage == "csv" for table in schema.tables)
        return (*EXCUSED, *(("IO Error: a fault: ",) if fed else ()))

    def _plain_crashes(self, finding: Finding) -> bool:
        """Plain DuckDB and the session with workers share a process: whose crash was it?"""
        try:
            self._runner.setup(Setup(finding.schema, self._directory / "plain", finding.workers))
            outcome = self._runner.ask(replace(finding.question(), only_plain=True))
        finally:
            self._runner.stop()
            shutil.rmtree(self._directory / "plain", ignore_errors=True)
        return outcome.status == CRASH

    def _count(self, case: Case, outcome: Outcome) -> None:
        self.outcomes[outcome.status] += 1
        self.retries += outcome.retries
        mode = NO_SCAN if outcome.reason == NO_SCAN_REASON else outcome.mode or "not recorded"
        if outcome.status == SAME:
            self.modes[case.shape, mode] += 1
            for feature in case.features:
                self.features[feature, mode] += 1
            if outcome.reason:
                self.reasons[re.sub(r"'[^']*'|\d+", "#", outcome.reason)[:100]] += 1
        elif outcome.status == BOTH_FAILED:
            self.errors[re.sub(r"\"[^\"]*\"|'[^']*'|[\d.]+", "#", outcome.detail)[:90]] += 1

    def _report(self, name: str, finding: Finding) -> None:
        mark = signature(finding.outcome)
        self._signatures[mark] += 1
        if self.options.shrink and self._signatures[mark] <= SHRUNK_PER_SIGNATURE:
            in_processes = finding.outcome.status in (HANG, STUCK, CRASH) and finding.locations
            if not in_processes:
                shrinker = Shrinker(self._runner, self._directory / f"shrink-{len(self.findings)}", SHRINK_SECONDS)
                finding = shrinker.shrink(finding)
                # The shrinker's tables are not those of the round
                self._runner.stop()
        self.findings.append(finding)
        text = (f"-- {finding.outcome.status}: {self._command(name)}\n"
                + "".join(f"-- {line}\n" for line in finding.outcome.detail.splitlines()) + finding.script())
        print(text, flush=True)
        if self.options.keep:
            self.options.keep.mkdir(parents=True, exist_ok=True)
            (self.options.keep / f"{self.options.seed}-{name.replace('/', '-')}.sql").write_text(text)

    def _command(self, name: str) -> str:
        """Runs the query again."""
        return (f"build/deps/venv/bin/python test/random/run.py --seed {self.options.seed} --only {name}"
                + (f" --workers {self.options.workers}" if self.options.workers else "")
                + (" --processes" if self.options.processes else "")
                + (f" --faults {self.options.faults}" if self.options.faults else ""))

    def distributed_share(self) -> float:
        """Of the queries that have equal answers and whose plan reads something."""
        total = sum(count for (_, mode), count in self.modes.items() if mode != NO_SCAN)
        return sum(count for (_, mode), count in self.modes.items() if mode == "DISTRIBUTED") / max(total, 1)

    def summary(self) -> str:
        lines = [f"{self._asked} queries in {time.monotonic() - self._begin:.0f} s, "
                 f"{100 * self.distributed_share():.1f} % of the equal ones that scan DISTRIBUTED"
                 + (f", {self.retries} retries" if self.retries else "")]
        lines += [f"  {count:6} {status}" for status, count in self.outcomes.most_common()]
        for title, counts in (("shape", self.modes), ("feature", self.features)):
            modes = sorted({mode for _, mode in counts})
            lines.append(f"{title:36}" + "".join(f"{mode:>14}" for mode in modes))
            lines += [f"{key:36}" + "".join(f"{counts[key, mode]:14}" for mode in modes)
                      for key in sorted({key for key, _ in counts})]
        lines += ["reasons"] + [f"  {count:6} {reason}" for reason, count in self.reasons.most_common(25)]
        lines += ["errors of both"] + [f"  {count:6} {error}" for error, count in self.errors.most_common(25)]
        return "\n".join(lines)

"""Many clients at once for a long time, while workers are killed and others join.

usage: soak.py [--clients 16] [--minutes 20 | --queries N] [--workers 3] [--cancel N] [--record FILE] ...

Each client is a process with a session. Each query has to end within its limit with the rows of plain DuckDB, perhaps
after it was queued; or be refused by the driver; or end with the error that plain DuckDB has; or, if it was cancelled,
as interrupted; or, if a worker was killed meanwhile, with an error that names a worker. Memory of all processes has to
be flat, and nothing may be left at the end. Ends with 1 if anything of that does not hold.

--cancel N: N queries, all of them cancelled: interrupted, killed by duckherder_kill, their results closed early, their
session killed. No worker is killed then.
"""

import argparse
import collections
import itertools
import re
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chaos.sampling import Sampler  # noqa: E402
from chaos.soak_mix import Item, Mix, save, write_csv  # noqa: E402
from chaos.soak_nodes import LEASE_SECONDS, ClientProcess, SoakCluster, Stuck, stacks  # noqa: E402
from support import tpch  # noqa: E402
from support.cluster import use_new_token  # noqa: E402
from support.waiting import PATIENCE  # noqa: E402

REFUSED = re.compile(r"Too many queries: \d+ run and \d+ wait|The query has waited for \d+ ms while \d+ others ran")
#: Errors of the place, as users get them; an InternalException is none of them
PLACE_ERRORS = ("IOException", "ConnectionException", "OutOfMemoryException")
#: A worker that died so long ago may still be the reason
KILL_MARGIN_SECONDS = 15
REFUSED_WAIT_SECONDS = 0.5
#: A query that takes longer, queue and all, is stuck
LIMIT_SECONDS = 120 * PATIENCE


class Soak:
    def __init__(self, options: argparse.Namespace, directory: Path):
        self.options, self.directory = options, directory
        self.sampler = Sampler()
        self.outcomes: collections.Counter[tuple[str, str]] = collections.Counter()
        self.problems: list[str] = []
        self.retries = 0
        self.slowest = 0.0
        self.done = 0
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        scales = [float(scale) for scale in options.scales.split(",")]
        self.scales = {f"sf{str(scale).replace('.', '_')}": tpch.parquet_directory(scale) for scale in scales}
        self.mix = Mix(list(self.scales), options.seed, options.cancel > 0)
        csv = write_csv(directory / "numbers.csv")
        self.expected = self.mix.compute(self.scales, csv)
        self.mix_file = save(directory / "mix", self.scales, csv, self.expected)

    def run(self) -> None:
        limits = ["--max-queries", str(self.options.max_queries), "--max-queued", str(self.options.max_queued)]
        with SoakCluster(self.directory, self.options.workers, self.sampler, limits, self.options.seed) as nodes:
            self.nodes = nodes
            try:
                self._warm_up()
                self._disturb_and_run()
                self._check_end()
            except Stuck as error:
                self._fail(str(error))
                for name, pid in nodes.nodes().items():
                    (self.directory / f"{name}.stacks").write_text(stacks(pid))
            finally:
                self.sampler.stop()

    def _client(self, name: str) -> ClientProcess:
        settings = {"duckherder_mode": "always"}
        client = ClientProcess(name, self.nodes.address, self.mix_file, settings, self.directory)
        self.sampler.watch(name, client.process.pid)
        return client

    def _warm_up(self) -> None:
        """Each query once, then several at a time; afterwards memory and open files are what they are at rest."""
        clients = [self._client(f"warm-up-{number}") for number in range(min(4, self.options.clients))]
        threads = [threading.Thread(target=self._warm_up_client, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.nodes.wait_clean(20)
        self.nodes.take_baseline()
        self.outcomes.clear()
        self.done, self.retries, self.slowest = 0, 0, 0.0
        print(f"warm after {time.monotonic() - self.sampler.begin:.0f} s", flush=True)
        self.sampler.forget_past()

    def _warm_up_client(self, client: ClientProcess) -> None:
        for item in self.mix.each():
            client.tell(item, next(self._numbers))
            self._judge(item, client.answer(LIMIT_SECONDS), time.monotonic())
        self.sampler.forget(client.process.pid)
        client.end()

    def _disturb_and_run(self) -> None:
        clients = [threading.Thread(target=self._run_client, args=(number,)) for number in range(self.options.clients)]
        begin = time.monotonic()
        for client in clients:
            client.start()
        disturbances = iter(self._disturbances())
        at, disturb = next(disturbances, (None, None))
        while any(client.is_alive() for client in clients):
            self.stop.wait(0.2)
            share = self._share(begin)
            if share >= 1:
                self.stop.set()
            elif at is not None and disturb and share >= at:
                disturb()
                print(f"{self.nodes.events[-1]}; {self.done} queries, {len(self.problems)} problems", flush=True)
                at, disturb = next(disturbances, (None, None))
            if self.stop.is_set():
                for client in clients:
                    client.join()
        self.seconds = time.monotonic() - begin

    def _share(self, begin: float) -> float:
        """Of the soak, that is over."""
        wanted = self.options.cancel or self.options.queries
        return self.done / wanted if wanted else (time.monotonic() - begin) / 60 / self.options.minutes

    def _disturbances(self):
        if self.options.cancel:
            return
        pairs = 1 if self.options.queries else max(1, int(self.options.minutes * 60 / self.options.disturb_seconds))
        for number in range(pairs):
            yield (number + 1 / 3) / pairs, self.nodes.kill_one
            yield (number + 2 / 3) / pairs, self.nodes.join_one

    def _run_client(self, number: int) -> None:
        #: So that most clients live from the beginning to the end
        may_disconnect = number >= self.options.clients * 3 // 4
        client = self._client(f"client-{number}")
        try:
            while not self.stop.is_set():
                with self._lock:
                    item = self.mix.next(may_disconnect and not self._nearly_done())
                if item.kind == "disconnect":
                    client = self._disconnect(client, item)
                    continue
                begin = time.monotonic()
                client.tell(item, next(self._numbers))
                if self._judge(item, client.answer(LIMIT_SECONDS), begin) == "refused":
                    # it was told to try again later
                    self.stop.wait(REFUSED_WAIT_SECONDS)
            self.sampler.forget(client.process.pid)
            if code := client.end():
                self._fail(f"{client.name} ended with {code}")
        except Stuck as error:
            (self.directory / f"{client.name}.stacks").write_text(stacks(client.process.pid))
            self._fail(f"{error}: {item}")
            self.stop.set()
        except Exception as error:  # noqa: BLE001 a client that fell is a result
            self._fail(f"{client.name}: {error!r}: {item}")
            self.stop.set()

    def _nearly_done(self) -> bool:
        """What a killed session leaves is kept for its lease; the last ones end otherwise."""
        return self.options.cancel > 0 and self.done > self.options.cancel * 0.95

    def _disconnect(self, client: ClientProcess, item: Item) -> ClientProcess:
        client.tell(item, next(self._numbers))
        self.sampler.forget(client.process.pid)
        client.kill_after(item.delay)
        with self._lock:
            self.outcomes[item.kind, "session killed"] += 1
            self.done += 1
        return self._client(client.name)

    def _fail(self, problem: str) -> None:
        with self._lock:
            self.problems.append(problem)
        print(f"PROBLEM: {problem}", flush=True)

    def _judge(self, item: Item, answer: dict, begin: float) -> str:
        outcome = self._outcome(item, answer, begin)
        with self._lock:
            self.outcomes[item.kind if item.kind != "run" or not self._is_wrong(item) else "user error", outcome] += 1
            self.done += 1
            self.retries += answer["retries"]
            self.slowest = max(self.slowest, answer["seconds"])
        if outcome == "FAILED":
            self._fail(f"{item.kind} {item.schema} {item.name}: {answer}")
        return outcome

    def _is_wrong(self, item: Item) -> bool:
        expected = self.expected.get((item.schema, item.name))
        return expected is not None and expected.error_class is not None

    def _outcome(self, item: Item, answer: dict, begin: float) -> str:
        if answer["outcome"] == "closed":
            return "closed early"
        if answer["outcome"] == "rows":
            # a cancelled one may have had no time to be planned
            planned = answer["execution_mode"] == "DISTRIBUTED"
            return "right rows" if planned or item.kind != "run" else "FAILED"
        if answer["outcome"] == "wrong":
            return "FAILED"
        message, error_class = answer["message"], answer["class"]
        if item.kind in ("interrupt", "kill") and error_class == "InterruptException":
            return "cancelled"
        expected = self.expected.get((item.schema, item.name))
        if expected and error_class == expected.error_class and "worker" in message:
            return "user's error"
        if error_class == "ConnectionException" and REFUSED.search(message):
            return "refused"
        if error_class in PLACE_ERRORS and "worker" in message.lower() \
                and self.nodes.killed_since(begin, KILL_MARGIN_SECONDS):
            return "lost worker"
        return "FAILED"

    def _check_end(self) -> None:
        for problem in self.nodes.crashed():
            self._fail(f"{problem} has ended")
        try:
            # of sessions that were killed shortly before the end, outputs stay for their lease
            lease = 0 if self.options.cancel else LEASE_SECONDS
            seconds = self.nodes.wait_clean(lease + self.options.clean_seconds)
            print(f"clean {seconds:.1f} s after the last query", flush=True)
        except AssertionError as error:
            self._fail(str(error))
        self.idle = self.nodes.idle_row()
        if self.options.cancel:
            for problem in self.nodes.memory_problems():
                self._fail(problem)
        for problem in self.nodes.files_left():
            self._fail(f"left behind: {problem}")
        for problem in self.sampler.problems():
            self._fail(problem)

    def report(self) -> str:
        lines = ["| query | outcome | times |", "|---|---|---:|"]
        lines += [f"| {kind} | {outcome} | {count} |" for (kind, outcome), count in sorted(self.outcomes.items())]
        summary = (f"{self.done} queries in {self.seconds:.0f} s, {self.retries} retries, the slowest took "
                   f"{self.slowest:.1f} s, {len(self.problems)} problems")
        idle = ["| at rest | MB before | MB after | fds before | after | threads before | after |",
                "|---|---:|---:|---:|---:|---:|---:|", *getattr(self, "idle", [])]
        return "\n\n".join([summary, "\n".join(lines), "\n".join(self.nodes.events) or "no worker was killed",
                            self.sampler.table(), "\n".join(idle)])


def parse() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--clients", type=int, default=16)
    arguments.add_argument("--minutes", type=float, default=20)
    arguments.add_argument("--queries", type=int, default=0, help="instead of a time")
    arguments.add_argument("--cancel", type=int, default=0, help="only queries that are cancelled, so many")
    arguments.add_argument("--workers", type=int, default=3)
    arguments.add_argument("--scales", default="0.1,1", help="the first for most queries, the last for some")
    arguments.add_argument("--max-queries", type=int, default=8)
    arguments.add_argument("--max-queued", type=int, default=7)
    arguments.add_argument("--disturb-seconds", type=float, default=150, help="from one killed worker to the next")
    arguments.add_argument("--clean-seconds", type=float, default=2, help="then nothing may be left")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--record", type=Path)
    return arguments.parse_args()


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="duckherder-soak-") as name:
        directory = options.record.with_suffix(".logs") if options.record else Path(name)
        directory.mkdir(exist_ok=True)
        use_new_token(directory)
        soak = Soak(options, directory)
        # it ends early, with what it has found so far
        signal.signal(signal.SIGTERM, lambda *_: soak.stop.set())
        soak.run()
        report = soak.report()
    print(report)
    if options.record:
        options.record.write_text(report + "\n")
    print(f"{soak.done} queries, {len(soak.problems)} problems")
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())

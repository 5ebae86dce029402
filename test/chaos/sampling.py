"""Memory, open files and threads of processes over time, and whether they stay what they are."""

import os
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: Memory is flat if the median of the last quarter is at most so much above that of the second one
GROWTH_FACTOR = 1.15
GROWTH_MB = 50.0
#: A process that was seen for a shorter time says nothing about growth
JUDGED_SECONDS_MIN = 120


@dataclass
class Sample:
    seconds: float
    rss_mb: float
    fds: int
    threads: int


def sample(pid: int, since: float) -> Sample | None:
    """None if the process is gone."""
    process = Path(f"/proc/{pid}")
    try:
        pages = int((process / "statm").read_text().split()[1])
        threads = len(list((process / "task").iterdir()))
        fds = len(list((process / "fd").iterdir()))
    except OSError:
        return None
    return Sample(time.monotonic() - since, pages * PAGE_BYTES / (1 << 20), fds, threads)


@dataclass
class Series:
    """One process."""
    name: str
    pid: int
    samples: list[Sample] = field(default_factory=list)

    def quarter(self, number: int) -> float:
        """Median memory in MB; 0 is the first one."""
        count = len(self.samples)
        part = self.samples[count * number // 4:count * (number + 1) // 4] or self.samples
        return statistics.median(sample.rss_mb for sample in part)

    @property
    def judged(self) -> bool:
        return self.samples[-1].seconds - self.samples[0].seconds >= JUDGED_SECONDS_MIN if self.samples else False

    @property
    def flat(self) -> bool:
        return self.quarter(3) <= self.quarter(1) * GROWTH_FACTOR + GROWTH_MB

    def row(self) -> str:
        verdict = "" if not self.judged else "yes" if self.flat else "NO"
        last = self.samples[-1]
        memory = " | ".join(f"{self.quarter(number):.0f}" for number in range(4))
        peak = max(sample.rss_mb for sample in self.samples)
        threads = max(sample.threads for sample in self.samples)
        fds = max(sample.fds for sample in self.samples)
        return (f"| {self.name} | {self.samples[0].seconds:.0f} to {last.seconds:.0f} | {memory} | {peak:.0f} "
                f"| {verdict} | {fds} | {threads} |")


class Sampler:
    """Looks at processes now and then, on a thread of its own, until `stop`."""

    def __init__(self, interval: float = 1.0):
        self.begin = time.monotonic()
        self.series: list[Series] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._interval = interval
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def watch(self, name: str, pid: int) -> None:
        with self._lock:
            self.series.append(Series(name, pid))

    def forget(self, pid: int) -> None:
        """It ends now, and its number may become another's."""
        with self._lock:
            for series in self.series:
                if series.pid == pid:
                    series.pid = 0

    def forget_past(self) -> None:
        """What was before does not count."""
        with self._lock:
            self.series = [series for series in self.series if series.pid]
            for series in self.series:
                series.samples.clear()
            self.begin = time.monotonic()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            with self._lock:
                for series in self.series:
                    seen = sample(series.pid, self.begin) if series.pid else None
                    if seen:
                        series.samples.append(seen)

    def table(self) -> str:
        lines = ["| process | seen, s | MB, 1st quarter | 2nd | 3rd | 4th | peak | flat | fds | threads |",
                 "|---|---|---:|---:|---:|---:|---:|---|---:|---:|"]
        return "\n".join(lines + [series.row() for series in self.series if series.samples])

    def problems(self) -> list[str]:
        return [f"the memory of {series.name} grows from {series.quarter(1):.0f} to {series.quarter(3):.0f} MB"
                for series in self.series if series.judged and not series.flat]

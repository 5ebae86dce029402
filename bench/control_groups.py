"""Control groups that give processes a share of a core: a machine with few cores then stands for many slow nodes."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from support.waiting import wait_until

REMOVE_TIMEOUT_SECONDS = 5
PERIOD_MICROSECONDS = 10_000
#: The kernel takes no quota below a millisecond
SMALLEST_SHARE = 1_000 / PERIOD_MICROSECONDS


class Unavailable(Exception):
    """What is missing for control groups here."""


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise Unavailable(f"{path} does not take '{text}': {error.strerror}") from error


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


class _Version1:
    def __init__(self, root: Path):
        self.root = root

    def prepare(self, parent: Path) -> None:
        """Nothing has to be said before groups below it can have quotas."""

    def set_quota(self, group: Path, microseconds: int | None) -> None:
        _write(group / "cpu.cfs_period_us", str(PERIOD_MICROSECONDS))
        _write(group / "cpu.cfs_quota_us", str(microseconds or -1))

    def close(self) -> None:
        pass


class _Version2:
    def __init__(self, root: Path):
        self.root = root
        self._enabled_at_root = False

    def prepare(self, parent: Path) -> None:
        """Groups have quotas only where the group above them says so, from the root down."""
        self._enabled_at_root = self._enable(self.root)
        self._enable(parent)

    @staticmethod
    def _enable(group: Path) -> bool:
        control = group / "cgroup.subtree_control"
        if "cpu" in control.read_text().split():
            return False
        _write(control, "+cpu")
        return True

    def set_quota(self, group: Path, microseconds: int | None) -> None:
        _write(group / "cpu.max", f"{microseconds or 'max'} {PERIOD_MICROSECONDS}")

    def close(self) -> None:
        if self._enabled_at_root:
            _write(self.root / "cgroup.subtree_control", "-cpu")


def find_hierarchy(mounts: str) -> _Version1 | _Version2:
    """The mounted one that has the cpu controller; `mounts`: as in /proc/self/mounts."""
    for line in mounts.splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return _Version1(Path(place))
        if kind == "cgroup2" and "cpu" in (Path(place) / "cgroup.controllers").read_text().split():
            return _Version2(Path(place))
    raise Unavailable("no hierarchy of control groups with the cpu controller is mounted, of version 1 or 2")


class ControlGroups:
    """Use as a context manager, around the processes: a group is removed when those in it have ended."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise Unavailable("only root may make them")
        self._hierarchy = find_hierarchy(Path("/proc/self/mounts").read_text())
        self._parent = self._hierarchy.root / f"duckherder-bench-{os.getpid()}"
        self._groups: list[Path] = []

    def __enter__(self) -> "ControlGroups":
        try:
            self._parent.mkdir()
        except OSError as error:
            raise Unavailable(f"{self._parent} cannot be made: {error.strerror}") from error
        try:
            self._hierarchy.prepare(self._parent)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for group in (*self._groups, self._parent):
            # The kernel may take a moment to see that a process has ended
            wait_until(lambda: _removed(group), REMOVE_TIMEOUT_SECONDS,
                       lambda: f"{group} still has processes: {(group / 'cgroup.procs').read_text().split()}")
        self._hierarchy.close()

    @contextlib.contextmanager
    def limits(self, shares: dict[int, float]) -> Iterator[None]:
        """Each process, by its pid, gets a group of its own with a share of a core. At the end the processes stay there
        without a limit, and so end as fast as they can."""
        mine: list[Path] = []
        try:
            for pid, share in shares.items():
                group = self._parent / str(len(self._groups))
                # First, so that an interruption in between does not leave it behind
                self._groups.append(group)
                group.mkdir()
                mine.append(group)
                self._hierarchy.set_quota(group, round(share * PERIOD_MICROSECONDS))
                _write(group / "cgroup.procs", str(pid))
            yield
        finally:
            for group in mine:
                self._hierarchy.set_quota(group, None)

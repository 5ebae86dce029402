"""Starts labs, asks them, and survives their end."""

import os
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from lab import CRASH, STUCK, Outcome, Question, Setup
from support.process import die_with_parent

START_SECONDS = 120.0
#: An interrupted query may take this much longer; then its process is killed
GRACE_SECONDS = 60.0


class SetupFailed(Exception):
    pass


class Runner:
    """One lab at a time, started anew when it is lost."""

    def __init__(self, log: Path):
        self._log = open(log, "a")
        self._process: subprocess.Popen | None = None
        self._pipe: Pipe | None = None

    def setup(self, setup: Setup) -> None:
        """A new lab each time: nothing of earlier queries may matter."""
        self.stop()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).parent / "lab.py"), str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                preexec_fn=die_with_parent)
        self._pipe = Pipe(ours.detach())
        reply = self._exchange(setup, START_SECONDS)
        if reply:
            raise SetupFailed(reply.detail if isinstance(reply, Outcome) else reply)

    def ask(self, question: Question) -> Outcome:
        reply = self._exchange(question, question.seconds + GRACE_SECONDS)
        if isinstance(reply, str):
            raise SetupFailed(reply)
        return reply

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _exchange(self, message: Setup | Question, seconds: float) -> Outcome | str:
        assert self._pipe and self._process
        try:
            self._pipe.send(message)
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except (EOFError, OSError):
            code = self._process.wait(GRACE_SECONDS)
            name = signal.Signals(-code).name if code < 0 else f"code {code}"
            self.stop()
            return Outcome(CRASH, f"the session's process ended with {name}")
        self.stop()
        return Outcome(STUCK, f"no answer within {seconds} s, although the query was interrupted")

    def stop(self) -> None:
        if self._pipe:
            self._pipe.close()
        if self._process:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                os.kill(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._pipe = self._process = None

    def close(self) -> None:
        self.stop()
        self._log.close()

"""The stock JDBC driver for Flight SQL, in a Java program that does what it is told."""

import shutil
import subprocess
import sys
from pathlib import Path

from support import paths
from support.cluster import Cluster
from support.process import die_with_parent
from support.waiting import PATIENCE

JAR = paths.DEPS / "jdbc" / "flight-sql-jdbc-driver.jar"
#: That of DuckDB itself, which has a DuckDB in it
DUCKDB_JAR = paths.DEPS / "jdbc" / "duckdb_jdbc.jar"
PROGRAMS = paths.ROOT / "test" / "remote"
PROGRAM_SECONDS = 240 * PATIENCE


def missing_tools() -> bool:
    return not all(map(shutil.which, ("java", "javac", "mvn")))


def run(command: list[str], directory: Path) -> str:
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PROGRAM_SECONDS)
    assert done.returncode == 0, f"{' '.join(command[:3])} … ended with {done.returncode}\n{done.stdout[-8000:]}"
    return done.stdout


def java_command(directory: Path, program: str, options: list[str] | None = None) -> list[str]:
    """Compiles the program, and says how it is started."""
    if not JAR.exists():
        run([sys.executable, str(paths.ROOT / "scripts" / "fetch.py"), "java"], paths.ROOT)
    run(["javac", "-d", str(directory), str(PROGRAMS / f"{program}.java")], directory)
    return ["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx512m", *(options or []), "-cp",
            f"{directory}:{JAR}", program]


def jdbc_url(cluster: Cluster) -> str:
    assert cluster.driver
    return f"jdbc:arrow-flight-sql://{cluster.driver.host}:{cluster.driver.port}"


class JdbcStatements:
    """One connection, which commits each of its statements."""

    def __init__(self, directory: Path, cluster: Cluster, token: str):
        command = [*java_command(directory, "JdbcStatements"), jdbc_url(cluster), token]
        self._program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True, preexec_fn=die_with_parent)

    def _ask(self, kind: str, sql: str) -> str:
        assert self._program.stdin and self._program.stdout
        self._program.stdin.write(f"{kind} {' '.join(sql.split())}\n")
        self._program.stdin.flush()
        while line := self._program.stdout.readline():
            if line.startswith("error "):
                raise RuntimeError(f"JDBC says of {sql}: {line}")
            if line.startswith("answer"):
                return line.removeprefix("answer").strip()
        raise RuntimeError("the Java program has ended")

    def run(self, sql: str) -> None:
        self._ask("update", sql)

    def values(self, sql: str) -> list[int]:
        """Of one column of numbers."""
        return [int(value) for value in self._ask("query", sql).split()]

    def close(self) -> None:
        assert self._program.stdin
        self._program.stdin.close()
        self._program.wait(60 * PATIENCE)

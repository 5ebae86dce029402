"""The stock JDBC driver for Flight SQL at a driver: a small Java program uses it as any other would."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import paths
from support.cluster import Cluster
from support.flight_sql import read_token
from support.waiting import PATIENCE

PROGRAM = Path(__file__).parent / "JdbcClient.java"
JAR = paths.DEPS / "jdbc" / "flight-sql-jdbc-driver.jar"
PROGRAM_SECONDS = 240 * PATIENCE

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not all(map(shutil.which, ("java", "javac", "mvn"))),
                       reason="there is no java, javac or mvn on this machine")]


def run(command: list[str], directory: Path) -> str:
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PROGRAM_SECONDS)
    assert done.returncode == 0, f"{' '.join(command[:3])} … ended with {done.returncode}\n{done.stdout[-8000:]}"
    return done.stdout


def test_jdbc(tmp_path, token_file):
    if not JAR.exists():
        run([sys.executable, str(paths.ROOT / "scripts" / "fetch.py"), "java"], paths.ROOT)
    run(["javac", "-d", str(tmp_path), str(PROGRAM)], tmp_path)
    with Cluster(tmp_path, workers=1, with_driver=True) as cluster:
        assert cluster.driver
        url = f"jdbc:arrow-flight-sql://{cluster.driver.host}:{cluster.driver.port}"
        output = run(["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx512m", "-cp", f"{tmp_path}:{JAR}",
                      "JdbcClient", url, read_token(token_file)], tmp_path)
        assert output.strip().endswith("done"), output

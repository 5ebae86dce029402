"""The stock JDBC driver for Flight SQL at a driver: a small Java program uses it as any other would."""

import pytest

from support.cluster import Cluster
from support.flight_sql import read_token
from support.jdbc import java_command, jdbc_url, missing_tools, run

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(missing_tools(), reason="there is no java, javac or mvn on this machine")]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_jdbc(tmp_path, token_file, zone: str):
    command = java_command(tmp_path, "JdbcClient", [f"-Duser.timezone={zone}"])
    with Cluster(tmp_path, workers=1, with_driver=True) as cluster:
        output = run([*command, jdbc_url(cluster), read_token(token_file)], tmp_path)
        assert output.strip().endswith("done"), output

"""A scan is bound once, by the session: workers read the files that it means, with the columns that it has bound, in
the version that it has planned with, whatever part of the list a task has and wherever the worker runs."""

import contextlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from support import paths
from support.cluster import Cluster
from support.pair import Pair
from support.session import bare_session, cluster_session, distribute_everything, plain_session, register_workers, \
    start_local_server

pytestmark = pytest.mark.timeout(120)

ROW_GROUP = 2048
ANY_MODE = ("DISTRIBUTED", "PARTIAL", "LOCAL")


@contextlib.contextmanager
def pair_with(cluster: Cluster) -> Iterator[Pair]:
    with plain_session() as plain, cluster_session(cluster) as ours:
        distribute_everything(ours)
        yield Pair(plain, ours)


@pytest.fixture
def pair(three_workers):
    with pair_with(three_workers) as result:
        yield result


def write(pair: Pair, path: Path, query: str, options: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pair.plain.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP}{options})")


class TestTheListOfFiles:
    """A file may stand in it more than once."""

    @pytest.fixture
    def files(self, pair, tmp_path) -> list[str]:
        for name, begin in (("y", 100_000), ("z", 0)):
            write(pair, tmp_path / f"{name}.parquet", f"SELECT range a FROM range({begin}, {begin + 20_000})")
        write(pair, tmp_path / "small.parquet", "SELECT range a FROM range(17)")
        return [str(tmp_path / f"{name}.parquet") for name in ("small", "y", "z")]

    @pytest.mark.parametrize("positions", [[2, 2], [2, 2, 2, 2], [2, 1, 2], [1, 2, 2, 1], [0, 0, 0], [0, 2, 2, 0, 0, 1],
                                           [2] * 30])
    def test_the_same_file_again(self, pair, files, positions):
        source = f"read_parquet({[files[position] for position in positions]})"
        pair.check(f"SELECT count(*), sum(a), min(a), max(a) FROM {source}")
        pair.check(f"SELECT a, count(*) FROM {source} GROUP BY a")
        pair.check(f"SELECT filename, count(*), sum(file_row_number) FROM {source} GROUP BY filename")
        pair.check(f"SELECT a FROM {source} ORDER BY a LIMIT 50", ordered=True)

    def test_the_right_value(self, pair, files):
        sql = f"SELECT count(*), sum(a) FROM read_parquet(['{files[2]}', '{files[2]}'])"
        pair.check(sql)
        assert pair.ours.execute(sql).fetchall() == [(40_000, 399_980_000)]

    def test_one_file_under_two_names(self, pair, files, tmp_path):
        os.symlink(files[2], tmp_path / "link.parquet")
        names = [files[2], f"{tmp_path}/./z.parquet", str(tmp_path / "link.parquet")]
        pair.check(f"SELECT count(*), sum(a) FROM read_parquet({names})")
        pair.check(f"SELECT filename, count(*) FROM read_parquet({names}) GROUP BY ALL")

    def test_order_of_rows(self, pair, files):
        source = f"read_parquet(['{files[2]}', '{files[1]}', '{files[2]}'])"
        pair.check(f"SELECT a FROM {source}", ordered=True)


class TestAnotherDirectory:
    """The worker runs where other files have the same names."""

    @pytest.fixture(scope="class")
    def elsewhere(self, tmp_path_factory):
        directory = tmp_path_factory.mktemp("elsewhere")
        with plain_session() as con:
            (directory / "day=1").mkdir()
            for name in ("rel.parquet", "day=1/f.parquet"):
                con.execute(f"COPY (SELECT range + 1000000 a FROM range(10000)) TO '{directory}/{name}'")
        with Cluster(directory, workers=2) as cluster:
            yield cluster

    @pytest.fixture
    def here(self, elsewhere, tmp_path, monkeypatch):
        directory = tmp_path / "here"
        directory.mkdir()
        monkeypatch.chdir(directory)
        with pair_with(elsewhere) as pair:
            for number in (1, 2):
                write(pair, directory / f"day={number}" / "f.parquet",
                      f"SELECT range + {number} a FROM range(10000)")
            write(pair, directory / "rel.parquet", "SELECT range a FROM range(10000)")
            write(pair, tmp_path / "up.parquet", "SELECT range + 7 a FROM range(10000)")
            yield pair

    @pytest.mark.parametrize("source", [
        "'rel.parquet'", "'./rel.parquet'", "'../up.parquet'", "'../here/rel.parquet'",
        "read_parquet(['rel.parquet', '../up.parquet', 'rel.parquet'])", "'*.parquet'", "'day=*/*.parquet'",
        "'**/*.parquet'"])
    def test_relative_paths(self, here, source):
        here.check(f"SELECT sum(a), count(*) FROM {source}")
        here.check(f"SELECT filename, sum(a) FROM {source} GROUP BY filename")

    def test_the_right_value(self, here):
        here.check("SELECT sum(a) FROM 'rel.parquet'")
        assert here.ours.execute("SELECT sum(a) FROM 'rel.parquet'").fetchall() == [(49_995_000,)]

    def test_hive_columns_of_a_relative_path(self, here):
        here.check("SELECT day, typeof(day), sum(a) FROM 'day=*/*.parquet' GROUP BY ALL")
        here.check("SELECT day, sum(a) FROM 'day=*/*.parquet' WHERE day = 2 GROUP BY ALL")

    def test_hive_keys_above_the_working_directory(self, here, tmp_path, monkeypatch):
        """Only what the user wrote makes columns; the directory above has the same key."""
        write(here, tmp_path / "day=9" / "day=3" / "f.parquet", "SELECT range a FROM range(5000)")
        monkeypatch.chdir(tmp_path / "day=9")
        here.check("SELECT day, sum(a) FROM 'day=3/f.parquet' GROUP BY ALL")

    def test_filters_on_names(self, here):
        here.check("SELECT sum(a) FROM '**/*.parquet' WHERE filename = 'rel.parquet'", mode=ANY_MODE)
        here.check("SELECT sum(a) FROM '**/*.parquet' WHERE filename NOT LIKE '%rel%'", mode=ANY_MODE)
        here.check("SELECT filename, sum(a) FROM '**/*.parquet' WHERE filename || a <> 'rel.parquet7' GROUP BY ALL",
                   mode=ANY_MODE)

    def test_home(self, here, tmp_path):
        here.execute(f"SET home_directory = '{tmp_path}'")
        here.check("SELECT sum(a) FROM '~/up.parquet'")
        here.check(f"SELECT sum(a), min(filename) FROM 'file://{tmp_path}/up.parquet'")

    def test_task_sql_has_the_name_that_was_written(self, here):
        here.check("SELECT sum(a) FROM 'rel.parquet'")
        texts = here.ours.execute("SELECT task_sql FROM duckherder_tasks() WHERE task_sql LIKE '%rel.parquet%'")
        assert texts.fetchall()


class TestColumns:
    """They are those of the first file of the whole list, also where a task does not have it."""

    @pytest.fixture(params=["processes", "embedded"])
    def pair(self, request):
        if request.param == "processes":
            with pair_with(request.getfixturevalue("three_workers")) as result:
                yield result
            return
        with plain_session() as plain, contextlib.closing(bare_session()) as ours:
            start_local_server(ours, 2)
            distribute_everything(ours)
            yield Pair(plain, ours)
            ours.execute("SELECT duckherder_stop_local_server()")

    def test_another_order_of_columns(self, pair, tmp_path):
        write(pair, tmp_path / "x=1" / "f.parquet", "SELECT i a, i * 10 b FROM range(100000) t(i)")
        write(pair, tmp_path / "x=2" / "f.parquet", "SELECT i * 10 b, i a FROM range(100000) t(i)")
        source = f"'{tmp_path}/*/*.parquet'"
        sql = f"SELECT sum(a), sum(b) FROM {source} WHERE x = 2"
        pair.check(sql)
        assert pair.ours.execute(sql).fetchall() == [(4_999_950_000, 49_999_500_000)]
        pair.check(f"SELECT * FROM {source} WHERE x = 2 AND a < 100")
        pair.check(f"SELECT sum(a), sum(b) FROM {source} WHERE filename LIKE '%x=2%'")
        pair.check(f"SELECT x, sum(a), sum(b) FROM {source} GROUP BY x")
        pair.ours.execute("SET duckherder_mode = 'auto'")
        pair.check(sql)

    def test_other_types(self, pair, tmp_path):
        write(pair, tmp_path / "x=1" / "f.parquet", "SELECT i a, i::VARCHAR b FROM range(50000) t(i)")
        write(pair, tmp_path / "x=2" / "f.parquet", "SELECT i::INTEGER a, i b FROM range(50000) t(i)")
        source = f"'{tmp_path}/*/*.parquet'"
        pair.check(f"SELECT sum(length(b)), any_value(typeof(b)), any_value(typeof(a)) FROM {source} WHERE x = 2")
        pair.check(f"SELECT sum(length(b)), sum(a) FROM {source}")
        pair.check(f"SELECT min(b), max(b), sum(a) FROM {source} WHERE x = 2 AND a > 100")

    def test_types_of_hive_columns(self, pair, tmp_path):
        for key in ("1", "100", "abc"):
            write(pair, tmp_path / f"x={key}" / "f.parquet", "SELECT i a FROM range(20000) t(i)")
        source = f"'{tmp_path}/*/*.parquet'"
        pair.check(f"SELECT x, typeof(x), count(*) FROM {source} WHERE x = '100' GROUP BY ALL")
        pair.check(f"SELECT x, typeof(x), count(*) FROM {source} GROUP BY ALL")
        numbers = f"read_parquet('{tmp_path}/x=1*/*.parquet')"
        pair.check(f"SELECT x + 1, typeof(x), count(*) FROM {numbers} WHERE x = 100 GROUP BY ALL")
        typed = f"read_parquet('{tmp_path}/x=1*/*.parquet', hive_types = {{'x': 'SMALLINT'}})"
        pair.check(f"SELECT x, typeof(x), sum(a) FROM {typed} WHERE x > 1 GROUP BY ALL")
        texts = f"read_parquet('{tmp_path}/x=1*/*.parquet', hive_types_autocast = false)"
        pair.check(f"SELECT x, typeof(x), sum(a) FROM {texts} WHERE x = '100' GROUP BY ALL")

    def test_hive_dates(self, pair, tmp_path):
        for day in ("2024-01-05", "2024-02-29"):
            write(pair, tmp_path / f"d={day}" / "f.parquet", "SELECT i a FROM range(20000) t(i)")
        source = f"'{tmp_path}/*/*.parquet'"
        pair.check(f"SELECT d, typeof(d), sum(a) FROM {source} GROUP BY ALL")
        pair.check(f"SELECT d + INTERVAL 1 DAY n, sum(a) FROM {source} WHERE d >= DATE '2024-02-01' GROUP BY ALL")

    def test_a_hive_column_that_is_in_the_file_too(self, pair, tmp_path):
        for key in (1, 2):
            write(pair, tmp_path / f"x={key}" / "f.parquet", "SELECT i a, -1 AS x FROM range(20000) t(i)")
        pair.check(f"SELECT x, sum(a) FROM '{tmp_path}/*/*.parquet' GROUP BY ALL")

    def test_only_some_files_have_hive_keys(self, pair, tmp_path):
        write(pair, tmp_path / "f.parquet", "SELECT i a FROM range(20000) t(i)")
        write(pair, tmp_path / "x=2" / "f.parquet", "SELECT i a FROM range(20000) t(i)")
        pair.check(f"SELECT * FROM '{tmp_path}/**/*.parquet' WHERE a < 3")

    def test_union_by_name(self, pair, tmp_path):
        write(pair, tmp_path / "x=1" / "f.parquet", "SELECT i a, i * 2 b FROM range(30000) t(i)")
        write(pair, tmp_path / "x=2" / "f.parquet", "SELECT i * 1.5 c, i::VARCHAR b FROM range(30000) t(i)")
        write(pair, tmp_path / "x=3" / "f.parquet", "SELECT i % 5 d, i a FROM range(30000) t(i)")
        source = f"read_parquet('{tmp_path}/*/*.parquet', union_by_name = true)"
        pair.check(f"SELECT count(a), count(b), count(c), count(d), sum(length(b)), sum(c) FROM {source}")
        pair.check(f"SELECT a, b, c, d, x FROM {source} WHERE x = 2 AND b < '100'")
        pair.check(f"SELECT x, max(b), max(d) FROM {source} WHERE x > 1 GROUP BY ALL")
        pair.check(f"SELECT count(*) FROM {source} WHERE c IS NULL AND d IS NULL")

    def test_structs_that_gain_a_field(self, pair, tmp_path):
        write(pair, tmp_path / "a.parquet", "SELECT {'p': i, 'q': i::VARCHAR} s FROM range(20000) t(i)")
        write(pair, tmp_path / "b.parquet", "SELECT {'q': i::VARCHAR, 'p': i, 'r': 1} s FROM range(20000) t(i)")
        source = f"read_parquet(['{tmp_path}/a.parquet', '{tmp_path}/b.parquet'])"
        pair.check(f"SELECT sum(s.p), max(s.q), any_value(typeof(s)) FROM {source}")

    def test_the_option_schema(self, pair, tmp_path):
        write(pair, tmp_path / "a.parquet", "SELECT i a, i * 2 b FROM range(20000) t(i)",
              ", FIELD_IDS {a: 1, b: 2}")
        write(pair, tmp_path / "b.parquet", "SELECT i * 2 bb, i aa FROM range(20000) t(i)",
              ", FIELD_IDS {aa: 1, bb: 2}")
        schema = ("MAP {1: {name: 'first', type: 'BIGINT', default_value: NULL}, "
                  "2: {name: 'second', type: 'DOUBLE', default_value: NULL}, "
                  "3: {name: 'third', type: 'VARCHAR', default_value: 'none'}}")
        source = f"read_parquet(['{tmp_path}/a.parquet', '{tmp_path}/b.parquet'], schema = {schema})"
        pair.check(f"SELECT sum(first), sum(second), min(third), max(third) FROM {source}")

    def test_copy_from(self, pair, tmp_path):
        """COPY takes columns by position, and the table's types."""
        write(pair, tmp_path / "a.parquet", "SELECT i a, i::VARCHAR b FROM range(20000) t(i)")
        pair.execute("CREATE OR REPLACE TABLE target (p VARCHAR, q INTEGER)")
        pair.execute(f"COPY target FROM '{tmp_path}/a.parquet'")
        pair.check("SELECT max(p), sum(q), count(*) FROM target", mode=ANY_MODE)

    @pytest.mark.parametrize("dynamic_filters", ("true", "false"))
    @pytest.mark.parametrize("join", ("JOIN", "RIGHT JOIN", "SEMI JOIN"))
    def test_a_join_filters_files_of_other_types(self, pair, tmp_path, join, dynamic_filters):
        """The join tells the scan below it which keys it has; DuckDB knows no such filter for a column that is cast."""
        for number, of in enumerate(("INTEGER", "BIGINT", "SMALLINT", "UTINYINT")):
            write(pair, tmp_path / f"f{number}.parquet",
                  f"SELECT (hash(i) % 200)::{of} k, i v FROM range({number * 6000}, {number * 6000 + 6000}) t(i)")
        write(pair, tmp_path / "keys.parquet", "SELECT (hash(i) % 5000)::INTEGER k FROM range(60) t(i)")
        pair.ours.execute(f"SET duckherder_dynamic_filters = {dynamic_filters}")
        source = f"read_parquet('{tmp_path}/f*.parquet', union_by_name = true)"
        pair.check(f"SELECT count(*), sum(hash(f)) FROM {source} f {join} '{tmp_path}/keys.parquet' d USING (k)")

    def test_a_missing_column_is_duckdbs_error(self, pair, tmp_path):
        write(pair, tmp_path / "a.parquet", "SELECT i a, i b FROM range(20000) t(i)")
        write(pair, tmp_path / "b.parquet", "SELECT i a FROM range(20000) t(i)")
        plain, ours = pair.failure(f"SELECT sum(b) FROM read_parquet(['{tmp_path}/a.parquet', '{tmp_path}/b.parquet'])")
        assert type(plain) is type(ours) and '"b"' in str(ours), (plain, ours)


class TestVersions:
    """No task reads another version of a file than the query was planned with."""

    @staticmethod
    def replace(con: duckdb.DuckDBPyConnection, path: Path, query: str) -> None:
        new = path.with_suffix(".new")
        con.execute(f"COPY ({query}) TO '{new}' (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP})")
        os.replace(new, path)

    @pytest.mark.parametrize("files", [1, 3])
    def test_replaced_while_it_is_read(self, pair, tmp_path, files):
        versions = [f"SELECT {g}::INTEGER g, i FROM range(400000) t(i)" for g in (1, 2)]
        target = tmp_path / "f0.parquet"
        for number in range(files):
            write(pair, tmp_path / f"f{number}.parquet", versions[0])
        outcomes = []

        def read() -> None:
            try:
                sql = f"SELECT min(g), max(g), count(*) FROM '{tmp_path}/f0.parquet'"
                outcomes.append(pair.ours.execute(sql).fetchall()[0])
            except duckdb.IOException as error:
                outcomes.append(str(error))

        for attempt in range(12):
            reader = threading.Thread(target=read)
            reader.start()
            self.replace(pair.plain, target, versions[(attempt + 1) % 2])
            reader.join()
        mixed = [outcome for outcome in outcomes if isinstance(outcome, tuple) and outcome[0] != outcome[1]]
        assert not mixed and len(outcomes) == 12, outcomes
        assert all("replaced" in outcome
                   for outcome in outcomes if isinstance(outcome, str)), outcomes

    def test_replaced_within_a_second(self, pair, tmp_path):
        """Of equal size: neither a kept footer nor kept blocks of the old one are taken for it."""
        path = tmp_path / "f.parquet"
        for value in range(6):
            write(pair, path, f"SELECT {value}::BIGINT g, i FROM range(20000) t(i)")
            pair.check(f"SELECT min(g), max(g), count(*), sum(i) FROM '{path}'")
            pair.check(f"SELECT count(*) FROM '{path}' WHERE g = {value}")

    def test_another_file_at_the_same_path(self, tmp_path):
        """A worker on another machine, here in a mount namespace of its own."""
        if os.geteuid() != 0:
            pytest.skip("needs root, for a mount namespace")
        data, other = tmp_path / "data", tmp_path / "other"
        for directory, rows in ((data, 20_000), (other, 19_000)):
            directory.mkdir()
            with plain_session() as con:
                con.execute(f"COPY (SELECT range a FROM range({rows})) TO '{directory}/f.parquet' "
                            f"(FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP})")
        within = ["unshare", "--mount", "sh", "-c", f'mount --bind "{other}" "{data}" && exec "$@"', "sh"]
        with Cluster(tmp_path, workers=1) as cluster:
            cluster.add_worker(within=within)
            with contextlib.closing(bare_session()) as con:
                register_workers(con, cluster)
                distribute_everything(con)
                with pytest.raises(duckdb.IOException) as caught:
                    con.execute(f"SELECT count(*), sum(a) FROM '{data}/f.parquet'").fetchall()
        assert f"{data}/f.parquet" in str(caught.value) and "worker-1" in str(caught.value), caught.value


class PlainWebServer(http.server.ThreadingHTTPServer):
    """Serves ranges of files and says nothing of their versions: no ETag, no Last-Modified."""

    daemon_threads = True

    def __init__(self, directory: Path):
        self.directory = directory
        super().__init__(("127.0.0.1", 0), PlainWebHandler)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class PlainWebHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        path = self.server.directory / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        begin, end = 0, len(content)
        if ranges := self.headers.get("Range"):
            first, last = ranges.removeprefix("bytes=").split("-")
            begin = int(first) if first else max(len(content) - int(last), 0)
            end = min(int(last) + 1, len(content)) if last and first else len(content)
        self.send_response(206 if ranges else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        if ranges:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
        self.end_headers()
        if with_body:
            self.wfile.write(content[begin:end])

    def log_message(self, *_) -> None:
        pass


class TestWebServersWithoutVersions:
    @pytest.fixture
    def web(self, tmp_path) -> Iterator[tuple[PlainWebServer, Pair]]:
        load = f"LOAD {paths.quoted(paths.require(paths.HTTPFS_EXTENSION))}"
        init = tmp_path / "init.sql"
        init.write_text(load + ";\n")
        server = PlainWebServer(tmp_path)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with Cluster(tmp_path, workers=2, worker_options=["--init", str(init)]) as cluster:
                with contextlib.closing(duckdb.connect(config={"allow_unsigned_extensions": "true"})) as plain, \
                        cluster_session(cluster) as ours:
                    distribute_everything(ours)
                    pair = Pair(plain, ours)
                    pair.execute(load)
                    yield server, pair
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def test_a_file_that_was_replaced(self, web, tmp_path):
        server, pair = web
        for version in range(3):
            write(pair, tmp_path / "f.parquet",
                  f"SELECT (i * 7 + {version}) % 1000 + {version} * 1000 v, i FROM range(90000) t(i)")
            source = f"'{server.url('f.parquet')}'"
            pair.check(f"SELECT count(*) FROM {source} WHERE v BETWEEN {version}000 AND {version}142")
            pair.check(f"SELECT sum(v), min(v), max(v), count(*) FROM {source}")

    def test_several_files(self, web, tmp_path):
        server, pair = web
        for version in range(2):
            for number in range(3):
                write(pair, tmp_path / f"f{number}.parquet",
                      f"SELECT i % 10 + {version} * 100 v, i FROM range({20000 * (number + 1)}) t(i)")
            source = f"read_parquet({[server.url(f'f{number}.parquet') for number in (0, 1, 2, 1)]})"
            pair.check(f"SELECT sum(v), min(v), max(v), count(*), sum(i) FROM {source}")
            pair.check(f"SELECT count(*) FROM {source} WHERE v >= 100", mode=ANY_MODE)


class TestEncryptedFiles:
    KEY = "PRAGMA add_parquet_key('k1', '0123456789112345')"
    CONFIG = "encryption_config = {footer_key: 'k1'}"

    def test_read_again_and_again(self, pair, tmp_path):
        pair.execute(self.KEY)
        # Or httpfs would be needed to write them.
        pair.plain.execute("SET GLOBAL force_mbedtls_unsafe = true")
        for name in ("a", "b"):
            write(pair, tmp_path / f"{name}.parquet", "SELECT range a FROM range(20000)",
                  ", ENCRYPTION_CONFIG {footer_key: 'k1'}")
        one = f"read_parquet('{tmp_path}/a.parquet', {self.CONFIG})"
        several = f"read_parquet('{tmp_path}/*.parquet', {self.CONFIG})"
        for _ in range(3):
            for source in (one, several):
                pair.check(f"SELECT count(*), sum(a) FROM {source}")
                pair.check(f"SELECT a % 7 k, count(*), max(a) FROM {source} GROUP BY k")
        assert pair.ours.execute(f"SELECT count(*) FROM {one}").fetchall() == [(20_000,)]

    def test_a_key_where_it_does_not_belong(self, pair, tmp_path):
        """Also when a worker has the footer of the file already."""
        pair.execute(self.KEY)
        # Or httpfs would be needed to write them.
        pair.plain.execute("SET GLOBAL force_mbedtls_unsafe = true")
        write(pair, tmp_path / "secret.parquet", "SELECT range a FROM range(20000)",
              ", ENCRYPTION_CONFIG {footer_key: 'k1'}")
        write(pair, tmp_path / "open.parquet", "SELECT range a FROM range(20000)")
        pair.check(f"SELECT sum(a) FROM read_parquet('{tmp_path}/secret.parquet', {self.CONFIG})")
        pair.check(f"SELECT sum(a) FROM '{tmp_path}/open.parquet'")
        both = [f"{tmp_path}/open.parquet", f"{tmp_path}/secret.parquet"]
        pair.failure(f"SELECT sum(a) FROM read_parquet({both})")
        pair.failure(f"SELECT sum(a) FROM read_parquet({both[::-1]}, {self.CONFIG})")


@pytest.mark.parametrize("function", ("octet_length", "strlen"))
def test_lengths_are_of_the_column_as_it_is(pair, tmp_path, function: str):
    """2.0 has the scan itself compute them, which workers were not told."""
    value = "('x' || repeat('y', (i % 9)::INTEGER))"
    column = f"{value}::BLOB" if function == "octet_length" else value
    pair.plain.execute(f"COPY (SELECT i, {column} AS v FROM range(50000) r(i)) TO '{tmp_path}/t.parquet' "
                       "(ROW_GROUP_SIZE 5000)")
    pair.check(f"SELECT sum({function}(v)), avg({function}(v)), max(i) FROM '{tmp_path}/t.parquet'")
    pair.check(f"SELECT i, {function}(v) AS n FROM '{tmp_path}/t.parquet' WHERE i % 1000 = 5")

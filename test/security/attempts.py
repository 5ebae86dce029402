"""What people with a token try: SQL, the least role that docs/security.md grants it to, and what it touches then."""

from dataclasses import dataclass

#: Nobody but the cluster's own token
NOBODY = "node"
#: With 'write' the path is refused when it is opened; that there are columns is no secret
WHEN_IT_RUNS = "files, when they are opened"


@dataclass(frozen=True)
class Attempt:
    power: str
    sql: str
    #: The least role that may
    role: str
    #: As DriverWorld.touched says, if it may
    effects: frozenset[str] = frozenset()


def _all(power: str, role: str, statements: str, *effects: str) -> list[Attempt]:
    return [Attempt(power, line.strip(), role, frozenset(effects)) for line in statements.splitlines() if line.strip()]


#: {o}: a directory beyond reach, {i}: one that the driver was allowed, {h}: with the tokens, {port}: a listener
ATTEMPTS = [
    *_all("queries", "read", """
        SELECT sum(i) FROM t
        SELECT plus_one(i) FROM harmless
        WITH c AS (SELECT i FROM t) SELECT list_transform(list(i), lambda x: x + 1) FROM c
        SELECT i, row_number() OVER (ORDER BY i DESC) FROM t QUALIFY row_number() OVER (ORDER BY i) < 3
        DESCRIBE t
        SHOW TABLES
        SUMMARIZE t
        EXPLAIN SELECT sum(i) FROM t
        FROM duckdb_tables()
        FROM information_schema.tables
        FROM (PIVOT t ON s IN ('row 1', 'row 2') USING sum(i))
        FROM duckherder_workers()
        FROM range(3) r(i) JOIN t USING (i) ORDER BY lower(s) LIMIT 2 OFFSET 1
        SELECT unnest([1, 2]), current_date IS NULL, getvariable('x')
        WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 4) FROM r
        SELECT "column" FROM inside"""),
    *_all("files that may be read", "write", """
        SELECT * FROM read_csv('{i}/open.csv')
        SELECT content FROM read_text('{i}/*.csv')""", "inside"),
    *_all("files that may be read", "write", """
        CREATE TABLE made AS FROM read_csv('{i}/open.csv')""", "inside", "catalog"),
    *_all("files by their name", "admin", """
        FROM '{i}/open.csv'"""),
    *_all("files that may be written", "admin", """
        COPY (SELECT 1 AS x) TO '{i}/made.csv'
        COPY t TO '{i}/made.parquet'""", "inside"),
    *_all("files", NOBODY, """
        SELECT content FROM read_text('{o}/secret.txt')
        SELECT * FROM read_csv('{o}/secret.csv')
        SELECT * FROM read_blob('{o}/secret.*')
        SELECT * FROM read_json('{o}/secret.json')
        SELECT * FROM read_json_objects('{o}/secret.json')
        SELECT * FROM read_parquet('{o}/secret.csv')
        SELECT * FROM parquet_metadata('{o}/secret.csv')
        SELECT content FROM read_text('{h}/node.token')
        SELECT content FROM read_text('{h}/clients')
        SELECT content FROM read_text('{i}/../outside/secret.txt')
        SELECT * FROM read_csv('{i}/link', header = false)
        SELECT * FROM read_csv(['{i}/open.csv', '{o}/secret.csv'])
        FROM '{o}/secret.csv'
        FROM "{o}/secret.csv"
        SELECT * FROM glob('{o}/*')
        WITH "{o}/secret.csv" AS (FROM "{o}/secret.csv") FROM "{o}/secret.csv"
        SELECT (SELECT content FROM read_text('{o}/secret.txt'))
        SELECT list_transform([1], lambda x: (SELECT max(content) FROM read_text('{o}/secret.txt')))
        SELECT i FROM t ORDER BY (SELECT content FROM read_text('{o}/secret.txt'))
        SELECT i FROM t LIMIT (SELECT length(content) FROM read_text('{o}/secret.txt'))
        FROM repeat((SELECT content FROM read_text('{o}/secret.txt')), 1)
        FROM query('FROM read_text(''{o}/secret.txt'')')
        FROM query_table('{o}/secret.csv')
        SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''{o}/secret.txt'')'))
        EXPLAIN ANALYZE SELECT content FROM read_text('{o}/secret.txt')
        DESCRIBE SELECT * FROM read_csv('{o}/secret.csv')
        SUMMARIZE '{o}/secret.csv'
        CREATE TABLE stolen AS SELECT content FROM read_text('{o}/secret.txt')
        INSERT INTO t SELECT 1, content FROM read_text('{o}/secret.txt')
        CREATE VIEW peek AS SELECT content FROM read_text('{o}/secret.txt')
        CREATE TEMP VIEW t AS SELECT content FROM read_text('{o}/secret.txt')
        CREATE MACRO peek() AS TABLE SELECT content FROM read_text('{o}/secret.txt')
        CREATE MACRO peek() AS (SELECT content FROM read_text('{o}/secret.txt'))
        CREATE TYPE peek AS ENUM (SELECT content FROM read_text('{o}/secret.txt'))
        UPDATE t SET s = (SELECT content FROM read_text('{o}/secret.txt'))
        DELETE FROM t USING read_csv('{o}/secret.csv')
        DELETE FROM "{o}/secret.csv"
        MERGE INTO t USING read_csv('{o}/secret.csv') f ON t.s = f.column0 WHEN MATCHED THEN DELETE
        COPY t FROM '{o}/secret.csv'
        COPY (SELECT 1) TO '{o}/made.csv'
        COPY t TO '{o}/made.parquet'
        COPY (SELECT content FROM read_text('{o}/secret.txt')) TO '{i}/made.csv'
        EXPORT DATABASE '{o}/export'
        IMPORT DATABASE '{o}'
        ATTACH '{o}/made.db' AS made
        CALL enable_logging(storage = 'file', storage_path = '{o}/log')
        PRAGMA import_database('{o}')"""),
    *_all(WHEN_IT_RUNS, NOBODY, """
        SELECT * FROM sniff_csv('{o}/secret.csv')"""),
    *_all("network", NOBODY, """
        SELECT * FROM read_csv('http://127.0.0.1:{port}/x.csv')
        SELECT * FROM read_parquet('s3://bucket/x.parquet')
        FROM 'http://127.0.0.1:{port}/x.csv'
        COPY t TO 'http://127.0.0.1:{port}/x.csv'
        ATTACH '127.0.0.1:{port}' AS other (TYPE duckherder)
        ATTACH 'http://127.0.0.1:{port}/x.db' AS other
        SELECT duckherder_register_worker('evil', 'grpc://127.0.0.1:{port}')
        SELECT duckherder_register_or_replace_driver('127.0.0.1', {port})
        INSTALL spatial FROM 'http://127.0.0.1:{port}'"""),
    *_all("the name of a schema", "read", "USE main"),
    *_all("how statements are distributed", "admin", """
        SET GLOBAL duckherder_tasks_per_worker = 7""", "settings"),
    *_all("settings", NOBODY, """
        SET GLOBAL threads = 1
        SET memory_limit = '1GB'
        SET enable_external_access = true
        SET GLOBAL allowed_directories = ['/']
        SET allowed_paths = ['{o}/secret.txt']
        SET lock_configuration = false
        SET allowed_configs = ['threads']
        RESET GLOBAL threads
        PRAGMA threads = 1
        SET GLOBAL temp_directory = '{o}'
        SET log_query_path = '{o}/log'
        SET profiling_output = '{o}/profile'
        SET GLOBAL duckherder_shared_paths = '{o}'
        SET GLOBAL custom_extension_repository = 'http://127.0.0.1:{port}'
        CALL enable_logging('QueryLog')
        SET GLOBAL enable_logging = true"""),
    *_all("variables", "admin", "SET VARIABLE x = 1"),
    *_all("extensions", NOBODY, """
        LOAD tpch
        LOAD '{o}/evil.duckdb_extension'
        INSTALL tpch
        INSTALL '{o}/evil.duckdb_extension'
        FORCE INSTALL tpch
        UPDATE EXTENSIONS
        SELECT duckherder_load_extension('tpch')
        SELECT list_transform(['tpch'], lambda x: duckherder_load_extension(x))"""),
    *_all("secrets", "admin", """
        CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')""", "secrets"),
    *_all("what is known of secrets", "admin", """
        FROM duckdb_secrets()
        FROM which_secret('s3://x', 's3')
        SELECT current_setting('threads')
        FROM duckdb_settings()"""),
    *_all("others' statements", "admin", """
        SELECT sql FROM duckherder_get_query_history()
        SELECT sql FROM duckherder_get_query_execution_stats()
        SELECT task_sql FROM duckherder_tasks()
        FROM of_history
        FROM of_macro()
        SELECT (SELECT max(sql) FROM duckherder_get_query_history())
        FROM duckdb_logs()
        FROM duckdb_logs
        FROM duckdb_temporary_files()"""),
    *_all("others' statements", NOBODY, """
        SELECT list_transform([1], lambda x: (SELECT max(sql) FROM duckherder_get_query_history()))
        FROM repeat((SELECT max(sql) FROM duckherder_get_query_history()), 1)"""),
    *_all("plans of texts", "admin", """
        SELECT json_serialize_plan('FROM read_csv(''{o}/secret.csv'')')"""),
    *_all("clearing the history", "admin", """
        SELECT duckherder_clear_query_recorder_stats()
        SELECT list_transform([1], lambda x: duckherder_clear_query_recorder_stats())""", "history"),
    *_all("cluster functions", "admin", """
        SELECT duckherder_unregister_worker('worker-0')""", "nodes"),
    *_all("cluster functions that end queries", "admin", "SELECT duckherder_kill('nobody')"),
    *_all("cluster functions", NOBODY, """
        SELECT duckherder_register_worker('evil', 'grpc://127.0.0.1:1')
        SELECT list_transform([1], lambda x: duckherder_register_worker('evil', 'grpc://127.0.0.1:1'))
        FROM repeat(duckherder_register_worker('evil', 'grpc://127.0.0.1:1'), 1)
        SELECT i FROM t WHERE duckherder_register_worker('evil', 'grpc://127.0.0.1:1') = s
        SELECT duckherder_start_local_server(0, 1)
        SELECT duckherder_stop_local_server()
        SELECT duckherder_start_standalone_worker(0)
        FROM duckherder_start_ui()
        CALL duckherder_stop_ui()
        CALL duckherder_serve_driver(listen := '127.0.0.1:0')
        FROM duckherder_serve_worker(listen := '127.0.0.1:0', driver := '127.0.0.1:1')
        CALL duckherder_stop_serving()
        FROM duckherder_workers(database := 'memory')
        FROM duckherder_query('memory', 'SELECT 1')
        CALL duckherder_execute('memory', 'DROP TABLE t')
        PRAGMA duckherder_register_remote_table('a', 'b')
        FROM duckherder_view_scan('memory', 'memory', 'main', 'of_history')
        CREATE TABLE evil (i INTEGER DEFAULT (length(duckherder_stop_local_server())))"""),
    *_all("definitions that would run later", "admin", """
        ALTER TABLE t ALTER s SET DATA TYPE VARCHAR USING duckherder_clear_query_recorder_stats()""",
          "history", "rows"),
    *_all("definitions that would run later", NOBODY, """
        ALTER TABLE t ADD COLUMN j VARCHAR DEFAULT (duckherder_clear_query_recorder_stats())"""),
    *_all("writes", "write", """
        INSERT INTO t VALUES (100, 'x')
        INSERT INTO t SELECT i + 100, s FROM t RETURNING i
        UPDATE t SET s = 'x' WHERE i = 1
        DELETE FROM t WHERE i = 1
        TRUNCATE t
        MERGE INTO t USING (SELECT 1 AS i) u USING (i) WHEN MATCHED THEN UPDATE SET s = 'x'
        WITH u AS (SELECT 1 AS k) DELETE FROM t USING u WHERE i = k""", "rows"),
    *_all("definitions", "write", """
        CREATE TABLE made (i INTEGER DEFAULT 5 CHECK (i > 3), j INTEGER GENERATED ALWAYS AS (i + 1))
        CREATE TABLE made AS SELECT * FROM t
        CREATE VIEW made AS SELECT upper(s) AS s FROM t
        CREATE SCHEMA made
        CREATE SEQUENCE made
        CREATE INDEX made ON t (i)
        CREATE TYPE made AS ENUM ('a', 'b')
        ALTER TABLE doomed ADD COLUMN k INTEGER DEFAULT 7
        ALTER TABLE doomed ALTER i TYPE VARCHAR USING concat(i, 'x')
        DROP TABLE doomed
        DROP VIEW harmless
        COMMENT ON TABLE doomed IS 'seen'
        SELECT nextval('numbers')""", "catalog"),
    *_all("macros", "write", """
        CREATE MACRO made(x) AS x * 2
        CREATE MACRO made() AS TABLE FROM t""", "macros"),
    *_all("what goes with the session", "write", "CREATE TEMP TABLE mine AS SELECT 1 AS i"),
    *_all("the storage", "admin", """
        CHECKPOINT
        VACUUM
        ANALYZE"""),
    *_all("ending the node", NOBODY, """
        DETACH memory
        ALTER DATABASE memory SET ALIAS TO elsewhere"""),
    *_all("other kinds of statements", "admin", """
        CALL pragma_version()
        PRAGMA version
        PREPARE p AS SELECT 1
        PRAGMA show_tables"""),
]

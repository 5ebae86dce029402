"""What ADBC's driver for Flight SQL says of a driver's database, as DuckDB's own ADBC driver says it of the same
tables. And Flight SQL's commands about the catalog, as tools send them, beside DuckDB's own functions."""

from collections.abc import Iterator

import adbc_driver_duckdb.dbapi
import pyarrow
import pytest
from adbc_driver_flightsql import dbapi

from remote.test_flight_sql_adbc import ask, message
from support import shop
from support.cluster import Cluster
from support.flight_sql import adbc_session, query, read_token

pytestmark = pytest.mark.timeout(120)

#: A catalog of the driver's; the others, system and temp, DuckDB has for itself
CATALOG = "memory"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with shop.served(tmp_path_factory.mktemp("metadata"), workers=1) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(served, token_file) -> Iterator[dbapi.Connection]:
    with adbc_session(served, read_token(token_file)) as connection:
        yield connection


@pytest.fixture(scope="module")
def plain() -> Iterator[adbc_driver_duckdb.dbapi.Connection]:
    with adbc_driver_duckdb.dbapi.connect(autocommit=True) as connection:
        with connection.cursor() as cursor:
            for sql in ("SET TimeZone = 'UTC'", *shop.tables()):
                cursor.execute(sql)
        yield connection


def objects(connection, **filters: object) -> list[tuple]:
    """A row for each column, or for what there is none below. The drivers call tables in two ways."""
    found = []
    for catalog in connection.adbc_get_objects(**filters).read_all().to_pylist():
        name = catalog["catalog_name"]
        if name in ("system", "temp"):
            continue
        for schema in catalog["catalog_db_schemas"] or [None]:
            for table in (schema["db_schema_tables"] if schema else None) or [None]:
                for column in (table["table_columns"] if table else None) or [None]:
                    found.append((name, schema and schema["db_schema_name"], table and table["table_name"],
                                  table and table["table_type"].removeprefix("BASE "), column and column["column_name"],
                                  column and column["ordinal_position"], column and column["xdbc_type_name"]))
    return sorted(found, key=str)


FILTERS = {
    "catalogs": {"depth": "catalogs"}, "schemas": {"depth": "db_schemas"}, "tables": {"depth": "tables"},
    "columns": {"depth": "all"}, "a catalog": {"depth": "db_schemas", "catalog_filter": CATALOG},
    "no catalog": {"depth": "catalogs", "catalog_filter": "nowhere"},
    "a schema": {"depth": "tables", "db_schema_filter": "archive"},
    "schemas by pattern": {"depth": "db_schemas", "catalog_filter": CATALOG, "db_schema_filter": "%ai_"},
    "a table": {"depth": "all", "table_name_filter": "sales"},
    "tables by pattern": {"depth": "tables", "table_name_filter": "p%"},
    "another case": {"depth": "tables", "table_name_filter": "SALES"},
    "a name with a blank": {"depth": "all", "db_schema_filter": "archive", "table_name_filter": "Old Sales"},
    "views": {"depth": "tables", "table_types_filter": ["VIEW"]},
    "columns of views": {"depth": "all", "table_types_filter": ["VIEW"], "db_schema_filter": "main"},
    "columns by pattern": {"depth": "all", "table_name_filter": "sales", "column_name_filter": "%o%"},
    "a column": {"depth": "all", "column_name_filter": "Order No"},
    "a column in no table": {"depth": "all", "table_name_filter": "parts", "column_name_filter": "region"},
}


@pytest.mark.parametrize("name", FILTERS)
def test_objects(client, plain, name: str):
    assert objects(client, **FILTERS[name]) == objects(plain, **FILTERS[name])


def test_tables_and_no_views(client, plain):
    """Each driver takes its own name for tables."""
    told = objects(client, depth="tables", table_types_filter=["TABLE"])
    assert told == objects(plain, depth="tables", table_types_filter=["BASE TABLE"])
    assert {row[3] for row in told if row[2]} == {"TABLE"}
    assert [kind.removeprefix("BASE ") for kind in plain.adbc_get_table_types()] == client.adbc_get_table_types()


def names_and_types(schema: pyarrow.Schema) -> list[tuple[str, pyarrow.DataType]]:
    """DuckDB's driver does not say which columns are NOT NULL."""
    return [(field.name, field.type) for field in schema]


@pytest.mark.parametrize("table, filters", [
    ("sales", {}), ("sales", {"db_schema_filter": "main"}), ("by_region", {"catalog_filter": CATALOG}),
    ("lineitem", {"catalog_filter": CATALOG, "db_schema_filter": "main"}),
    ("Old Sales", {"db_schema_filter": "archive"})])
def test_schemas_of_tables(client, plain, table: str, filters: dict[str, str]):
    expected = plain.adbc_get_table_schema(table, **filters)
    assert names_and_types(client.adbc_get_table_schema(table, **filters)) == names_and_types(expected)
    assert len(expected) > 2


@pytest.mark.parametrize("table, filters", [("nowhere", {}), ("sales", {"db_schema_filter": "archive"})])
def test_schemas_of_no_tables(client, plain, table: str, filters: dict[str, str]):
    for connection, error in ((client, dbapi.Error), (plain, adbc_driver_duckdb.dbapi.Error)):
        with pytest.raises(error):
            connection.adbc_get_table_schema(table, **filters)


def test_constraints(client, served, token_file):
    """Of all tables, as tools ask for one after the other."""
    expected = {
        row[:2]: row[2] for row in query(client, """
            SELECT schema_name, table_name, constraint_column_names FROM duckdb_constraints()
            WHERE constraint_type = 'PRIMARY KEY'""")}
    assert len(expected) == 3
    token = read_token(token_file)
    tables = [row[1:3] for row in objects(client, depth="tables")]
    found = {}
    for schema, table in tables:
        body = message(1, CATALOG) + message(2, schema) + message(3, table)
        keys = ask(served, token, "CommandGetPrimaryKeys", body).sort_by("key_sequence").to_pylist()
        if keys:
            found[schema, table] = [key["column_name"] for key in keys]
    assert found == expected and len(tables) == 8


def same_order(rows: list[dict], *columns: str) -> bool:
    names = [tuple(row[column] for column in columns) for row in rows]
    return names == sorted(names)


@pytest.mark.parametrize("with_schema", [False, True])
def test_commands_about_the_catalog(client, served, token_file, with_schema: bool):
    token = read_token(token_file)

    def told(command: str, body: bytes = b"") -> list[dict]:
        return ask(served, token, command, body).to_pylist()

    assert told("CommandGetCatalogs") == [{"catalog_name": CATALOG}]
    schemas = query(client, "SELECT database_name, schema_name FROM duckdb_schemas() WHERE NOT internal OR "
                            f"database_name = '{CATALOG}' ORDER BY ALL")
    rows = told("CommandGetDbSchemas")
    assert [(row["catalog_name"], row["db_schema_name"]) for row in rows] == \
        [row for row in schemas if row[0] == CATALOG and row[1] in ("main", "archive")] and len(rows) == 2
    assert [row["db_schema_name"] for row in told("CommandGetDbSchemas", message(2, "arch%"))] == ["archive"]
    assert [row["table_type"] for row in told("CommandGetTableTypes")] == ["TABLE", "VIEW"]
    tables = query(client, f"""
        SELECT table_catalog, table_schema, table_name, replace(table_type, 'BASE ', '') FROM information_schema.tables
        WHERE table_catalog = '{CATALOG}' ORDER BY 1, 2, 3""")
    rows = told("CommandGetTables", bytes([40, with_schema]))
    columns = ("catalog_name", "db_schema_name", "table_name", "table_type")
    assert [tuple(row[column] for column in columns) for row in rows] == tables
    assert len(rows) == 8 and same_order(rows, *columns)
    for row in rows:
        assert ("table_schema" in row) == with_schema
        if with_schema:
            name = f'"{row["db_schema_name"]}"."{row["table_name"]}"'
            schema = pyarrow.ipc.read_schema(pyarrow.py_buffer(row["table_schema"]))
            described = query(client, f"SELECT column_name, column_type FROM (DESCRIBE {name})")
            told_types = [field.metadata[b"ARROW:FLIGHT:SQL:TYPE_NAME"].decode() for field in schema]
            assert [*zip(schema.names, told_types)] == described
            assert names_and_types(schema) == names_and_types(result_schema(client, f"FROM {name} LIMIT 0"))
    for body, names in ((message(2, "archive"), ["Old Sales", "everything"]), (message(3, "p%"), ["parts", "pieces"]),
                        (message(2, "main") + message(4, "VIEW"), ["by_region", "lineitem"]),
                        (message(1, "nowhere"), []), (message(3, "nowhere"), [])):
        rows = told("CommandGetTables", body + bytes([40, with_schema]))
        assert [row["table_name"] for row in rows] == names


def result_schema(connection: dbapi.Connection, sql: str) -> pyarrow.Schema:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table().schema


def test_types(client, served, token_file):
    types = ask(served, read_token(token_file), "CommandGetXdbcTypeInfo").to_pylist()
    names = [row["type_name"] for row in types]
    known = {row[0].upper() for row in query(client, "SELECT type_name FROM duckdb_types() WHERE internal")}
    assert set(names) <= known and len(set(names)) == len(names)
    assert {"BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL", "VARCHAR", "BLOB", "DATE", "TIMESTAMP"} <= set(names)
    assert same_order(types, "data_type")


def test_infos(client, plain):
    info = client.adbc_get_info()
    assert info["vendor_name"] == "Duckherder" and "Flight SQL" in info["driver_name"]
    assert plain.adbc_get_info()["vendor_version"] in info["vendor_version"]

"""What Apache Superset asks of a database by SQLAlchemy: the inspector's questions about what is there, and the
statements of its charts, its filters and SQL Lab, with Superset's own expressions for time grains. Superset itself is
too large to install for a test.

usage: superset_questions.py REQUEST, where REQUEST is a file of JSON with
    uri, engine  what Superset's dialog of a database takes: the URI, and the parameters of the engine
    config       code of superset_config.py, or nothing
    schema       the schema that is asked about, as the dialect names it: DATABASE.SCHEMA
    one connection  whether all is asked by one, or each question by one of its own, as Superset does it
    afterwards   a query whose rows are reported too
It prints JSON: what was said about each question, and about each statement its rows.
"""

import datetime
import decimal
import json
import sys
import warnings
from pathlib import Path

import sqlalchemy
from sqlalchemy import and_, column, func, literal_column, select, text

#: superset/db_engine_specs/duckdb.py
TIME_GRAINS = {None: "{col}", **{grain: f"DATE_TRUNC('{grain}', {{col}})" for grain in
                                 ("second", "minute", "hour", "day", "week", "month", "quarter", "year")}}
ROW_LIMIT = 1000


def text_of(value: object) -> object:
    if isinstance(value, list | tuple):
        return [text_of(item) for item in value]
    if isinstance(value, dict):
        return {key: text_of(item) for key, item in value.items()}
    if isinstance(value, datetime.date | datetime.datetime | decimal.Decimal):
        return f"{type(value).__name__} {value}"
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def answer(ask, *arguments) -> object:
    """An error is an answer too: it has to be the same one."""
    try:
        return text_of(ask(*arguments))
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"


def questions(engine: sqlalchemy.engine.Engine, schema: str) -> dict[str, object]:
    """superset/models/core.py and superset/databases/utils.py: the tree of SQL Lab, and a new dataset."""
    inspector = sqlalchemy.inspect(engine)
    database = schema.split(".")[0]
    tables, views = sorted(inspector.get_table_names(schema)), sorted(inspector.get_view_names(schema))
    answers = {"schemas": [name for name in inspector.get_schema_names() if name.split(".")[0] == database],
               "default schema": inspector.default_schema_name, "tables": tables, "views": views}
    for name in [*tables, *views, "nowhere"]:
        answers[name] = {
            "is there": answer(inspector.has_table, name, schema),
            "columns": answer(inspector.get_columns, name, schema),
            "primary key": answer(inspector.get_pk_constraint, name, schema),
            "foreign keys": answer(inspector.get_foreign_keys, name, schema),
            "unique": answer(inspector.get_unique_constraints, name, schema),
            "checks": answer(inspector.get_check_constraints, name, schema),
            "indexes": answer(inspector.get_indexes, name, schema),
            "comment": answer(inspector.get_table_comment, name, schema),
            "view": answer(inspector.get_view_definition, name, schema)}
    return answers


def statements(engine: sqlalchemy.engine.Engine, schema: str) -> dict[str, str]:
    """superset/models/helpers.py (get_sqla_query), as text: Superset sends no parameters."""
    def table(name: str) -> sqlalchemy.sql.TableClause:
        return sqlalchemy.table(name, schema=schema)

    def compiled(statement) -> str:
        return str(statement.compile(engine, compile_kwargs={"literal_binds": True}))

    sales, line_items = table("sales"), table("lineitem")
    begin, end = literal_column("'2024-03-01 00:00:00.000000'"), literal_column("'2025-03-01 00:00:00.000000'")
    found = {}
    for grain, expression in TIME_GRAINS.items():
        stamp = literal_column(expression.format(col="sold")).label("__timestamp")
        found[f"chart by {grain}"] = compiled(
            select(stamp, func.count().label("count"), func.sum(column("amount")).label("sum__amount"))
            .select_from(sales).where(and_(column("sold") >= begin, column("sold") < end))
            .group_by(literal_column(expression.format(col="sold")))
            .order_by(literal_column("count").desc(), stamp).limit(ROW_LIMIT))
    month = literal_column(TIME_GRAINS["month"].format(col="sold"))
    # the series of a chart with a limit: the largest ones are found by a query within the query
    largest = (select(column("region").label("region__"), func.sum(column("amount")).label("mme_inner__"))
               .select_from(sales).where(and_(column("sold") >= begin, column("sold") < end))
               .group_by(column("region")).order_by(literal_column("mme_inner__").desc()).limit(3)
               .subquery("series_limit"))
    found["series"] = compiled(
        select(month.label("__timestamp"), column("region"), func.sum(column("amount")).label("sum__amount"))
        .select_from(sales.join(largest, column("region") == largest.c.region__)).group_by(column("region"), month)
        .order_by(literal_column("sum__amount").desc(), column("region"), month).limit(ROW_LIMIT))
    flag, status, quantity = column("l_returnflag"), column("l_linestatus"), column("l_quantity")
    found["table chart"] = compiled(
        select(flag, status, func.avg(quantity).label("average"), func.count(sqlalchemy.distinct(column("l_partkey")))
               .label("parts"), func.min(column("l_shipdate")).label("first"))
        .select_from(line_items).group_by(flag, status).having(func.count() > 1).order_by(flag, status))
    found["big number"] = compiled(select(func.sum(quantity).label("total")).select_from(line_items))
    found["values of a filter"] = compiled(
        select(column("l_shipmode")).distinct().select_from(line_items).order_by(column("l_shipmode")).limit(ROW_LIMIT))
    found["samples"] = compiled(
        select(text("*")).select_from(line_items).order_by(column("l_orderkey"), column("l_linenumber"))
        .limit(100).offset(200))
    dataset = text(f"SELECT region, sold::DATE AS day, amount FROM {sales.fullname} WHERE amount > 50")
    virtual = dataset.columns(column("region"), column("day"), column("amount")).subquery("virtual_table")
    found["virtual dataset"] = compiled(
        select(virtual.c.region, func.max(virtual.c.day).label("last")).group_by(virtual.c.region)
        .order_by(virtual.c.region).limit(ROW_LIMIT))
    found["rows of a dataset"] = f"SELECT COUNT(*) AS rowcount FROM (SELECT * FROM {sales.fullname}) AS rowcount_qry"
    found["SQL Lab"] = (f"SELECT * FROM {sales.fullname} JOIN {table('regions').fullname} USING (region)\n"
                        f"ORDER BY sold, id\nLIMIT 1001")
    return found


def run(connection: sqlalchemy.engine.Connection, sql: str) -> dict[str, object]:
    """With the columns and their types, by which Superset decides what is a time and what a number."""
    result = connection.exec_driver_sql(sql)
    return {"columns": [[description[0], str(description[1])] for description in result.cursor.description],
            "rows": text_of([tuple(row) for row in result.fetchall()])}


def main(request: dict) -> None:
    # The dialect says of each index that it cannot tell of it.
    warnings.simplefilter("ignore")
    exec(request["config"], {"__name__": "superset_config"})  # noqa: S102
    pool = sqlalchemy.pool.StaticPool if request["one connection"] else sqlalchemy.pool.NullPool
    engine = sqlalchemy.create_engine(request["uri"], poolclass=pool, **request["engine"])
    schema = request["schema"]
    found = statements(engine, schema)
    answers: dict[str, object] = {"questions": questions(engine, schema)}
    with engine.connect() as connection:
        assert engine.dialect.do_ping(connection.connection)
        answers["results"] = {name: run(connection, sql) for name, sql in found.items()}
        # the preview of a table, whose columns are those that the inspector has told
        sales = sqlalchemy.Table("sales", sqlalchemy.MetaData(), autoload_with=connection, schema=schema)
        preview = select(sales).order_by(sales.c.id).limit(10)
        answers["preview"] = run(connection, str(preview.compile(engine, compile_kwargs={"literal_binds": True})))
        answers["explained"] = [name for name, sql in found.items()
                                if connection.exec_driver_sql("EXPLAIN " + sql).fetchall()]
        answers["statements"] = found
        answers["afterwards"] = [list(row) for row in connection.exec_driver_sql(request["afterwards"]).fetchall()]
    json.dump(answers, sys.stdout)


main(json.loads(Path(sys.argv[1]).read_text()))

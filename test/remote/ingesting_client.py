"""A program that sends rows to a driver by ADBC and is killed while it does: python ingesting_client.py URI TABLE MODE

The token is in $TOKEN. It sends batches of 1000 rows, prints "sent" after the tenth, and goes on until its end; with
AUTOCOMMIT=off within a transaction that has changed the table before.
"""

import os
import sys
import time

import pyarrow
from adbc_driver_flightsql import dbapi


def batches():
    for number in range(1_000_000):
        yield pyarrow.record_batch({"i": pyarrow.array(range(1000), pyarrow.int64())})
        if number == 10:
            print("sent", flush=True)
        if number > 10:
            time.sleep(0.01)


def main() -> None:
    uri, table, mode = sys.argv[1:4]
    autocommit = os.environ.get("AUTOCOMMIT") != "off"
    options = {"adbc.flight.sql.authorization_header": f"Bearer {os.environ['TOKEN']}"}
    with dbapi.connect(uri, options, autocommit=autocommit) as connection, connection.cursor() as cursor:
        if not autocommit:
            cursor.execute(f'CREATE TABLE IF NOT EXISTS "{table}" (i BIGINT)')
            cursor.execute(f'INSERT INTO "{table}" VALUES (-1)')
        reader = pyarrow.RecordBatchReader.from_batches(pyarrow.schema([("i", pyarrow.int64())]), batches())
        cursor.adbc_ingest(table, reader, mode=mode)


main()

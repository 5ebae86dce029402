"""A client in C's manner, in a process without Python's duckdb: c_client.py LIBDUCKDB EXTENSION HOST:PORT.

Appends 5000 rows to dh.t by an appender, deletes most by a prepared statement, and prints what it counts.
"""

import ctypes
import sys


class Client:
    def __init__(self, library: str):
        self.lib = ctypes.CDLL(library)
        self.lib.duckdb_value_varchar.restype = ctypes.c_void_p
        for name in ("duckdb_appender_error", "duckdb_prepare_error", "duckdb_result_error"):
            getattr(self.lib, name).restype = ctypes.c_char_p
        self.database, self.connection = ctypes.c_void_p(), ctypes.c_void_p()
        config = ctypes.c_void_p()
        self.lib.duckdb_create_config(ctypes.byref(config))
        self.lib.duckdb_set_config(config, b"allow_unsigned_extensions", b"true")
        self.check(self.lib.duckdb_open_ext(None, ctypes.byref(self.database), config, None))
        self.check(self.lib.duckdb_connect(self.database, ctypes.byref(self.connection)))

    def check(self, state: int, message: bytes | None = None) -> None:
        if state != 0:
            sys.exit(str(message))

    def print_row(self, result) -> None:
        for column in range(self.lib.duckdb_column_count(ctypes.byref(result))):
            text = self.lib.duckdb_value_varchar(ctypes.byref(result), ctypes.c_uint64(column), ctypes.c_uint64(0))
            print((ctypes.cast(text, ctypes.c_char_p).value or b"").decode())

    def query(self, sql: str) -> None:
        result = (ctypes.c_uint64 * 8)()
        state = self.lib.duckdb_query(self.connection, sql.encode(), ctypes.byref(result))
        self.check(state, self.lib.duckdb_result_error(ctypes.byref(result)))
        if sql.startswith("SELECT"):
            self.print_row(result)

    def prepared(self, sql: str, *numbers: int) -> None:
        statement, result = ctypes.c_void_p(), (ctypes.c_uint64 * 8)()
        state = self.lib.duckdb_prepare(self.connection, sql.encode(), ctypes.byref(statement))
        self.check(state, self.lib.duckdb_prepare_error(statement))
        for place, number in enumerate(numbers):
            self.check(self.lib.duckdb_bind_int32(statement, ctypes.c_uint64(place + 1), ctypes.c_int32(number)))
        state = self.lib.duckdb_execute_prepared(statement, ctypes.byref(result))
        self.check(state, self.lib.duckdb_result_error(ctypes.byref(result)))
        if sql.startswith("SELECT"):
            self.print_row(result)
        self.lib.duckdb_destroy_prepare(ctypes.byref(statement))

    def append(self, rows: int) -> None:
        appender = ctypes.c_void_p()
        state = self.lib.duckdb_appender_create_ext(self.connection, b"dh", b"main", b"t", ctypes.byref(appender))
        self.check(state, self.lib.duckdb_appender_error(appender))
        for number in range(rows):
            self.check(self.lib.duckdb_append_int32(appender, ctypes.c_int32(number)))
            self.check(self.lib.duckdb_append_varchar(appender, b"text") if number % 2 else
                       self.lib.duckdb_append_null(appender))
            self.check(self.lib.duckdb_appender_end_row(appender), self.lib.duckdb_appender_error(appender))
        self.check(self.lib.duckdb_appender_close(appender), self.lib.duckdb_appender_error(appender))
        self.lib.duckdb_appender_destroy(ctypes.byref(appender))


def main(library: str, extension: str, address: str) -> None:
    client = Client(library)
    client.query(f"LOAD '{extension}'")
    client.query(f"ATTACH '{address}' AS dh (TYPE duckherder)")
    client.append(5000)
    client.query("SELECT count(*), count(s), sum(i) FROM dh.t")
    client.prepared("DELETE FROM dh.t WHERE i >= $1", 10)
    client.prepared("SELECT count(*) FROM dh.t WHERE i < $1", 100)
    # what is prepared by a call has no statement yet that its statistics could name
    client.query("CREATE TABLE here AS SELECT range AS i FROM range(10)")
    client.prepared("SELECT count(*) FROM here")


if __name__ == "__main__":
    main(*sys.argv[1:])

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Time;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.List;
import java.util.TimeZone;

/** What a program does by JDBC with the stock Flight SQL driver. Ends with an error at the first wrong answer. */
public final class JdbcClient {
    private JdbcClient() {
    }

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        String token = arguments[1];
        try (Connection connection = connect(url, token)) {
            queries(connection);
            changes(connection);
            metadata(connection);
            errors(connection);
            cancel(connection);
            endlessStatements(connection);
            times(connection);
            columns(connection);
            nothing(connection);
            transactions(connection);
        }
        // not closed: with such a statement the driver complains of a leak of its own
        moments(connect(url, token));
        try (Connection connection = connect(url, "wrong")) {
            connection.createStatement().executeQuery("SELECT 1");
            throw new AssertionError("a wrong token was taken");
        } catch (SQLException error) {
            expect(true, error.getMessage().contains("token"), error.getMessage());
        }
        System.out.println("done");
    }

    private static Connection connect(String url, String token) throws SQLException {
        return DriverManager.getConnection(url + "?useEncryption=false&user=anybody&password=" + token);
    }

    private static void queries(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(
                        "SELECT i, i / 3, 'text ' || i, NULL::INTEGER, DATE '2000-01-01' + i::INTEGER, "
                                + "1.25::DECIMAL(9, 2) FROM range(100000) t(i) ORDER BY i")) {
            long count = 0;
            while (rows.next()) {
                expect(count, rows.getLong(1), "i");
                expect("text " + count, rows.getString(3), "text");
                expect(null, rows.getObject(4), "NULL");
                if (count == 31) {
                    expect(Date.valueOf("2000-02-01"), rows.getDate(5), "date");
                    expect("1.25", rows.getBigDecimal(6).toString(), "decimal");
                }
                count++;
            }
            expect(100000L, count, "rows");
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT ?::INTEGER + 1, ?::VARCHAR || '!'")) {
            statement.setInt(1, 41);
            statement.setString(2, "text");
            try (ResultSet rows = statement.executeQuery()) {
                expect(true, rows.next(), "a row");
                expect(42, rows.getInt(1), "sum");
                expect("text!", rows.getString(2), "text");
            }
        }
    }

    private static void changes(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE jdbc_t (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL)");
            expect(2, statement.executeUpdate("INSERT INTO jdbc_t VALUES (1, 'a'), (2, 'b')"), "inserted");
        }
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc_t VALUES (?, ?)")) {
            for (int i = 3; i <= 5; i++) {
                insert.setInt(1, i);
                insert.setString(2, "name " + i);
                expect(1, insert.executeUpdate(), "inserted by a prepared statement");
            }
            for (int i = 6; i <= 10; i++) {
                insert.setInt(1, i);
                insert.setString(2, "name " + i);
                insert.addBatch();
            }
            insert.executeBatch();
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT count(*), max(name), sum(id) FROM jdbc_t")) {
            rows.next();
            expect(10L, rows.getLong(1), "rows");
            expect("name 9", rows.getString(2), "name");
            expect(55L, rows.getLong(3), "sum");
        }
    }

    private static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData data = connection.getMetaData();
        expect("Duckherder", data.getDatabaseProductName(), "product");
        expect("\"", data.getIdentifierQuoteString(), "quote");
        expect(false, data.isReadOnly(), "read only");
        expect(0, data.getMaxColumnNameLength(), "limit");
        // its commit and rollback do nothing
        expect(false, data.supportsTransactions(), "transactions");
        expect(Connection.TRANSACTION_NONE, data.getDefaultTransactionIsolation(), "isolation");
        expect(false, data.supportsTransactionIsolationLevel(Connection.TRANSACTION_REPEATABLE_READ), "isolation");
        expect(List.of("memory"), strings(data.getCatalogs(), "TABLE_CAT"), "catalogs");
        expect(true, strings(data.getSchemas("memory", null), "TABLE_SCHEM").contains("main"), "schemas");
        expect(List.of("TABLE", "VIEW"), strings(data.getTableTypes(), "TABLE_TYPE"), "table types");
        expect(List.of("jdbc_t"), strings(data.getTables(null, null, "jdbc%", new String[] {"TABLE"}), "TABLE_NAME"),
                "tables");
        expect(List.of("id", "name"), strings(data.getColumns(null, null, "jdbc_t", null), "COLUMN_NAME"), "columns");
        expect(List.of("id"), strings(data.getPrimaryKeys(null, null, "jdbc_t"), "COLUMN_NAME"), "primary key");
        expect(List.of(), strings(data.getImportedKeys(null, null, "jdbc_t"), "FKCOLUMN_NAME"), "foreign keys");
        expect(List.of(), strings(data.getExportedKeys(null, null, "jdbc_t"), "FKCOLUMN_NAME"), "foreign keys");
    }

    private static void errors(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.executeQuery("SELECT * FROM jdbc_nowhere");
            throw new AssertionError("no error");
        } catch (SQLException error) {
            expect(true, error.getMessage().contains("jdbc_nowhere does not exist"), error.getMessage());
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT error('row ' || i) FROM range(10) t(i)")) {
            rows.next();
            throw new AssertionError("no error");
        } catch (SQLException error) {
            expect(true, error.toString().contains("row ") || String.valueOf(error.getCause()).contains("row "),
                    error.toString());
        }
    }

    private static void cancel(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            try (ResultSet rows = statement.executeQuery("SELECT * FROM range(1000000000000)")) {
                while (rows.next()) {
                    if (rows.getLong(1) == 0) {
                        statement.cancel();
                    }
                }
                throw new AssertionError("it was not cancelled");
            } catch (SQLException error) {
                System.out.println("cancelled: " + error.getMessage());
            }
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT 42")) {
            rows.next();
            expect(42, rows.getInt(1), "after a cancelled statement");
        }
    }

    private static final String ENDLESS =
            "SELECT count(*) FROM range(100000000) a(x), range(1000) b(y) WHERE hash(x + y) = 1";

    /** What its client does not wait for any more ends at the driver, too. */
    private static void endlessStatements(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            statement.executeQuery(ENDLESS);
            throw new AssertionError("it has no timeout");
        } catch (SQLException error) {
            System.out.println("timed out: " + error.getMessage());
        }
        expectNothingRuns(connection);
        try (Statement statement = connection.createStatement()) {
            Thread canceller = new Thread(() -> {
                try {
                    Thread.sleep(500);
                    statement.cancel();
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            });
            canceller.start();
            try (ResultSet rows = statement.executeQuery(ENDLESS)) {
                rows.next();
                throw new AssertionError("it was not cancelled");
            } catch (SQLException | RuntimeException error) {
                System.out.println("cancelled: " + error.getMessage());
            }
            canceller.join();
        }
        expectNothingRuns(connection);
    }

    private static void expectNothingRuns(Connection connection) throws Exception {
        long begin = System.nanoTime();
        while (true) {
            try (Statement statement = connection.createStatement();
                    ResultSet rows = statement.executeQuery("SELECT count(*) FROM duckherder_sessions() WHERE "
                            + "last_statement LIKE '%hash%' AND last_statement NOT LIKE '%duckherder_sessions%'")) {
                rows.next();
                if (rows.getInt(1) == 0) {
                    return;
                }
            }
            if (System.nanoTime() - begin > 10_000_000_000L) {
                throw new AssertionError("the statement runs on");
            }
            Thread.sleep(20);
        }
    }

    private static void times(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE jdbc_times (t TIMESTAMP, s TIMESTAMP_S, ms TIMESTAMP_MS, ns TIMESTAMP_NS, "
                    + "tz TIMESTAMPTZ, c TIME, d DATE)");
        }
        Timestamp moment = Timestamp.valueOf("2024-05-06 07:08:09.123");
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc_times VALUES (?, ?, ?, ?, ?, ?, ?)")) {
            for (int i = 1; i <= 4; i++) {
                insert.setTimestamp(i, moment);
            }
            insert.setString(5, moment.toInstant().toString());
            insert.setTime(6, Time.valueOf("07:08:09"));
            insert.setDate(7, Date.valueOf("2024-05-06"));
            expect(1, insert.executeUpdate(), "inserted");
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT t::VARCHAR, s::VARCHAR, ms::VARCHAR, ns::VARCHAR, "
                        + "c::VARCHAR, d::VARCHAR, epoch_ms(tz), t, tz FROM jdbc_times")) {
            rows.next();
            expect("2024-05-06 07:08:09.123", rows.getString(1), "TIMESTAMP");
            expect("2024-05-06 07:08:09", rows.getString(2), "TIMESTAMP_S");
            expect("2024-05-06 07:08:09.123", rows.getString(3), "TIMESTAMP_MS");
            expect("2024-05-06 07:08:09.123", rows.getString(4), "TIMESTAMP_NS");
            expect("07:08:09", rows.getString(5), "TIME");
            expect("2024-05-06", rows.getString(6), "DATE");
            expect(moment.getTime(), rows.getLong(7), "TIMESTAMPTZ");
            if (TimeZone.getDefault().getRawOffset() == 0) {
                // elsewhere this driver takes the clock on the wall for that of UTC
                expect(moment, rows.getTimestamp(8), "TIMESTAMP read");
                expect(moment, rows.getTimestamp(9), "TIMESTAMPTZ read");
            }
        }
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT count(*) FROM jdbc_times WHERE t = ? AND c >= ? AND d = ?")) {
            query.setTimestamp(1, moment);
            query.setTime(2, Time.valueOf("07:08:09"));
            query.setDate(3, Date.valueOf("2024-05-06"));
            try (ResultSet rows = query.executeQuery()) {
                rows.next();
                expect(1, rows.getInt(1), "compared");
            }
        }
        try (Statement statement = connection.createStatement()) {
            statement.execute("DROP TABLE jdbc_times");
        }
    }

    /** The driver would send the clock on its wall as if it were that of UTC. */
    private static void moments(Connection connection) throws SQLException {
        PreparedStatement query = connection.prepareStatement("SELECT ?::TIMESTAMPTZ");
        query.setTimestamp(1, Timestamp.valueOf("2024-05-06 07:08:09.123"));
        try {
            query.executeQuery();
        } catch (SQLException | RuntimeException error) {
            System.out.println("refused: " + error.getMessage());
            return;
        }
        throw new AssertionError("a moment was taken");
    }

    /** As DuckDB itself says. */
    private static void columns(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE jdbc_parents (a INTEGER, b VARCHAR, PRIMARY KEY (a, b))");
            statement.execute("CREATE TABLE jdbc_columns (i INTEGER PRIMARY KEY, n VARCHAR NOT NULL DEFAULT 'x', "
                    + "m DECIMAL(12, 3), h HUGEINT, u UINTEGER, l INTEGER[], s STRUCT(a INTEGER), t TIMESTAMP_NS, "
                    + "tz TIMESTAMPTZ, uu UUID, e ENUM('a', 'b'), b BLOB, f FLOAT, d DOUBLE, o BOOLEAN, ti TIME, "
                    + "da DATE, iv INTERVAL, pa INTEGER, pb VARCHAR, FOREIGN KEY (pa, pb) REFERENCES jdbc_parents (a, b))");
            statement.execute("COMMENT ON COLUMN jdbc_columns.n IS 'the name'");
            statement.execute("CREATE VIEW jdbc_view AS SELECT i, n FROM jdbc_columns");
        }
        for (String table : List.of("jdbc_columns", "jdbc_parents", "jdbc_view")) {
            List<String> expected = new ArrayList<>();
            try (Statement statement = connection.createStatement();
                    ResultSet rows = statement.executeQuery("SELECT c.column_name, c.data_type, c.is_nullable, "
                            + "c.ordinal_position, d.comment FROM information_schema.columns c JOIN duckdb_columns() d "
                            + "USING (table_name, column_name) WHERE table_name = '" + table + "' ORDER BY "
                            + "c.ordinal_position")) {
                while (rows.next()) {
                    expected.add(rows.getString(1) + " " + rows.getString(2) + " " + rows.getString(3) + " "
                            + rows.getInt(4) + " " + rows.getString(5));
                }
            }
            List<String> told = new ArrayList<>();
            try (ResultSet rows = connection.getMetaData().getColumns("memory", "main", table, null)) {
                while (rows.next()) {
                    told.add(rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME") + " "
                            + rows.getString("IS_NULLABLE") + " " + rows.getInt("ORDINAL_POSITION") + " "
                            + rows.getString("REMARKS"));
                    expect(rows.getString("IS_NULLABLE").equals("YES") ? 1 : 0, rows.getInt("NULLABLE"), "NULLABLE");
                    if (rows.getString("COLUMN_NAME").equals("m")) {
                        expect(12, rows.getInt("COLUMN_SIZE"), "precision");
                        expect(3, rows.getInt("DECIMAL_DIGITS"), "scale");
                    }
                }
            }
            expect(expected, told, "columns of " + table);
        }
        DatabaseMetaData data = connection.getMetaData();
        expect(List.of("a", "b"), strings(data.getPrimaryKeys("memory", "main", "jdbc_parents"), "COLUMN_NAME"),
                "primary key");
        expect(List.of("pa", "pb"), strings(data.getImportedKeys("memory", "main", "jdbc_columns"), "FKCOLUMN_NAME"),
                "foreign key");
        expect(List.of("a", "b"), strings(data.getExportedKeys("memory", "main", "jdbc_parents"), "PKCOLUMN_NAME"),
                "exported key");
        try (Statement statement = connection.createStatement()) {
            statement.execute("DROP VIEW jdbc_view");
            statement.execute("DROP TABLE jdbc_columns");
            statement.execute("DROP TABLE jdbc_parents");
        }
    }

    private static void nothing(Connection connection) throws SQLException {
        for (String text : List.of("", "-- only a comment")) {
            try (Statement statement = connection.createStatement()) {
                statement.execute(text);
                throw new AssertionError("no error");
            } catch (SQLException error) {
                expect(true, error.toString().contains("There is no SQL statement")
                        || String.valueOf(error.getCause()).contains("There is no SQL statement"), error.toString());
            }
        }
    }

    private static void transactions(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            expect(10, statement.executeUpdate("DELETE FROM jdbc_t"), "deleted");
            statement.execute("DROP TABLE jdbc_t");
        }
    }

    private static List<String> strings(ResultSet rows, String column) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) {
            values.add(rows.getString(column));
        }
        rows.close();
        return values;
    }

    private static void expect(Object expected, Object actual, String what) {
        boolean same = expected == null ? actual == null : expected.equals(actual);
        if (!same) {
            throw new AssertionError(what + ": " + actual + " instead of " + expected);
        }
    }
}

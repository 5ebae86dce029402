import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

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
            transactions(connection);
        }
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
        expect(true, data.supportsTransactions(), "transactions");
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

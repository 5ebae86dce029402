import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/**
 * What DBeaver and other tools ask by JDBC: everything that DatabaseMetaData can tell, what DBeaver reads from DuckDB's
 * own functions, and the statements of its data editor.
 *
 * <p>usage: JdbcQuestions URL CATALOG FILE [NAME=VALUE...], where FILE has the statements that are run first, each ended
 * by a semicolon at the end of its line, and the others are properties of the connection. It prints one line of JSON a
 * question.
 */
public final class JdbcQuestions {
    private JdbcQuestions() {
    }

    private interface Question {
        Object ask() throws Exception;
    }

    /** {schema, table} of what is asked about one by one. */
    private static final String[][] TABLES = {{"main", "sales"}, {"main", "regions"}, {"main", "parts"}, {"main", "pieces"},
        {"main", "by_region"}, {"main", "lineitem"}, {"archive", "Old Sales"}, {"archive", "everything"}, {"main", "nowhere"}};
    private static final int PAGE = 200;

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        for (String property : Arrays.asList(arguments).subList(3, arguments.length)) {
            String[] parts = property.split("=", 2);
            properties.setProperty(parts[0], parts[1]);
        }
        try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
            try (Statement statement = connection.createStatement()) {
                for (String sql : Files.readString(Path.of(arguments[2])).split(";\n")) {
                    if (!sql.isBlank()) {
                        statement.execute(sql);
                    }
                }
            }
            String catalog = arguments[1];
            DatabaseMetaData data = connection.getMetaData();
            settings(data);
            catalogs(data, catalog);
            tables(data, catalog);
            definitions(connection, catalog);
            statements(connection, catalog);
        }
    }

    /** Each of its methods without arguments. */
    private static void settings(DatabaseMetaData data) {
        Method[] methods = DatabaseMetaData.class.getMethods();
        Arrays.sort(methods, Comparator.comparing(Method::getName));
        for (Method method : methods) {
            Class<?> type = method.getReturnType();
            if (method.getParameterCount() == 0 && (type.isPrimitive() || type == String.class)) {
                answer("setting " + method.getName(), () -> method.invoke(data));
            }
        }
    }

    private static void catalogs(DatabaseMetaData data, String catalog) {
        answer("catalogs", data::getCatalogs);
        answer("all schemas", data::getSchemas);
        answer("schemas", () -> data.getSchemas(catalog, null));
        answer("schemas by pattern", () -> data.getSchemas(catalog, "arch%"));
        answer("table types", data::getTableTypes);
        answer("types", data::getTypeInfo);
        answer("tables", () -> data.getTables(catalog, null, null, null));
        answer("tables of a schema", () -> data.getTables(catalog, "archive", "%", null));
        answer("tables by pattern", () -> data.getTables(catalog, "main", "%s_les", null));
        answer("views", () -> data.getTables(catalog, null, null, new String[] {"VIEW"}));
        answer("base tables", () -> data.getTables(catalog, null, null, new String[] {"BASE TABLE", "TABLE"}));
        answer("no such type", () -> data.getTables(catalog, null, null, new String[] {"SYNONYM"}));
        answer("columns", () -> data.getColumns(catalog, null, null, null));
        answer("columns by pattern", () -> data.getColumns(catalog, "main", "sales", "%o%"));
        answer("functions", () -> data.getFunctions(null, null, null));
        answer("macros", () -> data.getFunctions(catalog, null, "twice"));
        answer("parameters of functions", () -> data.getFunctionColumns(catalog, null, "twice", null));
        answer("procedures", () -> data.getProcedures(catalog, null, null));
        answer("parameters of procedures", () -> data.getProcedureColumns(catalog, null, null, null));
        answer("user-defined types", () -> data.getUDTs(catalog, null, null, null));
        answer("supertypes", () -> data.getSuperTypes(catalog, null, null));
        answer("supertables", () -> data.getSuperTables(catalog, null, null));
        answer("attributes", () -> data.getAttributes(catalog, null, null, null));
        answer("client info", data::getClientInfoProperties);
        answer("pseudo columns", () -> data.getPseudoColumns(catalog, null, null, null));
    }

    private static void tables(DatabaseMetaData data, String catalog) {
        for (String[] table : TABLES) {
            String schema = table[0];
            String name = table[1];
            String of = " of " + schema + "." + name;
            answer("primary key" + of, () -> data.getPrimaryKeys(catalog, schema, name));
            answer("imported keys" + of, () -> data.getImportedKeys(catalog, schema, name));
            answer("exported keys" + of, () -> data.getExportedKeys(catalog, schema, name));
            answer("indexes" + of, () -> data.getIndexInfo(catalog, schema, name, false, true));
            answer("unique indexes" + of, () -> data.getIndexInfo(catalog, schema, name, true, true));
            answer("row" + of, () -> data.getBestRowIdentifier(catalog, schema, name, DatabaseMetaData.bestRowSession, true));
            answer("versions" + of, () -> data.getVersionColumns(catalog, schema, name));
            answer("privileges" + of, () -> data.getTablePrivileges(catalog, schema, name));
            answer("column privileges" + of, () -> data.getColumnPrivileges(catalog, schema, name, null));
        }
        answer("keys between", () -> data.getCrossReference(catalog, "main", "parts", catalog, "main", "pieces"));
    }

    /** DuckMetaModel of DBeaver. */
    private static void definitions(Connection connection, String catalog) {
        for (String[] table : TABLES) {
            for (String kind : List.of("table", "view")) {
                answer("definition as a " + kind + " of " + table[0] + "." + table[1],
                    () -> prepared(connection, "SELECT sql FROM duckdb_" + kind + "s() WHERE database_name = ? AND "
                        + "schema_name = ? AND " + kind + "_name = ?", catalog, table[0], table[1]));
            }
        }
        answer("sequences", () -> prepared(connection, "SELECT sequence_name, comment, start_value, min_value, max_value, "
            + "increment_by, last_value FROM duckdb_sequences() WHERE database_name = ? AND schema_name = ?", catalog,
            "main"));
        answer("foreign keys", () -> prepared(connection, "SELECT table_name, constraint_name, constraint_column_names, "
            + "referenced_table, referenced_column_names FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY' "
            + "AND database_name = ? AND schema_name = ? ORDER BY ALL", catalog, "main"));
        answer("constraints", () -> prepared(connection, "SELECT table_name, constraint_type, constraint_text, "
            + "constraint_column_names FROM duckdb_constraints() WHERE database_name = ? AND schema_name = ? ORDER BY ALL",
            catalog, "main"));
        answer("types of its own", () -> prepared(connection, "SELECT type_name, logical_type, labels FROM duckdb_types() "
            + "WHERE database_name = ? AND schema_name = ? AND NOT internal ORDER BY ALL", catalog, "main"));
    }

    /** Its data editor: the first page of a table, the number of rows, a filter, an order and changes by the key. */
    private static void statements(Connection connection, String catalog) throws SQLException {
        String sales = catalog + ".main.sales";
        answer("page", () -> {
            Statement statement = connection.createStatement();
            statement.setMaxRows(PAGE);
            // DuckDB's driver takes no notice of it.
            return rows(statement.executeQuery("SELECT x.* FROM " + sales + " x ORDER BY id"), PAGE);
        });
        answer("types of a result", () -> described(connection, "SELECT * FROM " + sales + " LIMIT 0"));
        answer("number of rows", () -> connection.createStatement().executeQuery("SELECT count(*) FROM " + sales));
        answer("filter", () -> prepared(connection, "SELECT id, region, sold, amount FROM " + sales
            + " WHERE region = ? AND how = 'shop' ORDER BY amount DESC, id LIMIT 50", "south"));
        answer("chart", () -> connection.createStatement().executeQuery("SELECT l_returnflag, l_linestatus, count(*), "
            + "sum(l_quantity), min(l_shipdate), max(l_comment) FROM " + catalog + ".main.lineitem GROUP BY ALL ORDER BY ALL"));
        answer("an ENUM", () -> connection.createStatement().executeQuery("SELECT how, how::VARCHAR AS text FROM " + sales
            + " ORDER BY id LIMIT 3"));
        answer("explained", () -> {
            try (ResultSet rows = connection.createStatement().executeQuery("EXPLAIN SELECT count(*) FROM " + sales)) {
                return rows.next();
            }
        });
        for (String amount : List.of("12.50", "6.29")) {
            answer("changed to " + amount, () -> {
                try (PreparedStatement update = connection.prepareStatement(
                        "UPDATE " + sales + " SET amount = ? WHERE id = ?")) {
                    update.setBigDecimal(1, new BigDecimal(amount));
                    update.setInt(2, 17);
                    return update.executeUpdate();
                }
            });
            answer("after " + amount, () -> connection.createStatement().executeQuery(
                "SELECT amount FROM " + sales + " WHERE id = 17"));
        }
        answer("refused", () -> connection.createStatement().executeUpdate("DELETE FROM " + catalog
            + ".main.regions WHERE region = 'north'"));
        answer("afterwards", () -> connection.createStatement().executeQuery(
            System.getProperty("afterwards", "SELECT 1")));
    }

    private static ResultSet prepared(Connection connection, String sql, String... parameters) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql);
        for (int i = 0; i < parameters.length; i++) {
            statement.setString(i + 1, parameters[i]);
        }
        return statement.executeQuery();
    }

    private static List<List<Object>> described(Connection connection, String sql) throws SQLException {
        List<List<Object>> columns = new ArrayList<>();
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            ResultSetMetaData data = statement.getMetaData();
            for (int i = 1; i <= data.getColumnCount(); i++) {
                columns.add(Arrays.asList(data.getColumnName(i), data.getColumnTypeName(i), data.getColumnType(i),
                    data.getColumnClassName(i), data.getPrecision(i), data.getScale(i), data.isNullable(i), data.isSigned(i)));
            }
        }
        return columns;
    }

    /** An error is an answer too: it has to be the same one. */
    private static void answer(String name, Question question) {
        Object found;
        try {
            found = question.ask();
            if (found instanceof ResultSet) {
                found = rows((ResultSet) found, Integer.MAX_VALUE);
            }
        } catch (Exception | Error error) {
            Throwable cause = error instanceof InvocationTargetException ? error.getCause() : error;
            found = "error " + cause.getClass().getName() + ": " + cause.getMessage();
        }
        System.out.println("{" + json("question") + ": " + json(name) + ", " + json("answer") + ": " + json(found) + "}");
    }

    private static List<Map<String, Object>> rows(ResultSet result, int limit) throws SQLException {
        List<Map<String, Object>> rows = new ArrayList<>();
        // Those of DatabaseMetaData have a statement too, which ends with its rows.
        try (Statement statement = result.getStatement(); result) {
            ResultSetMetaData data = result.getMetaData();
            while (rows.size() < limit && result.next()) {
                Map<String, Object> row = new LinkedHashMap<>();
                for (int i = 1; i <= data.getColumnCount(); i++) {
                    row.put(data.getColumnLabel(i), result.getString(i));
                }
                rows.add(row);
            }
        }
        return rows;
    }

    private static String json(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            return String.valueOf(value);
        }
        if (value instanceof List) {
            List<String> items = new ArrayList<>();
            for (Object item : (List<?>) value) {
                items.add(json(item));
            }
            return "[" + String.join(", ", items) + "]";
        }
        if (value instanceof Map) {
            List<String> items = new ArrayList<>();
            for (Map.Entry<?, ?> item : ((Map<?, ?>) value).entrySet()) {
                items.add(json(item.getKey()) + ": " + json(item.getValue()));
            }
            return "{" + String.join(", ", items) + "}";
        }
        StringBuilder text = new StringBuilder("\"");
        for (char letter : value.toString().toCharArray()) {
            text.append(letter == '"' || letter == '\\' || letter < ' ' ? String.format("\\u%04x", (int) letter) : letter);
        }
        return text.append('"').toString();
    }
}

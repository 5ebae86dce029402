import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** Runs statements that come one a line, "update SQL" or "query SQL", and answers each with a line. */
public final class JdbcStatements {
    private JdbcStatements() {
    }

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0] + "?useEncryption=false&user=anybody&password=" + arguments[1];
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        try (Connection connection = DriverManager.getConnection(url)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                int space = line.indexOf(' ');
                System.out.println(answer(connection, line.substring(0, space), line.substring(space + 1)));
                System.out.flush();
            }
        }
    }

    private static String answer(Connection connection, String kind, String sql) {
        try (Statement statement = connection.createStatement()) {
            if (kind.equals("update")) {
                statement.executeUpdate(sql);
                return "answer";
            }
            StringBuilder text = new StringBuilder("answer");
            try (ResultSet rows = statement.executeQuery(sql)) {
                while (rows.next()) {
                    text.append(' ').append(rows.getLong(1));
                }
            }
            return text.toString();
        } catch (SQLException | RuntimeException error) {
            return "error " + error.toString().replace('\n', ' ');
        }
    }
}

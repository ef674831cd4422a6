import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;

/** The command line that every test program here shares (README.md two folders up). */
final class Options {
    private static final Set<String> FLAGS = Set.of("assign");

    final String command;
    /** The admin command, null for the others. */
    final String what;
    private final Map<String, String> given = new HashMap<>();
    private final List<String> config = new ArrayList<>();

    Options(String[] args) {
        int at = 0;
        command = args[at++];
        what = command.equals("admin") ? args[at++] : null;
        while (at < args.length) {
            String name = args[at++];
            if (!name.startsWith("--")) {
                throw new IllegalArgumentException("not an option: " + name);
            }
            name = name.substring(2);
            if (FLAGS.contains(name)) {
                given.put(name, "true");
            } else if (at == args.length) {
                throw new IllegalArgumentException("--" + name + " wants a value");
            } else if (name.equals("config")) {
                config.add(args[at++]);
            } else {
                given.put(name, args[at++]);
            }
        }
    }

    /** A value, or {@code otherwise}. */
    String get(String name, String otherwise) {
        return given.getOrDefault(name, otherwise);
    }

    /** A value that must be there. */
    String need(String name) {
        String value = given.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }

    boolean has(String name) {
        return given.containsKey(name);
    }

    long number(String name, long otherwise) {
        return has(name) ? Long.parseLong(need(name)) : otherwise;
    }

    /** A list of numbers, null when it was not given. */
    List<Integer> numbers(String name) {
        if (!has(name)) {
            return null;
        }
        List<Integer> out = new ArrayList<>();
        for (String part : need(name).split(",")) {
            out.add(Integer.parseInt(part));
        }
        return out;
    }

    /** The --config settings. */
    Map<String, String> config() {
        Map<String, String> out = new HashMap<>();
        for (String pair : config) {
            int equals = pair.indexOf('=');
            out.put(pair.substring(0, equals), pair.substring(equals + 1));
        }
        return out;
    }

    /** The settings that every client needs. */
    Properties connection() {
        Properties out = new Properties();
        out.put("bootstrap.servers", need("bootstrap"));
        if (has("tls-ca")) {
            out.put("security.protocol", "SSL");
            out.put("ssl.truststore.type", "PEM");
            out.put("ssl.truststore.location", need("tls-ca"));
        }
        if (has("sasl")) {
            String[] parts = need("sasl").split(":", 3);
            out.put("security.protocol", has("tls-ca") ? "SASL_SSL" : "SASL_PLAINTEXT");
            out.put("sasl.mechanism", parts[0]);
            String module = parts[0].equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
            out.put("sasl.jaas.config", "org.apache.kafka.common.security." + module
                + " required username=\"" + parts[1] + "\" password=\"" + parts[2] + "\";");
        }
        return out;
    }
}

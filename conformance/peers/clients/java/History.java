import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Map;

/** One JSON line for each thing that happened, in the words that every test program here uses. */
final class History {
    // Not System.out: it would flush each line, and callbacks of several threads write here.
    private static final PrintStream OUT = new PrintStream(
        new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16), false, StandardCharsets.UTF_8);

    private History() {}

    /** Writes a line: the operation, then names and values in turn. */
    static synchronized void emit(String op, Object... fields) {
        StringBuilder line = new StringBuilder("{\"op\":").append(quoted(op));
        for (int i = 0; i < fields.length; i += 2) {
            line.append(',').append(quoted((String) fields[i])).append(':');
            json(line, fields[i + 1]);
        }
        OUT.append(line).append(",\"t_ms\":" + System.currentTimeMillis() + "}\n");
    }

    /** Sends on what was written. */
    static synchronized void flush() {
        OUT.flush();
    }

    private static void json(StringBuilder out, Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Map<?, ?> map) {
            String mark = "{";
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(mark).append(quoted(entry.getKey().toString())).append(':');
                json(out, entry.getValue());
                mark = ",";
            }
            out.append(map.isEmpty() ? "{}" : "}");
        } else if (value instanceof Collection<?> list) {
            String mark = "[";
            for (Object one : list) {
                out.append(mark);
                json(out, one);
                mark = ",";
            }
            out.append(list.isEmpty() ? "[]" : "]");
        } else {
            out.append(quoted(value.toString()));
        }
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    /** The unique value of a record: client:sequence, padded to {@code size} bytes with a colon and x. */
    static String valueOf(String client, long seq, int size) {
        String value = nameOf(client, seq);
        return value.length() >= size ? value : value + ":" + "x".repeat(size - value.length() - 1);
    }

    /** A value without padding. */
    static String nameOf(String client, long seq) {
        return String.format("%s:%06d", client, seq);
    }

    /** What was read without its padding; one with damaged padding stays whole, so that it cannot pass. */
    static String nameOf(byte[] value) {
        if (value == null) {
            return null;
        }
        String text = new String(value, StandardCharsets.UTF_8);
        int last = text.lastIndexOf(':');
        boolean padded = last > 0 && text.lastIndexOf(':', last - 1) > 0 && text.substring(last + 1).chars().allMatch(c -> c == 'x');
        return padded ? text.substring(0, last) : text;
    }
}

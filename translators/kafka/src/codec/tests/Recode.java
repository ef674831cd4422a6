// Reads lines "message version hex" and passes each through Kafka's own class for the message, which
// must take all the bytes and write the same ones again. Versions that this Kafka lacks are left out.
// Prints what differs and how many messages were compared; fails when something differs.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;

public class Recode {
    private static final List<String> NAMES = List.of(
        "org.apache.kafka.common.message.%sData",
        "org.apache.kafka.common.message.%s",
        "org.apache.kafka.coordinator.group.generated.%s",
        "org.apache.kafka.coordinator.transaction.generated.%s");

    public static void main(String[] arguments) throws Exception {
        var compared = new TreeSet<String>();
        int differing = 0;
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split(" ", 3);
            short version = Short.parseShort(parts[1]);
            Class<?> type = type(parts[0]);
            if (type == null || !knows(type, version)) {
                continue;
            }
            compared.add(parts[0]);
            byte[] bytes = HexFormat.of().parseHex(parts[2]);
            String fault = fault(type, version, bytes);
            if (fault != null && ++differing <= 20) {
                System.out.println(parts[0] + " v" + version + ": " + fault);
            }
        }
        System.out.println(compared.size());
        System.exit(differing == 0 ? 0 : 1);
    }

    private static Class<?> type(String name) {
        for (String pattern : NAMES) {
            try {
                return Class.forName(String.format(pattern, name));
            } catch (ClassNotFoundException absent) {
                continue;
            }
        }
        return null;
    }

    private static boolean knows(Class<?> type, short version) throws ReflectiveOperationException {
        return version >= type.getField("LOWEST_SUPPORTED_VERSION").getShort(null)
            && version <= type.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
    }

    private static String fault(Class<?> type, short version, byte[] bytes) {
        try {
            ByteBuffer input = ByteBuffer.wrap(bytes);
            var message = (Message) type.getConstructor(Readable.class, short.class)
                .newInstance(new ByteBufferAccessor(input), version);
            var cache = new ObjectSerializationCache();
            ByteBuffer output = ByteBuffer.allocate(message.size(cache, version));
            message.write(new ByteBufferAccessor(output), cache, version);
            if (input.hasRemaining()) {
                return input.remaining() + " bytes left";
            }
            return Arrays.equals(output.array(), bytes) ? null : "written differently";
        } catch (ReflectiveOperationException | RuntimeException refused) {
            return String.valueOf(refused.getCause() == null ? refused : refused.getCause());
        }
    }
}

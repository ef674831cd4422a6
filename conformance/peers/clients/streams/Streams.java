import java.nio.file.Files;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** A pipeline on Kafka Streams with exactly_once_v2: every record of one topic goes to another one, until SIGTERM. */
public final class Streams {
    private Streams() {}

    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamsBuilder builder = new StreamsBuilder();
        AtomicLong seen = new AtomicLong();
        builder.stream(options.need("source")).peek((key, value) -> seen.incrementAndGet()).to(options.need("topic"));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(options));
        String id = options.need("id");
        History.emit("start", "role", "streams", "client", id, "topic", options.need("topic"), "library", "kafka-streams");
        streams.setStateListener((now, before) -> {
            History.emit("state", "client", id, "state", now.toString(), "seen", seen.get());
            History.flush();
        });
        streams.setUncaughtExceptionHandler(error -> {
            History.emit("restart", "client", id, "error", String.valueOf(error));
            History.flush();
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        CountDownLatch stopped = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopped.countDown();
            try {
                ended.await(60, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        streams.start();
        stopped.await();
        boolean orderly = streams.close(java.time.Duration.ofSeconds(45));
        History.emit("result", "client", id, "seen", seen.get(), "orderly", orderly);
        History.flush();
        ended.countDown();
        Runtime.getRuntime().halt(orderly ? 0 : 1);
    }

    private static Properties settings(Options options) throws Exception {
        Properties out = options.connection();
        out.put(StreamsConfig.APPLICATION_ID_CONFIG, options.need("id"));
        out.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        out.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, (int) options.number("threads", 2));
        out.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        out.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        out.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("streams").toString());
        out.put("auto.offset.reset", "earliest");
        out.putAll(options.config());
        return out;
    }
}

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes numbered records and tells what became of each. */
final class Produce {
    private final Options options;
    private final String client;
    private final String topic;
    private final String acks;
    private final boolean idempotent;
    private final List<Integer> partitions;
    private final long first;
    private final long end;
    private final double rate;
    private final AtomicLong acked = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private final long begun = System.nanoTime();
    private long seq;
    private KafkaProducer<byte[], byte[]> producer;

    Produce(Options options) {
        this.options = options;
        client = options.need("id");
        topic = options.need("topic");
        acks = options.get("acks", "all");
        idempotent = options.get("idempotent", "true").equals("true") && acks.equals("all");
        partitions = options.numbers("partitions");
        first = options.number("start", 0);
        long count = options.number("count", 0);
        end = count == 0 ? Long.MAX_VALUE : first + count;
        rate = Double.parseDouble(options.get("rate", "0"));
        seq = first;
    }

    private Properties settings() {
        Properties out = options.connection();
        out.put("key.serializer", ByteArraySerializer.class.getName());
        out.put("value.serializer", ByteArraySerializer.class.getName());
        out.put("acks", acks);
        out.put("enable.idempotence", String.valueOf(idempotent));
        out.put("compression.type", options.get("compression", "none"));
        out.put("linger.ms", "5");
        if (options.has("transactional-id")) {
            out.put("transactional.id", options.need("transactional-id"));
        }
        out.putAll(options.config());
        return out;
    }

    int run() {
        History.emit("start", "role", "produce", "client", client, "topic", topic, "library", Client.library(),
            "acks", acks, "idempotent", idempotent, "compression", options.get("compression", "none"), "first", first);
        try (KafkaProducer<byte[], byte[]> opened = new KafkaProducer<>(settings())) {
            producer = opened;
            if (options.has("transactional-id")) {
                transactions();
            } else {
                while (more()) {
                    send(null);
                }
            }
            producer.flush();
            producer.close(Duration.ofSeconds(130));
        } catch (KafkaException e) {
            History.emit("error", "client", client, "error", e.toString(), "fatal", true);
        }
        long sent = seq - first;
        long unknown = sent - acked.get() - failed.get();
        History.emit("done", "role", "produce", "client", client, "topic", topic, "first", first, "sent", sent,
            "acked", acked.get(), "failed", failed.get(), "unknown", unknown);
        return failed.get() == 0 && unknown == 0 ? 0 : 4;
    }

    /** Waits until the next record is due; false when there is none. */
    private boolean more() {
        while (rate > 0 && !Client.stopped) {
            long due = begun + (long) ((seq - first) * 1e9 / rate);
            long wait = due - System.nanoTime();
            if (wait <= 0) {
                break;
            }
            History.flush();
            LockSupport.parkNanos(Math.min(wait, 50_000_000));
        }
        if (seq % 100 == 0) {
            History.flush();
        }
        return seq < end && !Client.stopped;
    }

    private void transactions() {
        long size = options.number("txn-size", 10);
        long abortEvery = options.number("abort-every", 0);
        producer.initTransactions();
        for (long txn = 1; seq < end && !Client.stopped; txn++) {
            producer.beginTransaction();
            for (long i = 0; i < size && more(); i++) {
                send(txn);
            }
            boolean abort = abortEvery > 0 && txn % abortEvery == 0;
            if (abort) {
                producer.flush();
                producer.abortTransaction();
            } else {
                producer.commitTransaction();
            }
            History.emit("txn", "client", client, "topic", topic, "txn", txn, "outcome", abort ? "abort" : "commit");
            History.flush();
        }
    }

    private void send(Long txn) {
        long number = seq++;
        String key = client + "-" + number % options.number("keys", 16);
        String value = History.valueOf(client, number, (int) options.number("value-bytes", 0));
        Integer partition = partitions == null ? null : partitions.get((int) (number % partitions.size()));
        List<Object> about = new ArrayList<>(Arrays.asList("client", client, "topic", topic, "seq", number, "key", key,
            "value", History.nameOf(client, number), "sent_ms", System.currentTimeMillis()));
        if (txn != null) {
            about.addAll(List.of("txn", txn));
        }
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition,
            key.getBytes(StandardCharsets.UTF_8), value.getBytes(StandardCharsets.UTF_8));
        producer.send(record, (where, error) -> {
            if (error != null) {
                failed.incrementAndGet();
                about.addAll(List.of("definite", isRefusal(error), "error", error.toString()));
                History.emit("fail", about.toArray());
                return;
            }
            acked.incrementAndGet();
            long offset = where.hasOffset() && !acks.equals("0") ? where.offset() : -1;
            about.addAll(List.of("partition", where.partition(), "offset", offset));
            History.emit("ack", about.toArray());
        });
    }

    /** Whether a record is surely not in the log. */
    private static boolean isRefusal(Exception error) {
        return error instanceof RecordTooLargeException || error instanceof TopicAuthorizationException
            || error instanceof InvalidTopicException;
    }
}

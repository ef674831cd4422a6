import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads a topic, in a group or alone, and tells of each record and each change of partitions. */
final class Consume implements ConsumerRebalanceListener {
    private static final Map<String, String> ASSIGNORS = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    private final Options options;
    private final String topic;
    private final String group;
    private final String member;
    private long read;
    private KafkaConsumer<byte[], byte[]> consumer;

    Consume(Options options) {
        this.options = options;
        topic = options.need("topic");
        group = options.get("group", null);
        member = options.get("member", "m1");
        if ((group != null) == options.has("assign")) {
            throw new IllegalArgumentException("want either --group or --assign");
        }
    }

    private Properties settings() {
        Properties out = options.connection();
        out.put("key.deserializer", ByteArrayDeserializer.class.getName());
        out.put("value.deserializer", ByteArrayDeserializer.class.getName());
        out.put("auto.offset.reset", options.get("from", "earliest").equals("latest") ? "latest" : "earliest");
        out.put("isolation.level", options.get("isolation", "read_uncommitted"));
        out.put("enable.auto.commit", String.valueOf(group != null && options.get("commit", "auto").equals("auto")));
        out.put("auto.commit.interval.ms", options.get("commit-interval-ms", "500"));
        out.put("fetch.max.wait.ms", "100");
        if (group != null) {
            out.put("group.id", group);
            out.put("session.timeout.ms", options.get("session-timeout-ms", "10000"));
        }
        if (options.has("assignor")) {
            out.put("partition.assignment.strategy", ASSIGNORS.get(options.need("assignor")));
        }
        if (options.has("instance-id")) {
            out.put("group.instance.id", options.need("instance-id"));
        }
        out.putAll(options.config());
        if ("consumer".equals(out.get("group.protocol"))) { // the broker decides
            out.remove("session.timeout.ms");
        }
        return out;
    }

    int run() {
        emit("start", "role", "consume", "library", Client.library(),
            "isolation", options.get("isolation", "read_uncommitted"));
        boolean failed = false;
        try (KafkaConsumer<byte[], byte[]> opened = new KafkaConsumer<>(settings())) {
            consumer = opened;
            begin();
            long count = options.number("count", 0);
            long idleMs = options.number("until-idle", 0);
            long last = System.currentTimeMillis();
            while (!Client.stopped && (count == 0 || read < count)) {
                if (take()) {
                    last = System.currentTimeMillis();
                } else if (idleMs > 0 && System.currentTimeMillis() - last > idleMs) {
                    break;
                }
            }
        } catch (KafkaException e) {
            failed = true;
            emit("error", "error", e.toString(), "fatal", true);
        }
        emit("done", "role", "consume", "read", read);
        return failed ? 4 : 0;
    }

    private void begin() {
        if (group != null) {
            consumer.subscribe(List.of(topic), this);
            return;
        }
        List<Integer> wanted = options.numbers("partitions");
        if (wanted == null) {
            wanted = consumer.partitionsFor(topic).stream().map(p -> p.partition()).sorted().toList();
        }
        List<TopicPartition> all = wanted.stream().map(p -> new TopicPartition(topic, p)).toList();
        consumer.assign(all);
        switch (options.get("from", "earliest")) {
            case "earliest" -> consumer.seekToBeginning(all);
            case "latest" -> consumer.seekToEnd(all);
            default -> all.forEach(p -> consumer.seek(p, options.number("from", 0)));
        }
        change("assigned", all);
    }

    private boolean take() {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
        for (ConsumerRecord<byte[], byte[]> record : records) {
            read++;
            emit("read", "partition", record.partition(), "offset", record.offset(),
                "key", record.key() == null ? null : new String(record.key()), "value", History.nameOf(record.value()));
        }
        // Before the commit: a reader killed in between must not leave a hole in its history.
        History.flush();
        if (!records.isEmpty() && group != null && options.get("commit", "auto").equals("sync")) {
            consumer.commitSync();
        }
        return !records.isEmpty();
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        change("assigned", partitions);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        change("revoked", partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        change("lost", partitions);
    }

    private void change(String event, Collection<TopicPartition> partitions) {
        emit("rebalance", "event", event, "partitions", partitions.stream().map(TopicPartition::partition).sorted().toList());
        History.flush();
    }

    private void emit(String op, Object... more) {
        List<Object> fields = new ArrayList<>();
        for (Object one : new Object[] {"topic", topic, "group", group, "member", member}) {
            fields.add(one);
        }
        for (Object one : more) {
            fields.add(one);
        }
        History.emit(op, fields.toArray());
    }
}

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.protocol.Errors;

/** Administration: each command prints one result line. */
final class Administer {
    private final Admin admin;
    private final Options options;
    private final String topic;
    private final String group;

    private Administer(Admin admin, Options options) {
        this.admin = admin;
        this.options = options;
        topic = options.get("topic", null);
        group = options.get("group", null);
    }

    static int run(Options options) throws InterruptedException {
        try (Admin admin = Admin.create(options.connection())) {
            List<Object> fields = new ArrayList<>(List.of("command", options.what));
            new Administer(admin, options).answer().forEach((name, value) -> {
                fields.add(name);
                fields.add(value);
            });
            History.emit("result", fields.toArray());
            return 0;
        } catch (ExecutionException e) {
            History.emit("error", "command", options.what, "code", Errors.forException(e.getCause()).name(),
                "error", e.getCause().toString(), "fatal", true);
            return 4;
        }
    }

    private Map<String, Object> answer() throws ExecutionException, InterruptedException {
        Map<String, Object> out = new LinkedHashMap<>();
        if (topic != null) {
            out.put("topic", topic);
        }
        if (group != null) {
            out.put("group", group);
        }
        switch (options.what) {
            case "list-topics" -> out.put("topics", new TreeSet<>(admin.listTopics().names().get()));
            case "create-topic" -> createTopic();
            case "describe-topic" -> describeTopic(out);
            case "delete-topic" -> admin.deleteTopics(List.of(topic)).all().get();
            case "add-partitions" -> admin.createPartitions(
                Map.of(topic, NewPartitions.increaseTo((int) options.number("partitions", 1)))).all().get();
            case "get-config" -> getConfig(out);
            case "set-config" -> setConfig();
            case "list-groups" -> out.put("groups",
                new TreeSet<>(admin.listConsumerGroups().all().get().stream().map(g -> g.groupId()).toList()));
            case "describe-group" -> describeGroup(out);
            case "delete-group" -> admin.deleteConsumerGroups(List.of(group)).all().get();
            case "group-offsets" -> groupOffsets(out);
            case "set-group-offset" -> admin.alterConsumerGroupOffsets(group,
                Map.of(where(), new OffsetAndMetadata(options.number("offset", 0)))).all().get();
            case "offsets" -> offsets(out);
            case "delete-records" -> {
                out.put("partition", options.number("partition", 0));
                out.put("low_watermark", admin.deleteRecords(
                    Map.of(where(), RecordsToDelete.beforeOffset(options.number("offset", 0))))
                    .lowWatermarks().get(where()).get().lowWatermark());
            }
            default -> throw new IllegalArgumentException("no admin command " + options.what);
        }
        return out;
    }

    private TopicPartition where() {
        return new TopicPartition(topic, (int) options.number("partition", 0));
    }

    private void createTopic() throws ExecutionException, InterruptedException {
        short replication = (short) options.number("replication", -1);
        Optional<Short> copies = replication < 0 ? Optional.empty() : Optional.of(replication);
        NewTopic wanted = new NewTopic(topic, Optional.of((int) options.number("partitions", 1)), copies);
        admin.createTopics(List.of(wanted.configs(options.config()))).all().get();
    }

    private TopicDescription described() throws ExecutionException, InterruptedException {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private void describeTopic(Map<String, Object> out) throws ExecutionException, InterruptedException {
        TopicDescription found = described();
        out.put("topic_id", found.topicId().toString());
        List<Object> partitions = new ArrayList<>();
        for (TopicPartitionInfo p : found.partitions()) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("partition", p.partition());
            one.put("leader", p.leader() == null ? -1 : p.leader().id());
            one.put("replicas", p.replicas().stream().map(Node::id).toList());
            one.put("isr", p.isr().stream().map(Node::id).toList());
            partitions.add(one);
        }
        out.put("partitions", partitions);
    }

    private void getConfig(Map<String, Object> out) throws ExecutionException, InterruptedException {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Map<String, Object> found = new TreeMap<>();
        admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()
            .forEach(entry -> found.put(entry.name(), entry.value()));
        out.put("config", found);
    }

    private void setConfig() throws ExecutionException, InterruptedException {
        List<AlterConfigOp> changes = new ArrayList<>();
        options.config().forEach((k, v) -> changes.add(new AlterConfigOp(new ConfigEntry(k, v), AlterConfigOp.OpType.SET)));
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic), changes)).all().get();
    }

    private void describeGroup(Map<String, Object> out) throws ExecutionException, InterruptedException {
        ConsumerGroupDescription found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        out.put("state", found.state().name().toLowerCase());
        List<Object> members = new ArrayList<>();
        found.members().forEach(m -> {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("client_id", m.clientId());
            one.put("instance_id", m.groupInstanceId().orElse(null));
            one.put("partitions", m.assignment().topicPartitions().stream().map(TopicPartition::partition).sorted().toList());
            members.add(one);
        });
        out.put("members", members);
    }

    private void groupOffsets(Map<String, Object> out) throws ExecutionException, InterruptedException {
        Map<String, Object> sorted = new TreeMap<>();
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((p, at) -> {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("topic", p.topic());
            one.put("partition", p.partition());
            one.put("offset", at.offset());
            one.put("metadata", at.metadata());
            sorted.put(String.format("%s %08d", p.topic(), p.partition()), one);
        });
        out.put("offsets", sorted.values());
    }

    private void offsets(Map<String, Object> out) throws ExecutionException, InterruptedException {
        List<Object> all = new ArrayList<>();
        for (TopicPartitionInfo p : described().partitions()) {
            TopicPartition at = new TopicPartition(topic, p.partition());
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("partition", p.partition());
            one.put("earliest", admin.listOffsets(Map.of(at, OffsetSpec.earliest())).partitionResult(at).get().offset());
            one.put("latest", admin.listOffsets(Map.of(at, OffsetSpec.latest())).partitionResult(at).get().offset());
            all.add(one);
        }
        out.put("offsets", all);
    }
}

"""Administration: each command prints one result line."""

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
)

import history
import options as command_line


def run(options, connection, _library):
    admin = AdminClient(connection)
    try:
        found = COMMANDS[options.what](admin, options)
    except KafkaException as error:
        history.emit("error", command=options.what, code=error.args[0].name(), error=str(error), fatal=True)
        return 4
    history.emit("result", command=options.what, **found)
    return 0


def _only(futures):
    """The single result of a call about one thing."""
    return next(iter(futures.values())).result(60)


def _list_topics(admin, _options):
    return {"topics": sorted(admin.list_topics(timeout=30).topics)}


def _create_topic(admin, options):
    topic = NewTopic(options.topic, options.partitions or 1, options.replication, config=command_line.pairs(options))
    _only(admin.create_topics([topic], operation_timeout=30))
    return {"topic": options.topic}


def _describe_topic(admin, options):
    found = _only(admin.describe_topics(TopicCollection([options.topic])))
    return {
        "topic": found.name,
        "topic_id": str(found.topic_id),
        "partitions": [
            {"partition": p.id, "leader": p.leader.id if p.leader else -1, "replicas": [r.id for r in p.replicas],
             "isr": [r.id for r in p.isr]}
            for p in sorted(found.partitions, key=lambda p: p.id)
        ],
    }


def _delete_topic(admin, options):
    _only(admin.delete_topics([options.topic], operation_timeout=30))
    return {"topic": options.topic}


def _add_partitions(admin, options):
    _only(admin.create_partitions([NewPartitions(options.topic, options.partitions)]))
    return {"topic": options.topic, "partitions": options.partitions}


def _get_config(admin, options):
    found = _only(admin.describe_configs([ConfigResource(ResourceType.TOPIC, options.topic)]))
    return {"topic": options.topic, "config": {k: v.value for k, v in sorted(found.items())}}


def _set_config(admin, options):
    entries = [
        ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET) for k, v in command_line.pairs(options).items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, options.topic, incremental_configs=entries)
    _only(admin.incremental_alter_configs([resource]))
    return {"topic": options.topic}


def _list_groups(admin, _options):
    found = admin.list_consumer_groups().result(60)
    return {"groups": sorted(g.group_id for g in found.valid)}


def _describe_group(admin, options):
    found = _only(admin.describe_consumer_groups([options.group]))
    members = [
        {"client_id": m.client_id, "instance_id": m.group_instance_id,
         "partitions": sorted(p.partition for p in m.assignment.topic_partitions)}
        for m in found.members
    ]
    return {"group": options.group, "state": found.state.name.lower(), "members": members}


def _delete_group(admin, options):
    _only(admin.delete_consumer_groups([options.group]))
    return {"group": options.group}


def _group_offsets(admin, options):
    found = _only(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(options.group)]))
    return {
        "group": options.group,
        "offsets": [
            {"topic": p.topic, "partition": p.partition, "offset": p.offset, "metadata": p.metadata or ""}
            for p in sorted(found.topic_partitions, key=lambda p: (p.topic, p.partition))
        ],
    }


def _set_group_offset(admin, options):
    where = TopicPartition(options.topic, options.partition, options.offset)
    _only(admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(options.group, [where])]))
    return {"group": options.group}


def _offsets(admin, options):
    partitions = sorted(admin.list_topics(options.topic, timeout=30).topics[options.topic].partitions)
    out = {p: {"partition": p} for p in partitions}
    for name, spec in (("earliest", OffsetSpec.earliest()), ("latest", OffsetSpec.latest())):
        found = admin.list_offsets({TopicPartition(options.topic, p): spec for p in partitions})
        for where, future in found.items():
            out[where.partition][name] = future.result(60).offset
    return {"topic": options.topic, "offsets": list(out.values())}


def _delete_records(admin, options):
    found = _only(admin.delete_records([TopicPartition(options.topic, options.partition, options.offset)]))
    return {"topic": options.topic, "partition": options.partition, "low_watermark": found.low_watermark}


COMMANDS = {
    "list-topics": _list_topics, "create-topic": _create_topic, "describe-topic": _describe_topic,
    "delete-topic": _delete_topic, "add-partitions": _add_partitions, "get-config": _get_config,
    "set-config": _set_config, "list-groups": _list_groups, "describe-group": _describe_group,
    "delete-group": _delete_group, "group-offsets": _group_offsets, "set-group-offset": _set_group_offset,
    "offsets": _offsets, "delete-records": _delete_records,
}

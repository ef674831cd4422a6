"""What one user may do: every operation of a list, tried with a stock client; prints {operation: outcome} as JSON.

Runs under the interpreter of the peers: confluent-kafka. Nothing is left behind: what is created or deleted does not exist.
"""

import json
import sys
from concurrent.futures import TimeoutError as FutureTimeout

from confluent_kafka import (ConsumerGroupTopicPartitions, Consumer, KafkaException, OFFSET_BEGINNING, Producer,
                             TopicPartition)
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient,
                                   AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
                                   ResourcePatternType, ResourceType)

TOPICS = ("shop-a", "shop-b", "bank-a")
GROUPS = ("shop-g1", "bank-g1")
SECONDS = 15
# A denied fetch is not told by the consumer: it only brings nothing.
FETCH_SECONDS = 5


def settings(bootstrap, user, password, **more):
    """How this user logs in."""
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": user,
             "sasl.password": password} if user else {}
    return {"bootstrap.servers": bootstrap, "log_level": 0, **login, **more}


def outcome(run):
    """What came of it: "ok", or the error's name."""
    try:
        return run() or "ok"
    except (TimeoutError, FutureTimeout):
        return "no answer"
    except KafkaException as error:
        return error.args[0].name()


def of_future(future):
    """As `outcome`, for what the administration client returns."""
    def run():
        future.result(SECONDS)
    return outcome(run)


def only(futures):
    """The one future of an answer."""
    return of_future(next(iter(futures.values())))


def topics(admin, login, found):
    """What can be done with each topic."""
    for name in TOPICS:
        part, absent = TopicPartition(name, 0), f"{name}-absent"
        found[f"metadata {name}"] = outcome(lambda name=name: metadata(admin, name))
        found[f"produce {name}"] = produce(login, name)
        found[f"produce idempotently {name}"] = produce(login, name, idempotent=True)
        found[f"fetch {name}"] = fetch(login, name)
        found[f"list offsets {name}"] = only(admin.list_offsets({part: OffsetSpec.latest()}, request_timeout=SECONDS))
        found[f"delete records {name}"] = only(admin.delete_records([TopicPartition(name, 0, 0)]))
        found[f"create {absent}"] = only(admin.create_topics([NewTopic(absent, 1, 1)], validate_only=True))
        found[f"delete {absent}"] = only(admin.delete_topics([absent], operation_timeout=5))
        found[f"create partitions {name}"] = only(admin.create_partitions([NewPartitions(name, 9)], validate_only=True))
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        found[f"describe configs {name}"] = only(admin.describe_configs([resource]))
        entry = ConfigEntry("retention.ms", "1000000", incremental_operation=AlterConfigOpType.SET)
        change = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
        found[f"alter configs {name}"] = only(admin.incremental_alter_configs([change], validate_only=True))


def groups(admin, found):
    """What can be done with each group."""
    for group in GROUPS:
        found[f"describe group {group}"] = only(admin.describe_consumer_groups([group], request_timeout=SECONDS))
        found[f"delete group {group}"] = only(admin.delete_consumer_groups([f"{group}-absent"], request_timeout=SECONDS))
        for name in ("shop-a", "bank-a"):
            part = TopicPartition(name, 0)
            wanted = [ConsumerGroupTopicPartitions(group, [part])]
            found[f"offsets of {group} for {name}"] = outcome(lambda wanted=wanted: fetched_offsets(admin, wanted))
            found[f"commit of {group} for {name}"] = outcome(lambda group=group, part=part: commit(admin, group, part))
    found["list groups"] = outcome(lambda: listed(admin))


def cluster(admin, found, is_admin):
    """What can be done with the cluster. A refusal to describe users ends this client with a fault of its own."""
    anything = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY,
                                AclPermissionType.ANY)
    found["describe acls"] = outcome(lambda: count(admin.describe_acls(anything, request_timeout=SECONDS)))
    rule = AclBinding(ResourceType.TOPIC, "probe", ResourcePatternType.LITERAL, "User:nobody", "*", AclOperation.READ,
                      AclPermissionType.ALLOW)
    found["create acl"] = only(admin.create_acls([rule], request_timeout=SECONDS))
    found["delete acl"] = only(admin.delete_acls([AclBindingFilter(
        ResourceType.TOPIC, "probe", ResourcePatternType.LITERAL, "User:nobody", "*", AclOperation.READ,
        AclPermissionType.ALLOW)], request_timeout=SECONDS))
    found["create acl of the cluster by another name"] = only(admin.create_acls([AclBinding(
        ResourceType.BROKER, "other", ResourcePatternType.LITERAL, "User:nobody", "*", AclOperation.ALTER,
        AclPermissionType.ALLOW)], request_timeout=SECONDS))
    if is_admin:
        found["describe an unknown user"] = only(admin.describe_user_scram_credentials(["nobody"]))


def metadata(admin, name):
    """How the cluster describes a topic."""
    error = admin.list_topics(name, timeout=SECONDS).topics[name].error
    return error.name() if error else "ok"


def produce(login, name, idempotent=False):
    """Writes one record."""
    said = []
    producer = Producer(dict(login, **{"enable.idempotence": idempotent, "message.timeout.ms": SECONDS * 1000,
                                       "allow.auto.create.topics": False}))

    def run():
        producer.produce(name, b"probe", partition=0, on_delivery=lambda error, _: said.append(error))
        try:
            producer.flush(SECONDS + 1)
        except SystemError:
            # A fatal error of an idempotent producer: the client's own binding stumbles over it.
            pass
        return said[0].name() if said and said[0] else ("ok" if said else "no answer")
    return outcome(run)


def fetch(login, name):
    """Reads one record from the beginning, or is told why not."""
    consumer = Consumer(dict(login, **{"group.id": "unused", "enable.auto.commit": False}))
    try:
        consumer.assign([TopicPartition(name, 0, OFFSET_BEGINNING)])
        message = consumer.poll(FETCH_SECONDS)
        if message is None:
            return "no answer"
        return message.error().name() if message.error() else "ok"
    finally:
        consumer.close()


def commit(admin, group, part):
    """Sets a group's offset."""
    wanted = [ConsumerGroupTopicPartitions(group, [TopicPartition(part.topic, 0, 1)])]
    answer = admin.alter_consumer_group_offsets(wanted, request_timeout=SECONDS)
    error = next(iter(answer.values())).result(SECONDS).topic_partitions[0].error
    return error.name() if error else "ok"


def fetched_offsets(admin, wanted):
    """Reads committed offsets."""
    answer = next(iter(admin.list_consumer_group_offsets(wanted, request_timeout=SECONDS).values())).result(SECONDS)
    error = answer.topic_partitions[0].error
    return error.name() if error else "ok"


def listed(admin):
    """The groups of this test that are shown."""
    answer = admin.list_consumer_groups(request_timeout=SECONDS).result(SECONDS)
    return "shown: " + " ".join(sorted(group.group_id for group in answer.valid if group.group_id in GROUPS))


def count(future):
    """How many rules there are."""
    return f"{len(future.result(SECONDS))} rules"


def main():
    """Everything, for one user."""
    bootstrap, user, password = sys.argv[1:4]
    login, found = settings(bootstrap, user, password), {}
    admin = AdminClient(login)
    topics(admin, login, found)
    groups(admin, found)
    cluster(admin, found, user == "ops")
    found["topics shown"] = " ".join(sorted(name for name in admin.list_topics(timeout=SECONDS).topics if name in TOPICS))
    print(json.dumps(found))


if __name__ == "__main__":
    main()

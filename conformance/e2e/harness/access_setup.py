"""Makes rules, users and records with a stock client. Runs under the interpreter of the peers: confluent-kafka."""

import json
import sys

from confluent_kafka import Producer
from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType, AdminClient, NewTopic,
                                   ResourcePatternType, ResourceType, ScramCredentialInfo, ScramMechanism,
                                   UserScramCredentialUpsertion)


def main():
    """A task as JSON on the command line: settings, and what to make."""
    task = json.loads(sys.argv[1])
    admin = AdminClient(dict(task["settings"], log_level=0))
    for futures in made(admin, task):
        for future in futures.values():
            future.result(30)
    if task.get("records"):
        producer = Producer(task["settings"])
        for topic in task["records"]:
            producer.produce(topic, b"first", partition=0)
        producer.flush(30)


def made(admin, task):
    """What is made, in order."""
    if task.get("topics"):
        yield admin.create_topics([NewTopic(name, 2, 1) for name in task["topics"]])
    if task.get("rules"):
        yield admin.create_acls([rule(*each) for each in task["rules"]])
    if task.get("users"):
        rounds = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        yield admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(name, rounds, password.encode()) for name, password in task["users"].items()])


def rule(kind, name, pattern, user, operation, permission):
    """One rule."""
    return AclBinding(ResourceType[kind], name, ResourcePatternType[pattern], f"User:{user}", "*",
                      AclOperation[operation], AclPermissionType[permission])


if __name__ == "__main__":
    main()

"""Kafka's own system test programs: VerifiableProducer, VerifiableConsumer and TransactionalMessageCopier."""

import json
import subprocess
from collections import Counter

from .clients import admin, once
from .legacy import PEERS
from .processes import Failure, stop, wait_for

COPIER = "org.apache.kafka.tools.TransactionalMessageCopier"
COUNT = 3000
COPIED = 1000


class Program:
    """One of them, and the JSON lines that it prints."""

    def __init__(self, folder, name, tool, *arguments):
        self.path, self.log = folder / f"{name}.out", folder / f"{name}.log"
        with open(self.path, "wb") as out, open(self.log, "wb") as err:
            self.process = subprocess.Popen([PEERS / "ktool", tool, *map(str, arguments)], stdout=out, stderr=err,
                                            start_new_session=True)

    def lines(self):
        """What it has printed so far."""
        text = self.path.read_text(errors="replace")
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines() if line.startswith("{")]

    def named(self, kind):
        """Its lines of one kind."""
        return [line for line in self.lines() if line.get("name") == kind]

    def ended(self, seconds):
        """Its exit code; None, and it is stopped, if it takes longer."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            stop(self.process, 5)
            return None


def walk(folder, bootstrap):
    """Each test by name: whether it passed, and what was counted."""
    folder.mkdir()
    results = {}
    for name, test in (("VerifiableProducer", produce), ("VerifiableConsumer", consume), ("VerifiableConsumer, two members", share),
                       ("TransactionalMessageCopier", copy)):
        try:
            results[name] = test(folder, bootstrap)
        except (Failure, KeyError, IndexError) as failure:
            results[name] = (False, f"{type(failure).__name__}: {failure}")
    return results


def produce(folder, bootstrap):
    """Every record is acknowledged, each at an offset of its own."""
    admin(folder, bootstrap, "python", "create-topic", "--topic", "verifiable", "--partitions", 3)
    writer = Program(folder, "producer", "verifiable-producer", "--bootstrap-server", bootstrap, "--topic", "verifiable",
                     "--max-messages", COUNT, "--acks", -1, "--value-prefix", 7, "--repeating-keys", 100)
    code = writer.ended(120)
    places = {(line["partition"], line["offset"]) for line in writer.named("producer_send_success")}
    wrong = writer.named("producer_send_error")
    return code == 0 and len(places) == COUNT and not wrong, f"exit {code}, {len(places)} of {COUNT} places, {len(wrong)} errors"


def consumer(folder, bootstrap, name, group, *more):
    """A VerifiableConsumer of the topic."""
    return Program(folder, name, "verifiable-consumer", "--bootstrap-server", bootstrap, "--topic", "verifiable",
                   "--group-id", group, "--reset-policy", "earliest", *more)


def consume(folder, bootstrap):
    """Every record is read once, and every commit holds."""
    reader = consumer(folder, bootstrap, "consumer", "verifiable-one", "--max-messages", COUNT, "--verbose")
    code = reader.ended(120)
    places = Counter((line["partition"], line["offset"]) for line in reader.named("record_data"))
    commits = reader.named("offsets_committed")
    refused = [line for line in commits if not line["success"]]
    whole = len(places) == COUNT and max(places.values()) == 1
    detail = f"exit {code}, {len(places)} of {COUNT} places, {len(commits)} commits, {len(refused)} of them refused"
    return code == 0 and whole and commits and not refused, detail


def share(folder, bootstrap):
    """A second member comes and goes; the partitions are always divided between those that are there."""
    first = consumer(folder, bootstrap, "first", "verifiable-two", "--session-timeout", 10000)
    second = None

    def owned(program):
        changes = [line for line in program.lines() if line.get("name", "").startswith("partitions_")]
        held = set()
        for line in changes:
            places = {(each["topic"], each["partition"]) for each in line["partitions"]}
            held = held | places if line["name"] == "partitions_assigned" else held - places
        return held

    try:
        wait_for("the first member has all", lambda: len(owned(first)) == 3, 60)
        second = consumer(folder, bootstrap, "second", "verifiable-two", "--session-timeout", 10000)
        wait_for("both have some", lambda: owned(second) and len(owned(first)) + len(owned(second)) == 3, 60)
        apart = not owned(first) & owned(second)
        left = stop(second.process)
        wait_for("the first member has all again", lambda: len(owned(first)) == 3, 60)
    finally:
        for each in (first, second):
            if each is not None:
                stop(each.process)
    commits = first.named("offsets_committed")
    refused = [line for line in commits if not line["success"]]
    return apart and left, f"divided: {apart}, left in order: {left}, {len(commits)} commits, {len(refused)} of them refused"


def copy(folder, bootstrap):
    """What is copied in transactions, every few of them aborted at random, arrives once each."""
    for topic in ("copied-from", "copied-to"):
        admin(folder, bootstrap, "python", "create-topic", "--topic", topic, "--partitions", 1)
    code, _ = once(folder, "copied", "python", "produce", "--bootstrap", bootstrap, "--topic", "copied-from", "--id", "c",
                   "--count", COPIED)
    if code != 0:
        raise Failure("the input was not written")
    copier = Program(folder, "copier", COPIER, "--broker-list", bootstrap, "--transactional-id", "copier", "--consumer-group",
                     "copiers", "--input-topic", "copied-from", "--input-partition", 0, "--output-topic", "copied-to",
                     "--transaction-size", 50, "--max-messages", COPIED, "--enable-random-aborts", "--group-mode")
    code = copier.ended(180)
    _, lines = once(folder, "arrived", "python", "consume", "--bootstrap", bootstrap, "--topic", "copied-to", "--assign", "--member",
                    "a", "--isolation", "read_committed", "--until-idle", 8000, "--commit", "none")
    arrived = Counter(line["value"] for line in lines if line["op"] == "read")
    once_each = len(arrived) == COPIED and max(arrived.values()) == 1
    return code == 0 and once_each, f"exit {code}, {len(arrived)} of {COPIED} values, {sum(arrived.values())} records"

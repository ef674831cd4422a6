"""Clients above their quota wait at the kernel as long as at a real Kafka: the same tool sets it, the same clients are held up."""

import json
import subprocess

from harness.legacy import PEERS, Legacy
from harness.processes import Failure
from harness.report import Workspace
from harness.sluice import ROOT, Sluice

PYTHON = ROOT / ".peers/python/bin/python"
TOOL = "configs"
# Bytes a second, and how much goes each way: well above what the window of ten seconds lets through at once.
RATE = 100_000
BYTES = 2_400_000
# What a client does and how fast the machine is adds to the wait that the quota makes.
TOLERANCE = 0.35


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version)
        try:
            expected = held_up(legacy.bootstrap)
        finally:
            legacy.end()
        sluice = Sluice(folder / "sluice")
        try:
            sluice.start()
            found = held_up(sluice.bootstrap)
            acts = sluice.ask("audit")[1].get("acts", [])
            sluice.kill()
            sluice.start()
            again = sluice.ask("audit")[1].get("acts", [])
            described = configs(sluice.bootstrap, "--describe", *ENTITY)
        finally:
            report.check("sluice stops in order", sluice.end())
    report.facts.update(kafka=expected, kernel=found)
    report.check("the tool is told the same", found["described"] == expected["described"], found["described"])
    report.check("quotas survive a kill", described == found["described"], described)
    for way in ("write", "read"):
        free, kafka, kernel = (each for each in (expected[f"{way} free"], expected[way], found[way]))
        report.check(f"{way}: Kafka held this client up", kafka["seconds"] > 3 * free["seconds"] and kafka["told_ms"] > 0,
                     f"{kafka} with, {free} without a quota")
        report.check(f"{way}: the kernel holds it up as long", abs(kernel["seconds"] - kafka["seconds"])
                     <= TOLERANCE * kafka["seconds"] and kernel["told_ms"] > 0, f"{kernel}, Kafka {kafka}")
        report.check(f"{way}: others are not held up", found[f"{way} free"]["seconds"] < 0.3 * kernel["seconds"],
                     found[f"{way} free"])
    orders = [act["what"] for act in acts]
    report.check("what the tool ordered is in the audit log", any(f"producer_byte_rate={RATE}" in what for what in orders)
                 and any(what.startswith("CreateTopics quota") for what in orders), orders)
    report.check("the audit log survives a kill", bool(acts) and again == acts, len(again))


ENTITY = ("--entity-type", "clients", "--entity-name", "slow")


def configs(bootstrap, *arguments):
    """Runs Kafka's own tool; what it prints."""
    done = subprocess.run([PEERS / "ktool", TOOL, "--bootstrap-server", bootstrap, *arguments], check=False, capture_output=True,
                          text=True, timeout=300)
    if done.returncode != 0:
        raise Failure(f"kafka-configs: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout.strip()


def held_up(bootstrap):
    """How long a client with a quota, and one without, write and read the same, and what they are told."""
    configs(bootstrap, "--alter", *ENTITY, "--add-config", f"producer_byte_rate={RATE},consumer_byte_rate={RATE}")
    found = {"described": configs(bootstrap, "--describe", *ENTITY)}
    for name, client in ((" free", "fast"), ("", "slow")):
        done = subprocess.run([PYTHON, "-c", CLIENT, bootstrap, client, f"quota-{client}", str(BYTES)], check=True,
                              capture_output=True, text=True, timeout=300)
        for way, figures in json.loads(done.stdout).items():
            found[way + name] = figures
    return found


CLIENT = """
import json, os, sys, time
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
bootstrap, client, topic, size = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
told = [0]
def throttled(event):
    told[0] = max(told[0], int(event.throttle_time * 1000))
common = {"bootstrap.servers": bootstrap, "client.id": client, "throttle_cb": throttled, "log_level": 0}
admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
for future in admin.create_topics([NewTopic(topic, 1, 1)]).values():
    future.result(30)
pieces = size // 10_000
producer = Producer(dict(common, **{"batch.size": 50_000, "linger.ms": 50, "message.timeout.ms": 200_000}))
failed = []
begun = time.monotonic()
for _ in range(pieces):
    producer.produce(topic, os.urandom(10_000), partition=0, on_delivery=lambda error, _: error and failed.append(str(error)))
    producer.poll(0)
assert producer.flush(200) == 0 and not failed, failed
found = {"write": {"seconds": round(time.monotonic() - begun, 2), "told_ms": told[0]}}
told[0] = 0
consumer = Consumer(dict(common, **{"group.id": "g", "enable.auto.commit": False, "fetch.message.max.bytes": 50_000}))
consumer.assign([TopicPartition(topic, 0, 0)])
begun, seen = time.monotonic(), 0
while seen < pieces:
    message = consumer.poll(60)
    assert message is not None and not message.error(), message and message.error()
    seen += 1
consumer.poll(0)
found["read"] = {"seconds": round(time.monotonic() - begun, 2), "told_ms": told[0]}
consumer.close()
print(json.dumps(found))
"""

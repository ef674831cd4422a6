"""What scenarios of a migration begin with, and how they end: a real Kafka with topics, sluice in front of it, clients."""

from contextlib import contextmanager

from .clients import CODECS, IDEMPOTENT, Traffic, admin, first_commit
from .legacy import Legacy
from .sluice import Sluice


class Stage:
    """What runs. Whoever ends `sluice` before the stage does sets it to None."""

    def __init__(self, legacy):
        self.legacy = legacy
        self.sluice = None
        self.traffic = None


@contextmanager
def staged(report, folder, chosen, topics, rate=40, before=None):
    """A Kafka of `chosen.version` with `topics`, and sluice with the migration `orders` of all `orders-*` and `g-*`.

    `before(legacy)` is done before sluice starts. At the end whatever runs is stopped; after a failure sluice's last warnings
    are told.
    """
    stage = Stage(Legacy(folder / "kafka", chosen.version, chosen.nodes))
    try:
        report.say(f"Kafka {chosen.version}.x with {chosen.nodes} node(s) runs")
        (folder / "h").mkdir()
        for topic, partitions in topics.items():
            admin(folder / "h", stage.legacy.bootstrap, "python", "create-topic", "--topic", topic, "--partitions", partitions,
                  "--replication", chosen.nodes)
        first_commit(folder / "h", stage.legacy.bootstrap, next(iter(topics)))
        if before:
            before(stage.legacy)
        migration = {"name": "orders", "topics": ["orders-*"], "groups": ["g-*"]}
        stage.sluice = Sluice(folder / "sluice", stage.legacy, [migration])
        stage.sluice.start()
        stage.traffic = Traffic(folder / "h", stage.sluice.bootstrap, rate)
        yield stage
    except BaseException:
        if stage.sluice:
            report.say("\n".join(stage.sluice.log_lines("WARN")[-20:]))
        raise
    finally:
        if stage.traffic:
            stage.traffic.abandon()
        if stage.sluice:
            report.check("sluice stops in order", stage.sluice.end())
        stage.legacy.end()


def everybody(traffic, clients, topics):
    """Two writers and a group of two for each kind of client, over all codecs; groups read what others wrote."""
    topics = list(topics)
    for index, client in enumerate(clients):
        for number in range(2):
            more = ["--idempotent", "true"] if client in IDEMPOTENT else []
            topic = topics[(index + number) % len(topics)]
            traffic.write(client, topic, CODECS[(2 * index + number) % len(CODECS)], *more)
        traffic.read(client, topics[(index + 1) % len(topics)], f"g-{client}", 1 if client == "kcat" else 2)

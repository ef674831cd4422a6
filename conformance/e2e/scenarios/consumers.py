"""Groups of the consumer protocol (KIP-848): straight at the kernel, moved off a real Kafka under traffic, and back."""

from harness.clients import CODECS, Traffic, admin
from harness.processes import wait_for
from harness.report import Workspace
from harness.sluice import Sluice
from harness.sockets import Watch
from harness.stage import staged
from scenarios import migrate, rollback

PROTOCOL = ("--config", "group.protocol=consumer")


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4"], default="4", help="Kafka 3 has no such groups by default")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=1)
    parser.add_argument("--clients", default="python", help="of those that know the protocol: python,java4")
    parser.add_argument("--dwell", type=float, default=4, help="seconds in each phase, at least")
    parser.add_argument("--parts", default="straight,moved,back", help="which, in this order")
    parser.add_argument("--rate", type=int, default=40, help="records a second of each writer")


def run(report, chosen):
    """The scenario."""
    clients = chosen.clients.split(",")
    parts = chosen.parts.split(",")
    with Workspace(report) as folder:
        if "straight" in parts:
            straight(report, folder, clients, chosen.rate)
        if "moved" in parts:
            moved(report, folder / "moved", clients, chosen)
        if "back" in parts:
            back(report, folder / "back", clients, chosen)


def straight(report, folder, clients, rate):
    """Members come, one is static, one leaves; what is written is read once by each group."""
    sluice = Sluice(folder / "straight")
    traffic = None
    try:
        sluice.start()
        (folder / "s").mkdir()
        admin(folder / "s", sluice.bootstrap, "python", "create-topic", "--topic", "t", "--partitions", 4)
        traffic = Traffic(folder / "s", sluice.bootstrap, rate)
        for client in clients:
            traffic.write(client, "t", suffix="-straight")
            traffic.read(client, "t", f"g-{client}", 2, *PROTOCOL)
            traffic.read(client, "t", f"g-static-{client}", 1, *PROTOCOL, "--instance-id", "one")
        traffic.running(seconds=120)
        leaving = traffic.readers[1]
        report.check("a member leaves in order", leaving.end())
        stays = traffic.readers[0]
        before = len(stays.look().reads)
        wait_for("the other one reads on", lambda: len(stays.look().reads) > before + 20, 60)
        traffic.running(seconds=60)
        complaints = traffic.end()
        report.check("straight: every group has read everything", not complaints, complaints)
        report.judge("straight", traffic.histories(), 100)
    finally:
        if traffic:
            traffic.abandon()
        report.check("sluice stops in order", sluice.end())


def moved(report, folder, clients, chosen):
    """From observe to retired; the members keep their ids, epochs and partitions at the cutover."""
    folder.mkdir()
    topics = {**migrate.TOPICS, migrate.GROWS: migrate.PARTITIONS}
    with staged(report, folder, chosen, topics, chosen.rate) as stage:
        begin(stage.traffic, clients)
        watch = Watch(stage.traffic.processes)
        migrate.walk(report, stage.sluice, stage.traffic, chosen.dwell, stage.legacy.ports)
        migrate.judge(report, stage.sluice, stage.legacy, stage.traffic, watch.end())


def begin(traffic, clients):
    """A writer of each topic and a group of two that reads it, for each kind of client; partitions by group."""
    groups = {}
    for index, client in enumerate(clients):
        for number, (topic, partitions) in enumerate(migrate.TOPICS.items()):
            traffic.write(client, topic, CODECS[(2 * index + number) % len(CODECS)])
            traffic.read(client, topic, f"g-{client}-{number}", 2, *PROTOCOL)
            groups[f"g-{client}-{number}"] = partitions
    return groups


def back(report, folder, clients, chosen):
    """To cutover, back and to cutover again; each group has all its partitions, and is described, on every side."""
    folder.mkdir()
    with staged(report, folder, chosen, migrate.TOPICS, chosen.rate) as stage:
        sluice, traffic = stage.sluice, stage.traffic
        groups = begin(traffic, clients)
        traffic.running(seconds=120)
        described(report, folder / "h", sluice, groups, "observe")
        rollback.there(report, sluice, traffic, chosen.dwell)
        described(report, folder / "h", sluice, groups, "cutover")
        rollback.back(report, sluice, traffic, chosen.dwell, "mirror")
        described(report, folder / "h", sluice, groups, "back in mirror")
        rollback.there(report, sluice, traffic, chosen.dwell)
        described(report, folder / "h", sluice, groups, "cutover again")
        rollback.accounted(report, sluice)
        rollback.judge(report, traffic)


def described(report, folder, sluice, groups, phase):
    """Every group is stable, and its members have all partitions between them."""
    def look():
        found = {}
        for group in groups:
            shown = admin(folder, sluice.bootstrap, "java4", "describe-group", "--group", group)
            has = sorted(number for member in shown["members"] for number in member["partitions"])
            found[group] = (shown["state"], has)
        return found

    expected = {group: ("stable", list(range(count))) for group, count in groups.items()}
    found = {}
    for _ in range(10):
        found = look()
        if found == expected:
            break
    report.check(f"{phase}: every group is described, stable, with all its partitions", found == expected,
                 "" if found == expected else found)

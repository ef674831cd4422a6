"""The canary: stock consumers read from the kernel while legacy leads, and return to legacy on any trouble."""

import time

from harness.clients import Traffic, admin, first_commit
from harness.legacy import Legacy
from harness.processes import wait_for
from harness.report import Workspace, now_ms
from harness.sluice import Sluice
from scenarios.disk_full import Disk, trouble

NAME, TOPIC = "orders", "orders-a"
# What each program says of its software; the one without a word is the one that names itself only by its client id.
SOFTWARE = {"python": "confluent", "java4": "apache-kafka-java", "java3": "apache-kafka-java", "go": "kgo", "node": ""}


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=3)
    parser.add_argument("--clients", default="python,java4,node,go")
    parser.add_argument("--seconds", type=float, default=5, help="how long each stage lasts")
    parser.add_argument("--mib", type=int, default=256, help="size of the kernel's disk")


def run(report, chosen):
    """The scenario."""
    clients = chosen.clients.split(",")
    with Workspace(report) as folder, Disk(folder / "disk", chosen.mib) as disk:
        legacy = Legacy(folder / "kafka", chosen.version, chosen.nodes)
        migration = {"name": NAME, "topics": ["orders-*"], "groups": ["g-*"]}
        sluice = Sluice(folder / "sluice", legacy, [migration], data=disk.path / "data",
                        kernel=["segment_bytes = 4194304"])
        traffic = Traffic(folder / "h", sluice.bootstrap)
        try:
            admin(folder / "h", legacy.bootstrap, "python", "create-topic", "--topic", TOPIC, "--partitions", 3,
                  "--replication", chosen.nodes)
            first_commit(folder / "h", legacy.bootstrap, TOPIC)
            sluice.start()
            for client in clients:
                # Uncompressed: a small batch may still fit where a larger one is refused, for minutes.
                traffic.write(client, TOPIC, "none", "--value-bytes", 3000)
                traffic.read(client, TOPIC, f"g-{client}")
            traffic.running(seconds=120)
            sluice.advance(NAME, "mirror")
            sluice.advance(NAME, "dual-write")
            everybody(report, sluice, traffic, clients, chosen.seconds)
            nobody(report, sluice, traffic, chosen.seconds)
            ill(report, sluice, traffic, disk, clients, chosen.seconds)
            back_and_on(report, sluice, traffic, chosen.seconds)
            complaints = traffic.end()
            report.check("every group has read everything", not complaints, complaints)
            errors = {client.name: client.errors[:3] for client in traffic.all() if client.errors}
            report.say(f"errors that clients told of: {errors}")
            found = report.judge("all clients", traffic.histories(), 100)
            report.facts["history"] = {k: v for k, v in found.items() if isinstance(v, int)}
        finally:
            disk.free()
            traffic.abandon()
            report.check("sluice stops in order", sluice.end())
            legacy.end()


def share(sluice, percent):
    """Sets the share of the canary; its gate may be red for a moment after a trouble."""

    def reached():
        code, answer = sluice.ask("advance", NAME, "canary", "--percent", percent, "--wait=60")
        return answer if code == 0 else None

    return wait_for(f"canary {percent} %", reached, 60)


def canary(sluice):
    """The canary of the cluster, as status tells of it."""
    _, status = sluice.ask("status")
    return status["clusters"][0]["canary"] or {}


def served(sluice):
    """Fetches that the kernel has answered, by software (or, without one, by client id)."""
    _, answer = sluice.ask("clients")
    sums = {}
    for client in answer["clients"]:
        count = (client["canary"] or {}).get("served", 0)
        who = client["software"] or client["client_id"]
        sums[who] = max(sums.get(who, 0), count)
    return sums


def of(client, sums):
    """The sum of one program."""
    word = SOFTWARE.get(client) or f"g-{client}"
    return sum(count for who, count in sums.items() if word in who)


def everybody(report, sluice, traffic, clients, seconds):
    """With 100 % each kind of client comes to the kernel by itself."""
    code, answer = sluice.ask("advance", NAME, "canary")
    report.check("canary without a share is refused", code != 0 and "--percent" in str(answer), answer)
    began = now_ms()
    share(sluice, 100)
    following = [client for client in clients if SOFTWARE[client]]
    for client in following:
        try:
            wait_for(f"{client} at the kernel", lambda c=client: of(c, served(sluice)) > 0, 60)
            report.check(f"{client} reads from the kernel", True, f"{now_ms() - began} ms after the share was set")
        except Exception as late:  # noqa: BLE001: whatever kept it, the others are looked at too
            report.check(f"{client} reads from the kernel", False, f"{late}; {served(sluice)}; {canary(sluice)}")
    before = served(sluice)
    time.sleep(seconds)
    traffic.running()
    after = served(sluice)
    grown = {client: of(client, after) - of(client, before) for client in following}
    report.check("and goes on reading there", all(grown.values()), grown)
    shown = canary(sluice)
    # The one without a word for its software stays with legacy, and is named.
    cannot = [each for each in shown["cannot"] if "name its software" in each["why"]]
    report.check("those that cannot are named, and nobody else", len(cannot) == len(shown["cannot"]) == len(clients) - len(following),
                 shown)
    rebalanced = traffic.rebalances_between(began, now_ms())
    report.check("no rebalance", not rebalanced, rebalanced)
    report.facts["canary"] = {"served": after, **{k: v for k, v in shown.items() if isinstance(v, int)}}


def nobody(report, sluice, traffic, seconds):
    """With 0 % all go back, and with 100 % they come again."""
    share(sluice, 0)
    time.sleep(seconds)
    before = sum(served(sluice).values())
    traffic.running(acks=50)
    after = sum(served(sluice).values())
    report.check("with 0 % nobody reads from the kernel, and all read on", before == after, f"{before}, then {after}")
    share(sluice, 100)
    wait_for("consumers at the kernel again", lambda: sum(served(sluice).values()) > after, 60)
    traffic.running()


def ill(report, sluice, traffic, disk, clients, seconds):
    """The kernel's disk is full: its copy stands still, and everybody reads on from legacy."""
    before = served(sluice)
    wait_for("everybody at the kernel", lambda: all(of(c, served(sluice)) > of(c, before) for c in clients if SOFTWARE[c]), 90)
    disk.fill()
    filled = now_ms()
    wait_for("the store to refuse writes", lambda: [each for each in trouble(sluice) if "refuses" in each], 90)
    held = wait_for("the copies to be held back", lambda: canary(sluice).get("held_back"), 60)
    report.say(f"held back after {now_ms() - filled} ms: {held}")
    time.sleep(seconds)
    before = canary(sluice)
    traffic.running(acks=50)
    after = canary(sluice)
    # The shard that still has room may go on; what is held back is read by nobody.
    everything = len(after["held_back"]) == 3
    report.check("an ill kernel: everybody reads on", not everything or after["served"] == before["served"], f"{before}, then {after}")
    report.check("and was sent back", after["sent_back"] > 0, after["sent_back"])
    code, answer = sluice.ask("advance", NAME, "canary", "--percent", 101)
    report.check("more than everybody is wrong usage", code == 2, answer)
    disk.free()
    wait_for("the copies to be fit again", lambda: not canary(sluice).get("held_back"), 90)
    wait_for("consumers at the kernel again", lambda: canary(sluice)["served"] > after["served"], 90)
    traffic.running()


def back_and_on(report, sluice, traffic, seconds):
    """Back to dual-write; then canary 50 %, and on to the cutover."""
    code, answer = sluice.ask("rollback", NAME, "dual-write", "--wait=60")
    report.check("back to dual-write", code == 0 and sluice.reached(NAME, "dual-write"), answer)
    time.sleep(1)
    before = sum(served(sluice).values())
    traffic.running()
    report.check("nobody reads from the kernel any more", sum(served(sluice).values()) == before)
    share(sluice, 50)
    time.sleep(seconds)
    traffic.running()
    shares = [entry["percent"] for entry in sluice.ledger(NAME) if entry["kind"] == "canary_share"]
    report.check("the shares are on the ledger", shares == [100, 0, 100, 50], shares)
    refusals = sluice.advance(NAME, "cutover", 120)
    report.say(f"cutover is reached; before that: {refusals}")
    traffic.running()

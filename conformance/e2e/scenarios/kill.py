"""Migrations under load, with sluice killed at the edges of a handover's actions and at random moments; with `--brokers`
legacy's brokers are killed or stopped meanwhile, and so their leaders move."""

import random
import subprocess
import threading
import time
import traceback

from harness.clients import CODECS, IDEMPOTENT, Client, Traffic, admin
from harness.legacy import Legacy
from harness.processes import Failure, stop, wait_for
from harness.report import Workspace
from harness.sluice import Sluice

# The kinds of `proxy/src/handover/action.rs` that a handover to the kernel meets when nothing else fails.
KINDS = ("AskSource", "AskFeed", "AskTarget", "RecordBegun", "Close", "RecordFence", "Fence", "Count",
         "RecordVerified", "RecordCommit", "Switch", "Publish", "Release", "RecordAfter", "Follow")
# And those that one to legacy meets.
KINDS_BACK = ("Gather", *KINDS)
# What clients say that end by themselves where nobody is at their broker's address: kafkajs, franz-go. Any other end is a fault.
GIVEN_UP = ("Failed to find group coordinator", "broker closed the connection immediately")
# Entries of the ledger outside a handover, and phases being applied, come several times in one migration.
EARLIER = tuple(f"{kind}:{time}" for kind in ("RecordOther", "Apply") for time in (1, 2, 3, 4))
EDGES = tuple(f"{edge}:{kind}" for kind in (*KINDS, *EARLIER) for edge in ("before", "after"))
EDGES_BACK = tuple(f"{edge}:{kind}" for kind in KINDS_BACK for edge in ("before", "after"))


def options(parser):
    """Command line."""
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--edges", action="store_true", help="every named edge at least once, whatever --runs says")
    parser.add_argument("--back", action="store_true", help="kill on the way back, and move again after it")
    parser.add_argument("--brokers", action="store_true", help="three brokers; in each run one is killed or stopped, and started again")
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--seed", type=int, default=1, help="of edges, moments and faults")
    parser.add_argument("--only", type=int, help="repeat the run of this number alone, with the seed that it had")
    parser.add_argument("--clients", default="python,go,java4,node,java3", help="two of them in turn in each run")


def run(report, chosen):
    """The scenario: one Kafka, and a fresh sluice, topics and groups for each run."""
    report.facts["runs"] = []
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version, 3 if chosen.brokers else 1)
        try:
            for number, place in enumerate(places(chosen)):
                if chosen.only not in (None, number):
                    continue
                try:
                    one(report, folder / f"run{number}", legacy, number, place, chosen)
                except Failure as failure:
                    report.check(f"run {number} ({place or 'random'}) went to its end", False, failure)
        finally:
            legacy.end()
    report.facts["edges"] = edges_met(report.facts["runs"])


def edges_met(runs):
    """How often each named edge was waited for, and how often it was met."""
    found = {}
    for each in runs:
        if each["place"] != "random":
            edge = found.setdefault(each["place"], {"runs": 0, "met": 0})
            edge["runs"] += 1
            edge["met"] += each["deaths"] > 0
    return found


def moments(seed, number):
    """What one run draws its moments and faults from: other seeds, other moments."""
    return random.Random(f"{seed}/{number}")


def places(chosen):
    """Where each run is killed: an edge, or `None` for random moments. Both kinds in turn."""
    chance = random.Random(chosen.seed)
    edges = list(EDGES_BACK if chosen.back else EDGES)
    if not chosen.edges:
        chance.shuffle(edges)
        return [edges.pop() if number % 2 == 0 and edges else None for number in range(chosen.runs)]
    return [*edges, *[None] * max(0, chosen.runs - len(edges))]


def one(report, folder, legacy, number, place, chosen):
    """One migration."""
    clients = chosen.clients.split(",")
    name, topics = f"run{number}", {f"run{number}-a": 3, f"run{number}-b": 1}
    folder.mkdir()
    chance = moments(chosen.seed, number)
    # Noted before anything can fail, so that a run which did not end can be repeated too.
    line = {"run": number, "seed": chosen.seed, "place": place or "random", "broker": None, "deaths": 0, "ended": False}
    report.facts["runs"].append(line)
    sluice = Sluice(folder / "sluice", legacy, [{"name": name, "topics": [f"{name}-*"], "groups": [f"{name}-g*"]}])
    # Some clients end by themselves when they meet nobody at an address: their users start them again.
    traffic = Traffic(folder / "h", sluice.bootstrap, supervised=True)
    try:
        for topic, partitions in topics.items():
            admin(folder / "h", legacy.bootstrap, "python", "create-topic", "--topic", topic, "--partitions", partitions,
                  "--replication", legacy.nodes)
        sluice.start(failpoint=None if chosen.back else place, supervised=True)
        first, second = clients[number % len(clients)], clients[(number + 1) % len(clients)]
        for index, (family, topic) in enumerate(((first, f"{name}-a"), (second, f"{name}-b"))):
            traffic.write(family, topic, CODECS[(number + index) % 5], "--idempotent", str(family in IDEMPOTENT).lower())
        traffic.read(second, f"{name}-a", f"{name}-ga")
        traffic.read(first, f"{name}-b", f"{name}-gb")
        traffic.running()
        if chosen.back:
            there(sluice, name)
            if place:
                sluice.arm(place)
        killers = [] if place else [threading.Thread(target=strike, args=(sluice, chance))]
        fault = Fault(legacy, chance) if chosen.brokers else None
        line["broker"] = fault.what if fault else None
        killers += [fault] if fault else []
        for killer in killers:
            killer.start()
        begun = time.monotonic()
        if chosen.back:
            sluice.roll_back(name, "dual-write", 180)
        else:
            there(sluice, name)
        took = time.monotonic() - begun
        for killer in killers:
            killer.join()
        if fault and fault.failed:
            raise Failure(fault.failed)
        traffic.running(seconds=60)
        if chosen.back:
            sluice.advance(name, "cutover", 90)
            traffic.running(seconds=60)
        complaints = traffic.end() + [said for said in traffic.revived if not any(known in said for known in GIVEN_UP)]
        found = judge(report, sluice, legacy, traffic, name, topics, place, took, complaints, fault)
        line.update(ended=True, seconds=round(took, 1), acknowledged=found.get("acknowledged"), redelivered=found.get("redelivered"),
                    client_errors=found.get("client_errors"), failed_sends=found.get("failed"), revived=traffic.revived)
    except Failure as failure:
        raise Failure(f"{failure}\n{sluice.log_tail()}") from None
    finally:
        line["deaths"] = sluice.deaths
        traffic.abandon()
        sluice.end()


class Fault(threading.Thread):
    """A broker that is killed, or stopped in order so that its leaders move first, and started again a while later."""

    def __init__(self, legacy, chance):
        super().__init__()
        self.legacy, self.node = legacy, chance.randint(1, 3)
        self.kills, self.after, self.away = chance.random() < 0.5, chance.uniform(0, 3), chance.uniform(0, 3)
        self.what = f"broker {self.node} {'killed' if self.kills else 'stopped'} after {self.after:.1f} s for {self.away:.1f} s"
        self.failed = None

    def run(self):
        """The fault."""
        try:
            time.sleep(self.after)
            (self.legacy.kill if self.kills else self.legacy.stop)(self.node)
            time.sleep(self.away)
            self.legacy.start(self.node)
        except Failure as failure:
            self.failed = f"{self.what}: {failure}"


def there(sluice, name):
    """To cutover."""
    for phase in ("mirror", "dual-write", "cutover"):
        sluice.advance(name, phase, 90)


def strike(sluice, chance):
    """Three kills at random moments of a migration."""
    for _ in range(3):
        time.sleep(chance.uniform(0.05, 1.5))
        try:
            sluice.kill()
        except ProcessLookupError:
            traceback.print_exc()


def brought_back(folder, legacy, kernel, topic):
    """Ends of both sides once legacy has what the kernel was given, or as they are after a while."""
    def both():
        return ends(folder, legacy, topic), ends(folder, kernel, topic)
    try:
        return wait_for("legacy has what the kernel was given", lambda: (found := both())[0] == found[1] and found, 30)
    except Failure:
        return both()


def judge(report, sluice, legacy, traffic, name, topics, place, took, complaints, fault):
    """Nothing lost, nothing twice, and each unit on exactly one side, in the eyes of all three."""
    title = f"run of {name} ({place or 'random moments'}{f', {fault.what}' if fault else ''})"
    # With nothing on its way when the fence begins, nothing is counted again: that edge is not always met.
    met = sluice.deaths > 0 or str(place).endswith(":Count")
    report.check(f"{title}: it died, and groups read everything", met and not complaints,
                 f"{sluice.deaths} deaths, {took:.1f} s{f'; started again: {traffic.revived}' if traffic.revived else ''}"
                 f"{f'; {complaints}' if complaints else ''}")
    cuts = ends_at_commit(sluice.ledger(name))
    shown = sluice.migration(name)["units"]
    folder = traffic.folder
    readers = []
    wrong = [unit["unit"] for unit in shown if unit["primary"] != "kernel" or unit["unexplained"]]
    for topic, partitions in topics.items():
        old, new = brought_back(folder, legacy.bootstrap, sluice.bootstrap, topic)
        for partition in range(partitions):
            cut = cuts.get((topic, partition))
            if cut is None or new[partition] < cut or old[partition] != new[partition]:
                wrong.append(f"{topic}-{partition}: cut {cut}, legacy ends {old[partition]}, kernel {new[partition]}")
        sides = (("legacy", legacy.bootstrap), ("kernel", sluice.bootstrap))
        readers += [audit(folder, bootstrap, topic, side) for side, bootstrap in sides]
    # Each ends by itself when nothing more comes.
    for reader in readers:
        try:
            reader.process.wait(60)
        except subprocess.TimeoutExpired:
            stop(reader.process, 2)
            wrong.append(f"{reader.name}: no end within 60 s")
    report.check(f"{title}: every unit is on one side", not wrong, wrong or f"cuts {sorted(cuts.values())}")
    return report.judge(title, traffic.histories(), 50)


def ends_at_commit(entries):
    """End of each partition at its commit, by (topic, partition)."""
    found = {}
    for entry in entries:
        if entry["kind"] == "committed":
            for unit in entry["units"]:
                named = unit["evidence"]["unit"]
                if isinstance(named, str) and named.rsplit("/", 1)[-1].isdigit():
                    topic, partition = named.split("/")[-2:]
                    found[topic, int(partition)] = unit["evidence"]["source_end"]
    return found


def ends(folder, bootstrap, topic):
    """End offset of each partition of a topic, as a client is told."""
    answer = admin(folder, bootstrap, "python", "offsets", "--topic", topic)
    return {each["partition"]: each["latest"] for each in answer["offsets"]}


def audit(folder, bootstrap, topic, side):
    """Begins to read a whole topic from one side; the judge compares what stands where."""
    return Client(folder, f"audit-{side}-{topic}", "python", "consume", "--bootstrap", bootstrap, "--topic", topic,
                  "--assign", "--member", f"audit-{side}", "--until-idle", "2000")

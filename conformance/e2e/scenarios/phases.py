"""Every client in every phase: all codecs, groups and administration, on topics that move and on topics that stay."""

from concurrent.futures import ThreadPoolExecutor

from harness.clients import CODECS, IDEMPOTENT, admin, first_commit, once
from harness.legacy import Legacy
from harness.processes import Failure
from harness.report import Workspace
from harness.sluice import Sluice
from scenarios.straight import ADMINISTERS, complaints, walk_administration

NAME, TOPIC = "orders", "orders-a"
PHASES = ("observe", "mirror", "dual-write", "cutover", "retired")
COUNT = 20


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=3)
    parser.add_argument("--clients", default="python,java4,java3,node,go,kcat")


def run(report, chosen):
    """The scenario."""
    clients = chosen.clients.split(",")
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version, chosen.nodes)
        sluice = Sluice(folder / "sluice", legacy, [{"name": NAME, "topics": [f"{NAME}-*"], "groups": [f"{NAME}-g-*"]}])
        try:
            (folder / "h").mkdir()
            admin(folder / "h", legacy.bootstrap, "python", "create-topic", "--topic", TOPIC, "--partitions", 3,
                  "--replication", chosen.nodes)
            first_commit(folder / "h", legacy.bootstrap, TOPIC)
            sluice.start()
            for number, phase in enumerate(PHASES):
                if phase != "observe":
                    sluice.advance(NAME, phase)
                write(report, sluice, folder / "h", clients, number, phase)
                read(report, sluice, folder / "h", clients, number, phase)
                administer(report, sluice, folder / phase, clients, phase)
            report.judge("all phases", sorted((folder / "h").glob("[wr]-*.jsonl")), COUNT, allowed_errors=False)
        finally:
            report.check("sluice stops in order", sluice.end())
            legacy.end()


def write(report, sluice, folder, clients, number, phase):
    """Each client writes with each codec, idempotent where it can be."""

    def one(client):
        wrong = []
        for index, codec in enumerate(CODECS):
            more = ["--idempotent", "true"] if client in IDEMPOTENT else []
            code, lines = once(
                folder, f"w-{phase}-{client}-{codec}", client, "produce", "--bootstrap", sluice.bootstrap, "--topic", TOPIC,
                "--id", client, "--start", (number * len(CODECS) + index) * COUNT, "--count", COUNT, "--compression", codec,
                "--value-bytes", 100, *more,
            )
            wrong += [f"{codec}{complaints(lines)}"] if code != 0 else []
        return wrong

    for client, wrong in together(one, clients):
        report.check(f"{phase}: {client} writes with every codec", not wrong, wrong)


def read(report, sluice, folder, clients, number, phase):
    """A group of each client, the same in every phase, goes on to the end of what all of them wrote."""
    fresh = len(clients) * len(CODECS) * COUNT

    def one(client):
        code, lines = once(
            folder, f"r-{phase}-{client}", client, "consume", "--bootstrap", sluice.bootstrap, "--topic", TOPIC, "--group",
            f"{NAME}-g-{client}", "--member", f"{client}-{number}", "--count", fresh, "--until-idle", 15000, "--commit", "sync",
        )
        return code, sum(line["op"] == "read" for line in lines), complaints(lines)

    for client, (code, count, wrong) in together(one, clients):
        report.check(f"{phase}: {client} goes on where its group was", code == 0 and count == fresh, f"{count} of {fresh}{wrong}")


def administer(report, sluice, folder, clients, phase):
    """Topics, configurations, groups and offsets through the proxy, on a topic of the client's own; and what is told of
    the topic that moves."""
    folder.mkdir()

    def one(client):
        wrong = []
        (folder / client).mkdir()
        for name, holds in walk_administration(folder / client, sluice.bootstrap, client):
            try:
                wrong += [] if holds() else [name]
            except (Failure, KeyError, StopIteration) as failure:
                wrong.append(f"{name}: {failure}")
        try:
            wrong += moved(folder / client, sluice.bootstrap, client)
        except (Failure, KeyError, StopIteration) as failure:
            wrong.append(f"the topic that moves: {failure}")
        return wrong

    for client, wrong in together(one, [client for client in clients if client in ADMINISTERS]):
        report.check(f"{phase}: {client} administers", not wrong, wrong)


def moved(folder, bootstrap, client):
    """What this client is told of the topic that moves, and of its group; what is wrong with it."""
    wrong = []
    described = admin(folder, bootstrap, client, "describe-topic", "--topic", TOPIC)
    wrong += [] if len(described["partitions"]) == 3 else [f"described as {described}"]
    ends = {each["partition"]: each["latest"] for each in
            admin(folder, bootstrap, client, "offsets", "--topic", TOPIC)["offsets"]}
    group = admin(folder, bootstrap, client, "group-offsets", "--group", f"{NAME}-g-{client}", "--topic", TOPIC)
    committed = {each["partition"]: each["offset"] for each in group["offsets"] if each["topic"] == TOPIC}
    wrong += [] if committed == {p: end for p, end in ends.items() if end > 0} else [f"committed {committed}, ends {ends}"]
    listed = str(admin(folder, bootstrap, client, "list-groups"))
    wrong += [] if f"{NAME}-g-{client}" in listed else [f"its group is not listed: {listed}"]
    return wrong


def together(work, clients):
    """`work` for each client, two at a time: (client, what it returned)."""
    with ThreadPoolExecutor(2) as pool:
        return list(zip(clients, pool.map(work, clients)))

"""Stock clients straight at the kernel, which runs alone and is killed in between."""

import time

from harness.clients import CODECS, IDEMPOTENT, Traffic, admin, once
from harness.processes import Failure
from harness.report import Workspace
from harness.sluice import Sluice
from scenarios import transactions

COUNT = 100
# What each program can administer; the rest is said in conformance/peers/README.md.
ADMINISTERS = ("python", "java4", "java3", "node", "go")


def options(parser):
    """Command line."""
    parser.add_argument("--clients", default="python,java4,java3,node,go,kcat")
    parser.add_argument("--kills", type=int, default=3)


def run(report, chosen):
    """The scenario."""
    clients = chosen.clients.split(",")
    with Workspace(report) as folder:
        sluice = Sluice(folder / "sluice")
        try:
            sluice.start()
            every_codec(report, sluice, folder / "codecs", clients)
            every_acks(report, sluice, folder / "acks", clients)
            administration(report, sluice, folder / "admin", clients)
            transactions.walk(report, sluice, folder / "transactions", clients)
            sluice.supervise()
            killed(report, sluice, folder / "killed", clients, chosen.kills)
        finally:
            report.check("sluice stops in order", sluice.end())


def every_codec(report, sluice, folder, clients):
    """Each client writes with each codec; a group of each client reads what all of them wrote."""
    folder.mkdir()
    topic, bootstrap = "codecs", sluice.bootstrap
    admin(folder, bootstrap, "python", "create-topic", "--topic", topic, "--partitions", 3)
    for client in clients:
        for index, codec in enumerate(CODECS):
            code, lines = once(
                folder, f"write-{client}-{codec}", client, "produce", "--bootstrap", bootstrap, "--topic", topic,
                "--id", client, "--start", index * COUNT, "--count", COUNT, "--value-bytes", 100, "--compression", codec,
            )
            report.check(f"{client} writes {codec}", code == 0, complaints(lines))
    total = len(clients) * len(CODECS) * COUNT
    for client in clients:
        code, lines = once(
            folder, f"read-{client}", client, "consume", "--bootstrap", bootstrap, "--topic", topic, "--group",
            f"codecs-{client}", "--member", f"m-{client}", "--count", total, "--until-idle", 15000, "--commit", "sync",
        )
        read = sum(line["op"] == "read" for line in lines)
        report.check(f"{client} reads all codecs in a group", code == 0 and read == total,
                     f"{read} of {total}{complaints(lines)}")
    report.judge("all codecs", sorted(folder.glob("*.jsonl")), total)


def every_acks(report, sluice, folder, clients):
    """acks 0, 1 and all, idempotent and not, read back without a group."""
    folder.mkdir()
    bootstrap = sluice.bootstrap
    admin(folder, bootstrap, "python", "create-topic", "--topic", "acks", "--partitions", 2)
    for client in clients:
        settings = [("0", "false"), ("1", "false"), ("all", "false")] + [("all", "true")] * (client in IDEMPOTENT)
        for number, (acks, idempotent) in enumerate(settings):
            code, lines = once(
                folder, f"write-{client}-{acks}-{idempotent}", client, "produce", "--bootstrap", bootstrap,
                "--topic", "acks", "--id", f"{client}-{number}", "--count", COUNT, "--acks", acks,
                "--idempotent", idempotent,
            )
            report.check(f"{client} writes with acks {acks}{', idempotent' * (idempotent == 'true')}", code == 0,
                         complaints(lines))
    written = sum(each["latest"] for each in admin(folder, bootstrap, "python", "offsets", "--topic", "acks")["offsets"])
    for client in clients:
        if client == "kcat":
            continue  # it reads one partition or all of them without saying which it has finished
        code, lines = once(folder, f"read-{client}", client, "consume", "--bootstrap", bootstrap, "--topic", "acks",
                           "--assign", "--member", f"a-{client}", "--count", written, "--until-idle", 10000)
        read = sum(line["op"] == "read" for line in lines)
        report.check(f"{client} reads without a group", code == 0 and read == written,
                     f"{read} of {written}{complaints(lines)}")
    report.judge("acks", sorted(folder.glob("*.jsonl")), COUNT)


def administration(report, sluice, folder, clients):
    """Topics, configurations, groups and offsets, as each client's own admin library asks for them."""
    folder.mkdir()
    for client in (client for client in clients if client in ADMINISTERS):
        for name, holds in walk_administration(folder, sluice.bootstrap, client):
            try:
                report.check(f"{client} {name}", holds())
            except (Failure, KeyError, StopIteration) as failure:
                report.check(f"{client} {name}", False, failure)


def walk_administration(folder, bootstrap, client):
    """Steps of administration: (name, what tells whether it held)."""
    topic, group = f"admin-{client}", f"admin-group-{client}"

    def ask(command, *arguments):
        return admin(folder, bootstrap, client, command, *arguments)

    def partitions():
        return len(ask("describe-topic", "--topic", topic)["partitions"])

    def ends():
        return sum(each["latest"] for each in ask("offsets", "--topic", topic)["offsets"])

    def write_and_read():
        once(folder, f"aw-{client}", client, "produce", "--bootstrap", bootstrap, "--topic", topic, "--id", topic,
             "--count", 50)
        code, _ = once(folder, f"ar-{client}", client, "consume", "--bootstrap", bootstrap, "--topic", topic, "--group",
                       group, "--member", "m", "--count", 50, "--until-idle", 15000, "--commit", "sync")
        return code == 0

    yield "creates a topic", lambda: ask("create-topic", "--topic", topic, "--partitions", 2)
    yield "lists it", lambda: topic in ask("list-topics")["topics"]
    yield "describes it", lambda: partitions() == 2
    yield "adds a partition", lambda: ask("add-partitions", "--topic", topic, "--partitions", 3) and partitions() == 3
    yield "sets and reads a configuration", lambda: (
        ask("set-config", "--topic", topic, "--config", "retention.ms=86400000")
        and "86400000" in str(ask("get-config", "--topic", topic))
    )
    yield "writes and reads in a group", write_and_read
    yield "asks for offsets", lambda: ends() == 50
    yield "lists the group", lambda: group in str(ask("list-groups"))
    yield "describes the group", lambda: ask("describe-group", "--group", group)
    yield "asks for the group's offsets", lambda: ask("group-offsets", "--group", group, "--topic", topic)
    yield "sets a group's offset", lambda: ask("set-group-offset", "--group", group, "--topic", topic, "--partition", 0,
                                              "--offset", 1)
    yield "deletes records", lambda: ask("delete-records", "--topic", topic, "--partition", 0, "--offset", 1)
    yield "deletes the group", lambda: ask("delete-group", "--group", group)
    yield "deletes the topic", lambda: (
        ask("delete-topic", "--topic", topic) and topic not in ask("list-topics")["topics"]
    )


def killed(report, sluice, folder, clients, kills):
    """Writers and groups run on while the kernel is killed and started again at once."""
    traffic = Traffic(folder, sluice.bootstrap)
    try:
        admin(folder, sluice.bootstrap, "python", "create-topic", "--topic", "killed", "--partitions", 4)
        # kcat ends by itself when its only broker is gone for a moment.
        for index, client in enumerate(client for client in clients if client != "kcat"):
            more = ["--idempotent", "true"] if client in IDEMPOTENT else []
            traffic.write(client, "killed", CODECS[index % 5], *more)
            traffic.read(client, "killed", f"killed-{client}", 2)
        traffic.running(seconds=90)
        for _ in range(kills):
            sluice.kill()
            time.sleep(1)
            traffic.running(seconds=90)
        complaints_at_end = traffic.end()
    finally:
        traffic.abandon()
    report.check("killed: every group has read everything", sluice.deaths >= kills and not complaints_at_end,
                 f"{sluice.deaths} deaths {complaints_at_end or ''}")
    report.judge("killed", traffic.histories(), 100)


def complaints(lines):
    """Errors and failed sends of a history, as a tail of a line."""
    wrong = [line.get("error") for line in lines if line["op"] in ("error", "fail")]
    return f" {len(wrong)} complaints, such as {wrong[0]}" if wrong else ""

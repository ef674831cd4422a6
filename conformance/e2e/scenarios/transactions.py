"""Transactions of stock clients: the kernel alone, and a real Kafka beside it that has to give the same answers."""

import json
import subprocess

from harness.clients import PEERS, admin, once
from harness.legacy import Legacy
from harness.processes import Failure, stop, wait_for
from harness.raw import codes
from harness.report import Workspace
from harness.sluice import Sluice

TRANSACTIONAL = ("python", "java4", "java3", "node", "go")
COUNT = 60
# Every third of six transactions of ten is aborted.
COMMITTED = 40
# What each promise looks like when it is kept; a real Kafka gives the same.
PROMISES = {
    "fence": {
        "zombie": "_FENCED fatal", "settled": True, "committed": ["heir-1"],
        "stored": ["zombie-1", "zombie-2", "heir-1"], "ends": [5, 5],
    },
    "stable": {
        "seen": [["plain-1"], [1, 5], ["plain-1"], [1, 6], ["plain-1", "second-1", "plain-2"], [7, 7]],
        "settled": True, "stored": ["plain-1", "first-1", "first-2", "second-1", "plain-2"],
    },
    "time-out": {"opened": [0, 1], "settled": True, "ended": "_FENCED fatal", "committed": [], "ends": [2, 2]},
    "pipeline": {"done": 100, "committed": 100},
}

# What a real Kafka 4 answers to requests in and out of order; see harness/raw.py.
CODES = {
    "a time-out of nothing": 50, "a time-out over the limit": 50, "an empty id": 42, "init": [0, 0],
    "end of nothing": [48, 48], "end by an unknown id": 49, "end with an empty id": 42,
    "end by another producer id": 49, "end by another epoch": [90, 47], "add by an unknown id": [49],
    "add by another producer id": [49], "add by another epoch": [90, 47], "add with an unknown partition": [3, 55],
    "add offsets by an unknown id": 49, "add offsets of no group": 0, "add offsets by another epoch": [90, 47],
    "offsets that were not added": 48, "a batch that was not added": 48, "a batch without an id": 53, "add": [0, 0],
    "a batch": 0, "the same again": 0, "a gap in the sequence": 45, "a plain batch of the producer": 48,
    "add offsets": 0, "offsets": 0, "offsets of an older version": 0, "offsets of an unknown topic": 3, "commit": 0,
    "commit again": 0, "abort what is committed": 48, "a late batch": 48, "late offsets": 48, "add for the next": [0],
    "a batch of the next": 0, "init while one is open": 51, "init when it is aborted": [0, True, 2],
    "a zombie's batch": 47, "a zombie's batch elsewhere": 47, "a zombie's add": [90], "a zombie's offsets": 47,
    "a zombie's end": [90, 47], "abort by the heir of nothing": 48,
}


def options(parser):
    """Command line."""
    parser.add_argument("--clients", default=",".join(TRANSACTIONAL))
    parser.add_argument("--kafka", default="4", help="versions to compare with, or an empty word for none")


def run(report, chosen):
    """The scenario."""
    clients = chosen.clients.split(",")
    with Workspace(report) as folder:
        for version in (version for version in chosen.kafka.split(",") if version):
            kafka = Legacy(folder / f"kafka{version}", version)
            try:
                promises(report, f"kafka {version}", kafka.bootstrap, folder / f"promises-kafka{version}")
            finally:
                kafka.end()
        sluice = Sluice(folder / "sluice")
        try:
            sluice.start()
            walk(report, sluice, folder / "kernel", clients)
        finally:
            report.check("sluice stops in order", sluice.end())


def walk(report, sluice, folder, clients):
    """Everything that the kernel alone is asked."""
    folder.mkdir()
    every_client(report, sluice.bootstrap, folder / "clients", [c for c in clients if c in TRANSACTIONAL])
    promises(report, "kernel", sluice.bootstrap, folder / "promises")
    copier(report, sluice.bootstrap, folder / "copier")
    administered(report, sluice.bootstrap, folder / "administered")
    killed(report, sluice, folder / "killed")


def every_client(report, bootstrap, folder, clients):
    """Each client writes transactions, some aborted; each reads what was committed, and only that."""
    folder.mkdir()
    admin(folder, bootstrap, "python", "create-topic", "--topic", "clients", "--partitions", 4)
    for client in clients:
        code, lines = once(
            folder, f"write-{client}", client, "produce", "--bootstrap", bootstrap, "--topic", "clients", "--id", client,
            "--count", COUNT, "--transactional-id", f"tx-{client}", "--txn-size", 10, "--abort-every", 3,
        )
        ended = [line["outcome"] for line in lines if line["op"] == "txn"]
        report.check(f"{client} commits four transactions and aborts two",
                     code == 0 and sorted(ended) == ["abort"] * 2 + ["commit"] * 4, complaints(lines))
    wanted = COMMITTED * len(clients)
    for client in clients:
        _, lines = once(
            folder, f"read-{client}", client, "consume", "--bootstrap", bootstrap, "--topic", "clients", "--assign",
            "--member", f"m-{client}", "--until-idle", 5000, "--isolation", "read_committed",
        )
        read = [line["value"] for line in lines if line["op"] == "read"]
        report.check(f"{client} reads what was committed, once", len(read) == len(set(read)) == wanted,
                     f"{len(set(read))} of {wanted}, {len(read) - len(set(read))} twice")


def promises(report, name, bootstrap, folder):
    """Fencing, stability, time-outs, and a pipeline whose offsets are part of its transactions."""
    folder.mkdir()
    for what, expected in PROMISES.items():
        topic = f"promise-{what}"
        admin(folder, bootstrap, "python", "create-topic", "--topic", topic, "--partitions", 1)
        more = []
        if what == "pipeline":
            admin(folder, bootstrap, "python", "create-topic", "--topic", "promise-source", "--partitions", 2)
            once(folder, "source", "python", "produce", "--bootstrap", bootstrap, "--topic", "promise-source", "--id", "s",
                 "--count", 100)
            more = ["--source", "promise-source", "--count", 100]
        _, lines = once(folder, f"transact-{what}", "python", "transact", what, "--bootstrap", bootstrap, "--topic", topic,
                        "--id", f"id-{what}", *more)
        found = next((line for line in lines if line["op"] == "result"), {})
        seen = {key: found.get(key) for key in expected}
        report.check(f"{name}: {what}", seen == expected, "" if seen == expected else json.dumps(seen))
    admin(folder, bootstrap, "python", "create-topic", "--topic", "promise-codes", "--partitions", 3)
    found = json.loads(json.dumps(codes(bootstrap, "id-codes", "promise-codes")))
    other = {what: [found.get(what), code] for what, code in CODES.items() if found.get(what) != code}
    report.check(f"{name}: the codes of {len(CODES)} requests in and out of order", not other, json.dumps(other) if other else "")
    exactly_once(report, f"{name}: the pipeline's output holds every input once", bootstrap, folder, "promise-pipeline", 100)


def exactly_once(report, name, bootstrap, folder, topic, count):
    """Whether committed records of a topic are `count` different ones."""
    _, lines = once(folder, f"read-{topic}", "python", "consume", "--bootstrap", bootstrap, "--topic", topic, "--assign",
                    "--until-idle", 4000, "--isolation", "read_committed")
    read = [line["value"] for line in lines if line["op"] == "read"]
    report.check(name, len(read) == len(set(read)) == count, f"{len(read)} read, {len(set(read))} different")


def check_text(report, name, text, *words):
    """Whether a tool said these words."""
    held = all(word in text for word in words)
    report.check(name, held, "" if held else text[-300:])


def complaints(lines):
    """Errors of a history, as a tail of a line."""
    wrong = [line.get("error") for line in lines if line["op"] in ("error", "fail")]
    return f"{len(wrong)} complaints, such as {wrong[0]}" if wrong else ""


def tool(name, *arguments, seconds=120):
    """One of Kafka's own tools: (exit code, output)."""
    done = subprocess.run([PEERS / "ktool", name, *map(str, arguments)], capture_output=True, text=True, timeout=seconds,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def copier(report, bootstrap, folder):
    """Kafka's own exactly-once test program, whose Java client uses the newest form of transactions."""
    folder.mkdir()
    for topic in ("copy-in", "copy-out"):
        admin(folder, bootstrap, "python", "create-topic", "--topic", topic, "--partitions", 1)
    once(folder, "source", "python", "produce", "--bootstrap", bootstrap, "--topic", "copy-in", "--id", "c", "--count", 200)
    code, out = tool(
        "org.apache.kafka.tools.TransactionalMessageCopier", "--broker-list", bootstrap, "--input-topic", "copy-in",
        "--input-partition", 0, "--output-topic", "copy-out", "--transactional-id", "copier", "--consumer-group", "copiers",
        "--transaction-size", 20, "--max-messages", 200, "--enable-random-aborts",
    )
    report.check("Kafka's copier ends well", code == 0, out[-300:] if code else "")
    exactly_once(report, "the copier's output holds every input once", bootstrap, folder, "copy-out", 200)


def administered(report, bootstrap, folder):
    """An open transaction as administrators see it, and its end by their hand."""
    folder.mkdir()
    admin(folder, bootstrap, "python", "create-topic", "--topic", "administered", "--partitions", 1)
    process, _ = opened(bootstrap, folder, "administered")
    try:
        _, listed = tool("transactions", "--bootstrap-server", bootstrap, "list")
        check_text(report, "an open transaction is listed", listed, "id-administered", "Ongoing")
        _, described = tool("transactions", "--bootstrap-server", bootstrap, "describe", "--transactional-id",
                            "id-administered")
        check_text(report, "it is described with its partition", described, "administered-0")
        _, producers = tool("transactions", "--bootstrap-server", bootstrap, "describe-producers", "--topic",
                            "administered", "--partition", 0)
        producer = next(word for word in described.splitlines()[-1].split() if len(word) > 15 and word.isdigit())
        check_text(report, "its producer is described", producers, producer)
        code, out = tool("transactions", "--bootstrap-server", bootstrap, "abort", "--topic", "administered",
                         "--partition", 0, "--start-offset", 0)
        report.check("it is aborted by hand", code == 0, out[-200:])
        _, lines = once(folder, "read", "python", "consume", "--bootstrap", bootstrap, "--topic", "administered",
                        "--assign", "--until-idle", 3000, "--isolation", "read_uncommitted")
        report.check("its record is there for those who read everything",
                     [line["value"] for line in lines if line["op"] == "read"] == ["before"])
    finally:
        stop(process, 5)


def killed(report, sluice, folder):
    """The kernel is killed within a transaction, and the producer ends it afterwards as if nothing had been."""
    folder.mkdir()
    admin(folder, sluice.bootstrap, "python", "create-topic", "--topic", "killed-open", "--partitions", 1)
    process, history = opened(sluice.bootstrap, folder, "killed-open")
    try:
        sluice.kill()
        sluice.start()
        process.stdin.write(b"\n")
        process.stdin.close()
        code = process.wait(120)
        lines = [json.loads(line) for line in history.read_text().splitlines()]
        found = next((line for line in lines if line["op"] == "result"), {})
        report.check("a transaction goes on over a kill of the kernel",
                     code == 0 and found.get("ended") == "done" and found.get("committed") == ["before", "after"],
                     "" if found.get("ended") == "done" else json.dumps(found))
    finally:
        stop(process, 5)


def opened(bootstrap, folder, topic):
    """A producer that has left a transaction open and waits for a line: (process, its history)."""
    history = folder / f"open-{topic}.jsonl"
    with open(history, "wb") as out, open(folder / f"open-{topic}.log", "wb") as err:
        process = subprocess.Popen(
            [PEERS / "client", "python", "transact", "open", "--bootstrap", bootstrap, "--topic", topic, "--id",
             f"id-{topic}"], stdin=subprocess.PIPE, stdout=out, stderr=err, start_new_session=True,
        )
    try:
        wait_for("a transaction is open", lambda: '"op":"open"' in history.read_text(), 60)
    except Failure:
        stop(process, 2)
        raise
    return process, history

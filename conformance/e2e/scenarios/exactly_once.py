"""Transactions across the move: pipelines and transactional writers run on while topics, groups and ids change sides."""

import json
import subprocess
import time

from harness.clients import PEERS, Client, admin, first_commit, once
from harness.legacy import Legacy
from harness.processes import Failure, stop, wait_for
from harness.report import Workspace, now_ms
from harness.sluice import Sluice

NAME, OTHER = "eos", "stray"
WRITERS = ("python", "java4", "java3", "go", "node")
TOPICS = {"eos-in": 2, "eos-out": 2, "eos-streams-out": 2, "eos-txn": 3, "eos-zombie": 1, "eos-late": 1, "eos-open": 1, "stray-in": 1}
# Beside them one that legacy compacts, written in transactions too.
KEPT = "eos-kept"
COMPACTED = ["cleanup.policy=compact", "segment.ms=1000", "min.cleanable.dirty.ratio=0.01", "max.compaction.lag.ms=2000"]
# What the gate and the status say before the cutover.
CLOSED = "nothing leads back from cutover"
PHASES = ("mirror", "dual-write", "cutover")
# With this legacy takes batches of transactions that its own coordinator does not lead, and there is a way back.
UNVERIFIED = "transaction.partition.verification.enable=false"
# Records a second of each writer.
RATE = 40


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=1)
    parser.add_argument("--clients", default="python,java4,java3,go")
    parser.add_argument("--dwell", type=float, default=4, help="seconds in each phase, at least")
    parser.add_argument("--count", type=int, default=5000, help="records that the pipeline reads")
    parser.add_argument("--no-streams", action="store_true", help="without the pipeline on Kafka Streams")
    parser.add_argument("--back", action="store_true", help="back to legacy after the cutover, and to the kernel again")
    parser.add_argument("--kills", type=int, default=2, help="how often sluice is killed after the cutover")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version, chosen.nodes, [UNVERIFIED] if chosen.back else [])
        sluice, clients = None, []
        try:
            here = folder / "h"
            here.mkdir()
            for topic, partitions in TOPICS.items():
                admin(here, legacy.bootstrap, "python", "create-topic", "--topic", topic, "--partitions", partitions,
                      "--replication", chosen.nodes)
            admin(here, legacy.bootstrap, "python", "create-topic", "--topic", KEPT, "--partitions", 2, "--replication", chosen.nodes,
                  *(word for each in COMPACTED for word in ("--config", each)))
            first_commit(here, legacy.bootstrap, "eos-in")
            sluice = Sluice(folder / "sluice", legacy, [
                {"name": NAME, "topics": ["eos-*"], "groups": ["eos-*"], "transactional_ids": ["eos-*"]},
                {"name": OTHER, "topics": ["stray-*"], "groups": [], "transactional_ids": []},
            ])
            sluice.start()
            sluice.supervise()
            unnamed(report, sluice, here)
            clients += begin(sluice, here, chosen)
            walk(report, sluice, legacy, here, clients, chosen)
            for number in range(chosen.kills):
                time.sleep(chosen.dwell)
                report.say(f"kill {number + 1}, on the kernel")
                sluice.kill()
                moving(clients)
            if chosen.back:
                there_and_back(report, sluice, legacy, here, clients, chosen)
            judge(report, sluice, legacy, here, clients, chosen)
            if chosen.back:
                removed(report, sluice, legacy, here, chosen)
        finally:
            for client in clients:
                stop(client.process, 5)
            if sluice and sluice.process.poll() is None:
                report.check("sluice stops in order", sluice.end())
            legacy.end()


def unnamed(report, sluice, folder):
    """An id that no migration names, on a migration's topic: the gate says so, and what to do."""
    once(folder, "unnamed", "python", "produce", "--bootstrap", sluice.bootstrap, "--topic", "stray-in", "--id", "stray",
         "--count", 20, "--transactional-id", "nobody-1")
    sluice.advance(OTHER, "dual-write")
    code, answer = sluice.ask("advance", OTHER, "cutover")
    text = json.dumps(answer)
    report.check("the gate names an id that no migration names", code == 1 and "nobody-1" in text and "transactional_ids" in text,
                 "" if "nobody-1" in text else text)


def begin(sluice, folder, chosen):
    """A writer, a pipeline, transactional writers of several kinds, and readers of what is committed."""
    to = ["--bootstrap", sluice.bootstrap]
    clients = [
        Client(folder, "w-in", "python", "produce", *to, "--topic", "eos-in", "--id", "in", "--rate", RATE, "--count",
               chosen.count),
        Client(folder, "pipeline", "python", "transact", "pipeline", *to, "--topic", "eos-out", "--source", "eos-in", "--id",
               "eos-pipeline", "--count", chosen.count),
    ]
    if not chosen.no_streams:
        clients.append(Client(folder, "streams", "streams", "run", *to, "--topic", "eos-streams-out", "--source", "eos-in",
                              "--id", "eos-streams"))
    clients.append(Client(folder, "w-kept", "python", "produce", *to, "--topic", KEPT, "--id", "kept", "--rate", RATE, "--keys", 30,
                          "--transactional-id", "eos-kept", "--txn-size", 10, "--abort-every", 4))
    for name in chosen.clients.split(","):
        clients.append(Client(folder, f"t-{name}", name, "produce", *to, "--topic", "eos-txn", "--id", f"t-{name}", "--rate",
                              RATE, "--transactional-id", f"eos-{name}", "--txn-size", 10, "--abort-every", 3))
        clients.append(Client(folder, f"r-{name}", name, "consume", *to, "--topic", "eos-txn", "--group", f"eos-g-{name}",
                              "--member", f"r-{name}", "--isolation", "read_committed"))
    return clients


def moving(clients, seconds=90):
    """Waits until every client has done something more."""
    running = [client for client in clients if client.process.poll() is None and client.name not in ("pipeline", "streams")]
    before = {client: len(client.look().acks) + len(client.reads) for client in running}

    def idle():
        return [c.name for c in running
                if c.process.poll() is None and len(c.look().acks) + len(c.reads) <= before[c] + 5]

    try:
        wait_for("everybody goes on", lambda: not idle(), seconds)
    except Failure as late:
        raise Failure(f"{late}; still waiting for {', '.join(idle())}") from None


def walk(report, sluice, legacy, folder, clients, chosen):
    """Through the phases, with a zombie and an open transaction on the way."""
    moving(clients)
    to = ["--bootstrap", sluice.bootstrap]
    zombie = waiting(folder, "zombie", *to, "--topic", "eos-zombie", "--id", "eos-zombie")
    # Past the proxy: with a way back that would close it.
    past = None if chosen.back else waiting(folder, "late", "--bootstrap", legacy.bootstrap, "--topic", "eos-late", "--id", "eos-late")
    opened = waiting(folder, "open", *to, "--topic", "eos-open", "--id", "eos-open")
    try:
        for phase in PHASES:
            time.sleep(chosen.dwell)
            moving(clients)
            if phase == "cutover":
                refused(report, sluice, opened, chosen)
            asked = now_ms()
            refusals = sluice.advance(NAME, phase)
            report.say(f"{phase} after {now_ms() - asked} ms {refusals or ''}")
            if phase == "dual-write":
                report.say("kill, on legacy")
                sluice.kill()
                moving(clients)
        moving(clients)
        found = told(*zombie)
        report.check("a producer of before the move is fenced by its heir after it",
                     found.get("zombie") == "_FENCED fatal" and found.get("committed") == ["before", "heir-1"], json.dumps(found))
        if chosen.back:
            return
        wait_for("legacy fences the producers of moved ids", lambda: sluice.log_lines("legacy fences the producers"), 60)
        found = told(*past)
        report.check("a producer that goes on at legacy's own address is fenced there",
                     "fatal" in str(found.get("late")) and found.get("committed") == ["before"], json.dumps(found))
    finally:
        stop(zombie[0], 5)
        if past:
            stop(past[0], 5)
        stop(opened[0], 5)


def there_and_back(report, sluice, legacy, folder, clients, chosen):
    """Back to legacy under load, on there, and to the kernel again; a producer that begins on the kernel comes along."""
    once(folder, "begun", "python", "produce", "--bootstrap", sluice.bootstrap, "--topic", "eos-zombie", "--id", "begun",
         "--count", 20, "--transactional-id", "eos-begun", "--txn-size", 5)
    asked = now_ms()
    refusals = sluice.roll_back(NAME, "dual-write", 240)
    took = now_ms() - asked
    back = [entry for entry in sluice.ledger(NAME) if entry["kind"] == "released"][-1:]
    report.say(f"back after {took} ms, fence {[entry['fence_ms'] for entry in back]} ms {refusals or ''}")
    report.facts["back_ms"] = took
    units = sluice.migration(NAME).get("units", [])
    report.check("every unit is legacy's", units and all(unit["primary"] == "legacy" for unit in units),
                 [unit["unit"] for unit in units if unit["primary"] != "legacy"])
    listed = subprocess.run([PEERS / "ktool", "transactions", "--bootstrap-server", legacy.bootstrap, "list"],
                            capture_output=True, text=True, check=False, timeout=60).stdout
    report.check("legacy has the id that began on the kernel", "eos-begun" in listed, "" if "eos-begun" in listed else listed[-400:])
    moving(clients)
    time.sleep(chosen.dwell)
    code, answer = sluice.ask("verify", NAME, timeout=300)
    report.check("verify finds both sides alike, markers included", code == 0, "" if code == 0 else json.dumps(answer)[-600:])
    once(folder, "heir", "python", "produce", "--bootstrap", sluice.bootstrap, "--topic", "eos-zombie", "--id", "heir",
         "--count", 20, "--transactional-id", "eos-begun", "--txn-size", 5)
    refusals = sluice.advance(NAME, "cutover", 240)
    report.say(f"on the kernel again {refusals or ''}")
    moving(clients)


def refused(report, sluice, opened, chosen):
    """A transaction that stays open keeps the cutover waiting, and nobody is held for it; its end lets it go."""
    asked = []

    def begun():
        asked.append(sluice.ask("advance", NAME, "cutover", "--wait=6", timeout=60))
        return "is red" not in json.dumps(asked[-1])

    shown = sluice.migration(NAME)
    gate, given_up = shown.get("gate") or {}, shown.get("cutover_gives_up") or []
    if chosen.back:
        report.check("neither gate nor status say that a way back is given up", not gate.get("gives_up") and not given_up, given_up)
    else:
        report.check("the gate to cutover says that nothing leads back, and why",
                     gate.get("to") == "cutover" and CLOSED in json.dumps(gate.get("gives_up")), gate.get("gives_up"))
        report.check("so does the status, of every partition and the ids, and what to change",
                     any(CLOSED in each and "transaction.partition.verification.enable" in each for each in given_up), given_up)
    wait_for("the gate to cutover is green", begun, 60)
    code, answer = asked[-1]
    shown = sluice.migration(NAME)
    entries = [each for each in sluice.ledger(NAME) if each["kind"] in ("aborted", "released")]
    said = json.dumps([answer, shown.get("handover"), shown.get("last"), entries[-1:]])
    report.check("an open transaction keeps the cutover waiting, by its name", code != 0 and "eos-open" in said,
                 "" if "eos-open" in said else said[-600:])
    found = told(*opened)
    report.check("it is committed meanwhile", found.get("ended") == "done" and found.get("committed") == ["before", "after"],
                 json.dumps(found))


def waiting(folder, what, *arguments):
    """A program that goes on when a line comes in: (process, its history)."""
    history = folder / f"{what}.jsonl"
    with open(history, "wb") as out, open(folder / f"{what}.log", "wb") as err:
        process = subprocess.Popen([PEERS / "client", "python", "transact", what, *map(str, arguments)],
                                   stdin=subprocess.PIPE, stdout=out, stderr=err, start_new_session=True)
    wait_for(f"{what} waits", lambda: '"op":"open"' in history.read_text(), 60)
    return process, history


def told(process, history):
    """Lets it go on: its result."""
    process.stdin.write(b"\n")
    process.stdin.close()
    process.wait(180)
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    return next((line for line in lines if line["op"] == "result"), {"errors": [line for line in lines if line["op"] == "error"]})


def judge(report, sluice, legacy, folder, clients, chosen):
    """What was read is what was committed, and the pipeline's output holds every input once."""
    by_name = {client.name: client for client in clients}
    writer, pipeline = by_name["w-in"], by_name["pipeline"]
    for client in (writer, pipeline):
        try:
            client.process.wait(240)
        except subprocess.TimeoutExpired:
            stop(client.process, 2)
    results = [line for line in lines_of(pipeline) if line["op"] in ("result", "error")]
    report.check("the pipeline comes to its end", pipeline.process.returncode == 0, results[-2:])
    wanted = {line["value"] for line in lines_of(writer) if line["op"] == "ack"}
    for isolation in ("read_committed", "read_uncommitted"):
        _, lines = once(folder, f"out-{isolation}", "python", "consume", "--bootstrap", sluice.bootstrap, "--topic", "eos-out",
                        "--assign", "--until-idle", 5000, "--isolation", isolation)
        read = [line["value"] for line in lines if line["op"] == "read"]
        if isolation == "read_committed":
            held = sorted(read) == sorted(wanted) and len(wanted) == chosen.count
            report.check("the pipeline's output holds every input once", held,
                         f"{len(read)} read, {len(set(read))} different, {len(wanted)} written")
        else:
            report.check("what was aborted is there for those who read everything", len(read) > chosen.count, len(read))
    if not chosen.no_streams:
        streamed(report, sluice, folder, by_name["streams"], sorted(wanted))
    committed, unknown = set(), set()
    for name in chosen.clients.split(","):
        client = by_name[f"t-{name}"]
        report.check(f"{name} writes transactions to the end", client.end() and client.process.returncode == 0, client.errors[:3])
        lines = lines_of(client)
        ends = {line["txn"] for line in lines if line["op"] == "txn" and line["outcome"] == "commit"}
        committed |= {line["value"] for line in lines if line["op"] == "ack" and line.get("txn") in ends}
        # A client that lost the answer to its commit does not know what became of it.
        known = {line["txn"] for line in lines if line["op"] == "txn"}
        unknown |= {line["value"] for line in lines if line["op"] == "ack" and line.get("txn") not in known}
    for name in chosen.clients.split(","):
        client = by_name[f"r-{name}"]
        until = time.monotonic() + 60
        while not committed <= client.look().values and time.monotonic() < until:
            time.sleep(0.2)
        client.end()
        read = [line["value"] for line in lines_of(client) if line["op"] == "read"]
        missing, foreign = committed - set(read), set(read) - committed - unknown
        report.check(f"{name} reads what was committed, and only that", not missing and not foreign,
                     f"{len(read)} read, {len(set(read))} different, {len(missing)} missing, {len(foreign)} foreign "
                     f"{sorted(foreign)[:2]}")
    kept(report, sluice, folder, by_name["w-kept"])
    shown = sluice.migration(NAME)
    units = shown.get("units", [])
    ids = [unit for unit in units if "transactions:" in unit["unit"]]
    report.check("the transactional ids are a unit of the kernel's", [unit["primary"] for unit in ids] == ["kernel"], ids)
    report.check("every unit is the kernel's", units and all(unit["primary"] == "kernel" for unit in units), len(units))
    report.check("no unexplained divergence", not any(unit["unexplained"] for unit in units),
                 [unit for unit in units if unit["unexplained"]])
    if not chosen.back:
        code, answer = sluice.ask("rollback", NAME, "observe")
        report.check("a rollback is refused with the reason", code != 0 and "transactional ids move" in json.dumps(answer), answer)
    entries = sluice.ledger(NAME)
    moves = [entry for entry in entries if entry["kind"] == "committed"]
    report.check("everything moved in one handover, each time", len(moves) == (3 if chosen.back else 1)
                 and all(len(move["units"]) == len(units) for move in moves), [len(move["units"]) for move in moves])
    report.facts["fence_ms"] = [entry["fence_ms"] for entry in entries if entry["kind"] == "released"]
    report.facts["aborted"] = [entry["reason"] for entry in entries if entry["kind"] == "aborted"]
    report.say(f"fences {report.facts['fence_ms']} ms, ended on the old side: {report.facts['aborted']}")
    listed = subprocess.run([PEERS / "ktool", "transactions", "--bootstrap-server", sluice.bootstrap, "list"],
                            capture_output=True, text=True, check=False, timeout=60)
    rows = [line for line in listed.stdout.splitlines() if "eos-pipeline" in line]
    report.check("a moved id is listed once, by the kernel", len(rows) == 1, listed.stdout[-300:] if len(rows) != 1 else "")


def kept(report, sluice, folder, writer):
    """Of each key of the compacted topic the newest committed value, at the offset at which it was acknowledged."""
    report.check("the writer of the compacted topic ends in order", writer.end() and writer.process.returncode == 0, writer.errors[:3])
    lines = lines_of(writer)
    ends = {line["txn"] for line in lines if line["op"] == "txn" and line["outcome"] == "commit"}
    newest = {}
    for line in lines:
        if line["op"] == "ack" and line.get("txn") in ends:
            at = (line["partition"], line["key"])
            newest[at] = max(newest.get(at, (-1, "")), (line["offset"], line["value"]))
    _, read = once(folder, "kept-read", "python", "consume", "--bootstrap", sluice.bootstrap, "--topic", KEPT, "--assign",
                   "--until-idle", 4000, "--isolation", "read_committed")
    found = {}
    for line in read:
        if line["op"] == "read":
            at = (line["partition"], line["key"])
            found[at] = max(found.get(at, (-1, "")), (line["offset"], line["value"]))
    wrong = [(at, newest[at], found.get(at)) for at in newest if newest[at] != found.get(at)]
    report.check("of each key of the compacted topic the newest committed value is there", newest and not wrong,
                 f"{len(newest)} keys, {sum(len(line) > 0 for line in read)} lines read {wrong[:2]}")


def removed(report, sluice, legacy, folder, chosen):
    """Back once more and sluice taken away: programs with the same ids and groups go on at legacy's own address."""
    sluice.roll_back(NAME, "observe", 240)
    report.check("sluice is taken away", sluice.end())
    for name in chosen.clients.split(","):
        to = ["--bootstrap", legacy.bootstrap]
        writer = Client(folder, f"direct-{name}", name, "produce", *to, "--topic", "eos-txn", "--id", f"direct-{name}", "--count", 60,
                        "--transactional-id", f"eos-{name}", "--txn-size", 10, "--abort-every", 3)
        reader = Client(folder, f"direct-r-{name}", name, "consume", *to, "--topic", "eos-txn", "--group", f"eos-g-{name}",
                        "--member", f"direct-r-{name}", "--isolation", "read_committed")
        try:
            writer.process.wait(120)
        except subprocess.TimeoutExpired:
            stop(writer.process, 2)
        lines = lines_of(writer)
        ends = {line["txn"] for line in lines if line["op"] == "txn" and line["outcome"] == "commit"}
        committed = {line["value"] for line in lines if line["op"] == "ack" and line.get("txn") in ends}
        until = time.monotonic() + 60
        while not committed <= reader.look().values and time.monotonic() < until:
            time.sleep(0.2)
        reader.end()
        read = {line["value"] for line in lines_of(reader) if line["op"] == "read"}
        before = {value for value in read if not value.startswith("direct-")}
        report.check(f"{name} goes on directly, with its id and its group's offsets",
                     writer.process.returncode == 0 and committed and committed <= read and not before,
                     f"{len(committed)} committed, {len(read)} read, {len(before)} of before")


def streamed(report, sluice, folder, streams, wanted):
    """The output of Kafka Streams, once it is there and once it has ended."""

    def output(idle=3000):
        _, lines = once(folder, "out-streams", "python", "consume", "--bootstrap", sluice.bootstrap, "--topic",
                        "eos-streams-out", "--assign", "--until-idle", idle, "--isolation", "read_committed")
        return [line["value"] for line in lines if line["op"] == "read"]

    try:
        wait_for("Kafka Streams has passed on everything", lambda: set(output()) >= set(wanted), 120)
    except Failure:
        pass  # The check below says what is missing.
    report.check("Kafka Streams ends in order", streams.end(60) and streams.process.returncode == 0, lines_of(streams)[-3:])
    read = output(5000)
    report.check("the output of Kafka Streams holds every input once", sorted(read) == wanted,
                 f"{len(read)} read, {len(set(read))} different, {len(wanted)} written")
    restarts = [line["error"][:200] for line in lines_of(streams) if line["op"] == "restart"]
    report.facts["streams_restarts"] = restarts
    report.say(f"threads of Kafka Streams that were replaced: {restarts}")


def lines_of(client):
    """A client's whole history."""
    return [json.loads(line) for line in client.path.read_text().splitlines() if line.endswith("}")]

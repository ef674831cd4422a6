"""Foreign suites: librdkafka's own tests and Kafka's verifiable programs at a real Kafka, at the kernel, and through the proxy."""

import json
from collections import Counter
from pathlib import Path

from harness import librdkafka, verifiable
from harness.legacy import Legacy
from harness.processes import Failure
from harness.report import Workspace
from harness.sluice import Sluice

SIDES = ("kafka", "kernel", "observe")
# What librdkafka's tests take the broker for; they know no newer one.
VERSION = "4.0.0"
# Its tests count on topics that make themselves having so many partitions.
PARTITIONS = 4
# Some make rules of access; nobody is kept from anything by them but those that they name.
BROKER = (
    f"num.partitions={PARTITIONS}",
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users=User:ANONYMOUS",
    "allow.everyone.if.no.acl.found=true",
)
KERNEL = (f"partitions_default = {PARTITIONS}", 'super_users = ["User:ANONYMOUS"]', "allow_if_no_rule = true")
# Tests that pass at the real Kafka and need not pass elsewhere: (test, side): what it says then, and why nobody loses anything by it.
EXPLAINED = {
    ("0081_admin", "kernel"): ("Only the configuration of topics can be changed by clients",
                               "sets a broker's own settings (AlterConfigs); the kernel's stand in its file, and the answer says so"),
}


def options(parser):
    """Command line."""
    parser.add_argument("--sides", default=",".join(SIDES), help="comma-separated; Kafka's score is always taken first")
    parser.add_argument("--only", action="append", default=[], help="tests whose name contains this; a subject's name")
    parser.add_argument("--seconds", type=int, default=150, help="for one test")
    parser.add_argument("--attempts", type=int, default=2, help="a test that does not pass at first may be tried again")
    parser.add_argument("--table", metavar="FILE", help="write the table there, as Markdown and as JSON beside it")
    parser.add_argument("--reference", metavar="FILE", help="the JSON of an earlier run, for Kafka's own score")
    parser.add_argument("--no-verifiable", action="store_true", help="librdkafka's tests alone")
    parser.add_argument("--no-librdkafka", action="store_true", help="Kafka's verifiable programs alone")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        suite = librdkafka.Suite(folder, VERSION)
        wanted = [] if chosen.no_librdkafka else selected(suite, chosen.only)
        # Kafka's own score first: what does not pass there is asked of nobody.
        sides = ["kafka", *(side for side in chosen.sides.split(",") if side != "kafka")]
        table = {}
        if chosen.reference:
            table = json.loads(Path(chosen.reference).read_text(encoding="utf-8"))
            wanted = [name for name in wanted if name in table]
            sides.remove("kafka")
        for side in sides:
            on_side(report, folder, suite, wanted, side, table, chosen)
            if chosen.table:
                write(Path(chosen.table), table)
        report.facts["scores"] = {side: dict(Counter(row[side]["state"] for row in table.values() if side in row))
                                  for side in SIDES}
        report.facts["table"] = table


def selected(suite, only):
    """Names of tests, by the subjects' order."""
    names = suite.names()
    chosen = []
    for subject, starts in librdkafka.SUBJECTS.items():
        for start in starts:
            for name in names:
                whole = name == start or (name.startswith(start) and "mock" not in name and "_local" not in name)
                if whole and name not in chosen and (not only or subject in only or any(each in name for each in only)):
                    chosen.append(name)
    return chosen


def on_side(report, folder, suite, wanted, side, table, chosen):
    """Everything at one side, with processes of its own."""
    legacy = None if side == "kernel" else Legacy(folder / f"kafka-{side}", settings=BROKER)
    sluice = None
    try:
        if side != "kafka":
            sluice = Sluice(folder / f"sluice-{side}", legacy, kafka=() if legacy else KERNEL)
            sluice.start()
        bootstrap = (sluice or legacy).bootstrap
        if not chosen.no_verifiable:
            for name, (passed, detail) in verifiable.walk(folder / f"verifiable-{side}", bootstrap).items():
                row = {"state": "passed" if passed else "failed", "detail": detail}
                settle(report, table, name, side, row)
        for name in wanted:
            if side != "kafka" and table[name]["kafka"]["state"] != "passed":
                continue
            if chosen.table:
                write(Path(chosen.table), table)
            for attempt in range(1, chosen.attempts + 1):
                state, seconds, said = suite.run(name, bootstrap, side, chosen.seconds)
                if state in ("passed", "skipped"):
                    break
            settle(report, table, name, side, {"state": state, "seconds": seconds, "attempts": attempt, "detail": said})
            if sluice is not None and sluice.process.poll() is not None:
                raise Failure(f"sluice ended within {name}: {sluice.log_tail()}")
    finally:
        if sluice is not None:
            report.check(f"{side}: sluice stops in order", sluice.end())
        if legacy is not None:
            legacy.end()


def settle(report, table, name, side, row):
    """Notes a result. At the real Kafka whatever comes is the score; elsewhere what passes there has to pass."""
    table.setdefault(name, {})[side] = row
    detail = " ".join(str(row[key]) for key in ("seconds", "detail") if row.get(key))
    said, why = EXPLAINED.get((name, side), (None, None))
    if side == "kafka":
        report.say(f"{row['state']:8}{name} {detail}")
    elif why is not None and row["state"] != "passed" and said in detail:
        report.say(f"explained {side}: {name}: {why}")
    elif table[name]["kafka"]["state"] == "passed":
        report.check(f"{side}: {name}", row["state"] == "passed", f"{row['state']} {detail}")


def write(path, table):
    """The table, for people and for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["| test | " + " | ".join(SIDES) + " | |", "| --- |" + " --- |" * (len(SIDES) + 1)]
    for name, row in table.items():
        states = [row.get(side, {}).get("state", "") for side in SIDES]
        why = next((EXPLAINED[name, side][1] for side in SIDES if (name, side) in EXPLAINED), "")
        if not why and states[0] != "passed":
            why = row["kafka"].get("detail", "").replace("|", "/")[:160]
        lines.append(f"| {name} | {' | '.join(states)} | {why} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")

"""A compacted topic, cleaned by legacy all the while, moves; readers get the latest value of each key in every phase."""

import json
import subprocess
import sys
import time
import urllib.request

from harness.clients import Client, admin, first_commit, once
from harness.legacy import Legacy
from harness.processes import Failure, stop, wait_for
from harness.report import Workspace
from harness.sluice import ROOT, Sluice

NAME = "state"
TOPIC = "state-a"
PARTITIONS = 2
GROUP = "g-state"
PHASES = ("observe", "mirror", "dual-write", "cutover")
# Segments of half a second, cleaned as soon as anything in them is superseded.
CONFIG = {
    "cleanup.policy": "compact",
    "segment.ms": "500",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "1000",
}


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=1)
    parser.add_argument("--writer", default="java4", help="who writes beside python")
    parser.add_argument("--readers", default="python,java4", help="who reads from the beginning, in each phase")
    parser.add_argument("--rate", type=int, default=60, help="records a second of each writer")
    parser.add_argument("--seconds", type=float, default=6, help="how long is written in each phase, at least")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version, chosen.nodes, settings=["log.cleaner.backoff.ms=500"])
        sluice = live = None
        try:
            report.say(f"Kafka {chosen.version}.x with {chosen.nodes} node(s) runs")
            (folder / "h").mkdir()
            config = [word for key, value in CONFIG.items() for word in ("--config", f"{key}={value}")]
            admin(folder / "h", legacy.bootstrap, "python", "create-topic", "--topic", TOPIC, "--partitions", PARTITIONS,
                  "--replication", chosen.nodes, *config)
            first_commit(folder / "h", legacy.bootstrap, TOPIC)
            sluice = Sluice(folder / "sluice", legacy, [{"name": NAME, "topics": ["state-*"], "groups": ["g-*"]}])
            sluice.start()
            state = State(folder / "h", sluice, chosen)
            state.write_once()
            live = Client(folder / "h", "live", "python", "consume", "--bootstrap", sluice.bootstrap, "--topic", TOPIC,
                          "--group", GROUP)
            for phase in PHASES:
                through(report, sluice, legacy, state, phase)
            back(report, sluice, legacy, state)
            through(report, sluice, legacy, state, "cutover")
            accounted(report, sluice, legacy, folder)
            after(report, sluice, state)
            follows(report, state, live)
        except BaseException:
            if sluice:
                report.say("\n".join(sluice.log_lines("WARN")[-20:]))
            raise
        finally:
            if live:
                stop(live.process, 5)
            if sluice:
                report.check("sluice stops in order", sluice.end())
            legacy.end()


class State:
    """What was written: of each key of each partition the newest record."""

    def __init__(self, folder, sluice, chosen):
        self.folder = folder
        self.sluice = sluice
        self.chosen = chosen
        self.newest = {}
        self.written = 0
        self.rounds = 0

    def write(self, meanwhile=lambda: None):
        """Two writers, one of which also deletes, while `meanwhile` is done; what went wrong, in words."""
        self.rounds += 1
        start = self.rounds * 1_000_000
        writers = [
            Client(self.folder, f"w-{program}-{self.rounds}", program, "produce", "--bootstrap", self.sluice.bootstrap,
                   "--topic", TOPIC, "--id", f"w-{program}", "--rate", self.chosen.rate, "--start", start,
                   "--compression", codec, "--value-bytes", 200, "--keys", 40, *more)
            for program, codec, more in (("python", "lz4", ["--delete-every", 11]), (self.chosen.writer, "zstd", []))
        ]
        try:
            wait_for("both write", lambda: all(len(one.look().acks) > 20 for one in writers), 180)
            meanwhile()
            begun = {one: len(one.look().acks) for one in writers}
            time.sleep(self.chosen.seconds)
            wait_for("both write on", lambda: all(len(one.look().acks) > begun[one] for one in writers), 180)
        finally:
            ended = {one.name: one.end() for one in writers}
        for one in writers:
            self._take(one)
        wrong = [name for name, good in ended.items() if not good]
        return wrong + [error for one in writers for error in one.errors] + [one.name for one in writers if one.failed]

    def write_once(self):
        """Keys that nobody writes again: whatever is compacted, they stay as they are."""
        writer = Client(self.folder, "w-once", "python", "produce", "--bootstrap", self.sluice.bootstrap, "--topic", TOPIC,
                        "--id", "w-once", "--count", 200, "--keys", 40)
        writer.process.wait(90)
        self._take(writer)

    def _take(self, writer):
        for line in map(json.loads, writer.path.read_text().splitlines()):
            if line["op"] == "ack":
                self.written += 1
                place = (line["partition"], line["key"])
                self.newest[place] = max(self.newest.get(place, (-1, "")), (line["offset"], line["value"]))

    def read(self, program, bootstrap):
        """What a reader from the beginning sees: see `seen`."""
        self.rounds += 1
        code, lines = once(self.folder, f"r-{program}-{self.rounds}", program, "consume", "--bootstrap", bootstrap,
                           "--topic", TOPIC, "--assign", "--from", "earliest", "--until-idle", 4000)
        if code != 0:
            raise Failure(f"{program} cannot read {TOPIC}: exit {code}")
        return seen(lines)


def seen(lines):
    """(How many records, the newest of each key, whether offsets ascend.)"""
    newest, last, count, ascend = {}, {}, 0, True
    for line in lines:
        if line["op"] == "read":
            count += 1
            partition, offset = line["partition"], line["offset"]
            ascend &= offset > last.get(partition, -1)
            last[partition] = offset
            newest[(partition, line["key"])] = (offset, line["value"])
    return count, newest, ascend


def differs(state, newest):
    """Keys whose newest record is another, the first few."""
    wrong = [(key, newest.get(key), state.newest.get(key)) for key in state.newest.keys() | newest.keys()
             if newest.get(key) != state.newest.get(key)]
    return wrong[:4]


def through(report, sluice, legacy, state, phase):
    """Into a phase under load; then legacy is let clean, both sides are read from the beginning, and compared."""
    wrong = state.write(lambda: phase == "observe" or sluice.advance(NAME, phase))
    settled(report, sluice, legacy, state, phase, wrong)


def back(report, sluice, legacy, state):
    """The kernel leads, with a way back: what it was given is brought to legacy, and what it holds is left as it is."""
    wait_for("the way back is open", lambda: sluice.migration(NAME).get("way_back") == "open", 60)
    removed = figure(sluice, "sluice_compaction_removed_records_total")
    report.check("nothing is compacted by the kernel while a way leads back", removed == 0, removed)
    refused = []

    def roll_back():
        code, answer = sluice.ask("rollback", NAME, "dual-write", "--wait=120", timeout=180)
        refused.extend([answer] if code else [])

    wrong = state.write(roll_back)
    report.check("rollback to dual-write", not refused, refused)
    count, newest, ascend = state.read("python", legacy.bootstrap)
    missing = differs(state, newest)
    report.check("legacy has the latest value of each key at its offset", not missing and ascend,
                 missing or f"{count} records, {len(newest)} keys, {state.written} written")
    settled(report, sluice, legacy, state, "dual-write again", wrong)


def settled(report, sluice, legacy, state, phase, wrong):
    """What was written in this phase is cleaned by legacy, and read from the beginning."""
    report.check(f"{phase}: writers go on without an error", not wrong, wrong[:4])
    cleaned = wait_for("legacy's cleaner has run", lambda: is_cleaned(state, legacy), 90)
    report.check(f"{phase}: legacy has removed what was superseded", cleaned,
                 f"{cleaned} of {state.written} records are left")
    for program in state.chosen.readers.split(","):
        count, newest, ascend = state.read(program, sluice.bootstrap)
        wrong = differs(state, newest)
        report.check(f"{phase}: {program} reads the latest value of each key at its offset", not wrong and ascend,
                     wrong or f"{count} records, {len(newest)} keys, {state.written} written")
    verified(report, sluice, phase)


def is_cleaned(state, legacy):
    """How many records legacy has left, once it has removed some; 0 before."""
    count, _, _ = state.read("python", legacy.bootstrap)
    return count if count < state.written else 0


def verified(report, sluice, when):
    """Both sides compared, by key."""
    code, answer = sluice.ask("verify", NAME, timeout=300)
    logs = answer.get("logs", [])
    keys = [log.get("keys") for log in logs]
    compared = when == "observe" or len(keys) == PARTITIONS and all(each and each["equal"] > 0 for each in keys)
    report.check(f"{when}: verify finds both sides equal, by key", code == 0 and answer.get("verified") and compared,
                 keys if code == 0 else [answer.get("error"), answer.get("findings", [])[:4]])
    report.facts.setdefault("verified", {})[when] = keys


def after(report, sluice, state):
    """Nothing leads back any more: the kernel compacts."""
    wrong = state.write(lambda: sluice.advance(NAME, "retired"))
    report.check("retired: writers go on without an error", not wrong, wrong[:4])
    wait_for("the kernel has compacted", lambda: figure(sluice, "sluice_compaction_removed_records_total") > 0, 120)
    report.facts["removed_by_the_kernel"] = figure(sluice, "sluice_compaction_removed_records_total")
    wait_for("the kernel's compaction has come to rest", Rest(sluice), 120)
    for program in state.chosen.readers.split(","):
        count, newest, ascend = state.read(program, sluice.bootstrap)
        wrong = differs(state, newest)
        report.check(f"compacted by the kernel: {program} reads the latest value of each key at its offset",
                     not wrong and ascend and count < state.written,
                     wrong or f"{count} records, {len(newest)} keys, {state.written} written")
    failures = figure(sluice, "sluice_compaction_failures_total")
    report.check("no pass of compaction failed", failures == 0, failures)


def accounted(report, sluice, legacy, folder):
    """The independent script finds nothing wrong with the account, although both sides have compacted."""
    account = folder / "account.json"
    sluice.ask("ledger", NAME, "--output", account)
    script = ROOT / "conformance/ledger-check/ledger-check"
    done = subprocess.run([sys.executable, script, account, "--json", "--legacy", legacy.bootstrap, "--new", sluice.bootstrap],
                          capture_output=True, text=True, timeout=300, check=False)
    report.check("the independent script agrees with the account", done.returncode == 0, (done.stdout + done.stderr)[-400:])


def follows(report, state, live):
    """The group that has read all along has the same state."""
    def behind():
        _, newest, _ = seen(map(json.loads, whole_lines(live)))
        return differs(state, newest)

    try:
        wait_for("the group has read everything", lambda: not behind(), 60)
    except Failure:
        report.say("the group is behind")
    report.check("the group ends in order", live.end())
    report.check("a group that read all along has the latest value of each key", not behind(), behind())
    report.check("it was told of no error", not live.errors, live.errors[:4])


def whole_lines(client):
    """Lines of its history that are whole."""
    return [line for line in client.path.read_text().splitlines() if line.endswith("}")]


class Rest:
    """Says whether a figure has stayed the same for a while."""

    def __init__(self, sluice):
        self.sluice = sluice
        self.last = None
        self.since = time.monotonic()

    def __call__(self):
        now = figure(self.sluice, "sluice_compaction_passes_total")
        if now != self.last:
            self.last, self.since = now, time.monotonic()
        return time.monotonic() - self.since > 5


def figure(sluice, name):
    """The sum of a figure over its labels."""
    with urllib.request.urlopen(f"http://{sluice.admin}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

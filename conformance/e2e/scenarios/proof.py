"""Both sides read again in every phase; the ledger exported and recomputed by a script that shares no code; planted faults."""

import json
import subprocess
import sys
import time

from harness.clients import CODECS, once
from harness.legacy import PEERS
from harness.processes import wait_for
from harness.report import Workspace
from harness.stage import staged

NAME = "orders"
TOPICS = {"orders-a": 3, "orders-b": 1}
CHECK = PEERS.parent / "ledger-check" / "ledger-check"


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=1)
    parser.add_argument("--clients", default="python,java4")
    parser.add_argument("--dwell", type=float, default=3, help="seconds in each phase, at least")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        def early(legacy):
            # Before Sluice: it is copied from the beginning all the same.
            write(folder, "early", legacy.bootstrap, "orders-a", 500)

        with staged(report, folder, chosen, TOPICS, before=early) as stage:
            sluice, legacy = stage.sluice, stage.legacy
            begin(stage.traffic, chosen.clients.split(","))
            walk(report, sluice, stage.traffic, chosen.dwell)
            account = exported(report, sluice, folder)
            stage.traffic.end()
            proven(report, sluice, legacy, folder, account)
            edited(report, sluice, folder, account)
            bypassed(report, sluice, legacy, folder, account)


def begin(traffic, clients):
    """A writer of each topic and a group for each kind of client."""
    for index, client in enumerate(clients):
        for number, topic in enumerate(TOPICS):
            more = ["--idempotent", "true"] if number else []
            traffic.write(client, topic, CODECS[(2 * index + number) % len(CODECS)], *more)
        traffic.read(client, list(TOPICS)[index % 2], f"g-{client}")


def walk(report, sluice, traffic, dwell):
    """Through the phases, with traffic, and both sides compared in each."""
    traffic.running(seconds=120)
    for phase in ("observe", "mirror", "dual-write", "cutover"):
        if phase != "observe":
            sluice.advance(NAME, phase)
        time.sleep(dwell)
        traffic.running()
        code, answer = sluice.ask("verify", NAME, timeout=300)
        logs = answer.get("logs", [])
        batches = sum(log["batches_equal"] for log in logs)
        offsets = sum(group["offsets"] for group in answer.get("groups", []))
        compared = phase == "observe" or (all(log["compared_to"] > 0 for log in logs) and offsets > 0)
        report.check(f"{phase}: both sides are equal", code == 0 and answer.get("verified") and compared,
                     brief(answer) if code else f"{batches} batches, {offsets} offsets, {answer['took_ms']} ms")
        if phase != "observe":
            rows = answer.get("fidelity", [])
            report.check(f"{phase}: the fidelity report names clients and APIs",
                         {"Fetch", "Metadata"} <= {row["name"] for row in rows}, f"{len(rows)} rows")
        report.facts.setdefault("verified", {})[phase] = {"batches": batches, "took_ms": answer.get("took_ms")}
    held = sum(log["marks_held"] for log in logs)
    report.check("hashes that the feed kept come out of legacy again", held > 0, held)
    slow, answer = sluice.ask("verify", NAME, "--topics", "orders-b", "--from", "10", timeout=300)
    report.check("a part can be verified by itself",
                 slow == 0 and [log["unit"] for log in answer["logs"]] == ["events/orders-b/0"]
                 and answer["logs"][0]["from"] == 10 and not answer["groups"], brief(answer))


def exported(report, sluice, folder):
    """The account, with everything that the handovers have to say."""
    path = folder / "account.json"
    code, said = sluice.ask("ledger", NAME, "--output", path)
    account = json.loads(path.read_text())
    moved = [one for one in account["handovers"] if one["outcome"] == "moved"]
    units = [unit["evidence"] for one in moved for unit in one["units"]]
    logs = [one for one in units if "/group:" not in one["unit"]]
    report.check("the account names who decided, and how long clients were held",
                 code == 0 and moved and all(one["by"] and one["fence_ms"] >= 0 for one in moved), said)
    report.check("each partition has what was acknowledged, what is present, and the hashes that its feed kept",
                 len(logs) == sum(TOPICS.values()) and all(one["marks"] and one["acknowledged"] for one in logs),
                 [one["unit"] for one in logs if not one.get("marks")])
    seal = sluice.ask("status")[1].get("ledger", {}).get("seal")
    report.check("the status shows the same seal", seal == account["seal"]["head"], seal)
    return path


def proven(report, sluice, legacy, folder, account):
    """The script agrees with the account and with both clusters."""
    code, found = checked(account, "--legacy", legacy.bootstrap, "--new", sluice.bootstrap)
    report.check("the independent script recomputes it from both clusters", code == 0, found["wrong"][:4] or f"{found['right']} checks")
    report.facts["script_checks"] = found["right"]


def edited(report, sluice, folder, account):
    """An account that somebody has changed."""
    seal = json.loads(account.read_text())["seal"]["head"]
    for what, change in {"records in the table": fewer_records, "an entry's text": other_text, "an entry dropped": dropped}.items():
        path = folder / "edited.json"
        data = json.loads(account.read_text())
        change(data)
        path.write_text(json.dumps(data))
        code, found = checked(path, "--seal", seal)
        report.check(f"the script sees {what}", code == 1, found["wrong"][:2])


def fewer_records(data):
    """In the part that is only drawn from the entries."""
    next(one for one in data["handovers"] if one["outcome"] == "moved")["units"][0]["evidence"]["records"] -= 1


def other_text(data):
    """In the text that is sealed."""
    link = next(link for link in data["chain"] if '"committed"' in link.get("body", ""))
    link["body"] = link["body"].replace('"fence_ms":', '"fence_ms":1')


def dropped(data):
    """One entry is gone, and the rest is numbered and sealed as if it had never been."""
    data["chain"].pop(3)


def bypassed(report, sluice, legacy, folder, account):
    """A write past the proxy, behind the cut: legacy holds what the kernel does not."""
    write(folder, "bypass", legacy.bootstrap, "orders-b", 3)
    write(folder, "honest", sluice.bootstrap, "orders-b", 5)
    wait_for("verify sees the bypass", lambda: sluice.ask("verify", NAME, timeout=300)[0] == 1, 60)
    code, answer = sluice.ask("verify", NAME, timeout=300)
    named = [one for one in answer["findings"] if one["unit"] == "events/orders-b/0" and not one["explained_by"]]
    report.check("verify names the partition of a write past the proxy, and exits with 1",
                 code == 1 and named and not answer["verified"], named[:1] or brief(answer))
    entries = [entry for entry in sluice.ledger(NAME) if entry["kind"] == "diverged" and entry["unit"] == "events/orders-b/0"]
    report.check("the ledger has it, with a sample", bool(entries), entries[:1])
    again = sluice.ask("verify", NAME, timeout=300)[1]
    report.check("what is written down once is not written again", again["newly_written"] == 0, again["newly_written"])
    code, found = checked(account, "--legacy", legacy.bootstrap, "--new", sluice.bootstrap)
    report.check("the script names it too", code == 1 and all("orders-b/0" in one for one in found["wrong"]), found["wrong"][:2])


def write(folder, name, bootstrap, topic, count):
    """So many records by one stock client."""
    (folder / "b").mkdir(exist_ok=True)
    code, lines = once(folder / "b", name, "python", "produce", "--bootstrap", bootstrap, "--topic", topic, "--id", name,
                       "--rate", 500, "--count", count)
    return code, lines


def checked(account, *arguments):
    """Runs the script: (exit code, what it found)."""
    done = subprocess.run([sys.executable, CHECK, account, "--json", *map(str, arguments)], capture_output=True, text=True,
                          timeout=300, check=False)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, {"wrong": [done.stderr[-500:]], "right": 0}


def brief(answer):
    """What is worth printing of a verification."""
    errors = [one["error"] for one in answer.get("logs", []) + answer.get("groups", []) if one.get("error")]
    findings = [one for one in answer.get("findings", []) if not one["explained_by"]]
    return {"error": answer.get("error"), "errors": errors[:3], "findings": findings[:3],
            "open": answer.get("unexplained_divergences")}

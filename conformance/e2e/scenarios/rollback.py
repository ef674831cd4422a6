"""Cutover, back, and cutover again, as often as asked, under clients that know nothing of it; back for good at the end:
sluice is taken away, and the same clients go on where they were, at legacy's own address."""

import json
import time

from harness.processes import wait_for
from harness.report import Workspace, now_ms
from harness.stage import everybody, staged

NAME = "orders"
TOPICS = {"orders-a": 4, "orders-b": 2}
# Where each way back ends, in turn.
GOALS = ("observe", "dual-write", "mirror")


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=1)
    parser.add_argument("--clients", default="python,java4,java3,node,go,kcat")
    parser.add_argument("--times", type=int, default=2, help="how often there and back")
    parser.add_argument("--dwell", type=float, default=3, help="seconds on each side, at least")
    parser.add_argument("--rate", type=int, default=40, help="records a second of each writer")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder, staged(report, folder, chosen, TOPICS, chosen.rate) as stage:
        sluice, traffic = stage.sluice, stage.traffic
        everybody(traffic, chosen.clients.split(","), TOPICS)
        traffic.running(seconds=120)
        for number in range(chosen.times):
            there(report, sluice, traffic, chosen.dwell)
            back(report, sluice, traffic, chosen.dwell, GOALS[number % len(GOALS)])
        there(report, sluice, traffic, chosen.dwell)
        back(report, sluice, traffic, chosen.dwell, "observe")
        accounted(report, sluice)
        complaints = traffic.halt()
        report.check("clients end in order", not complaints, complaints)
        report.check("sluice stops in order", sluice.end())
        stage.sluice = None
        traffic.restart(stage.legacy.bootstrap)
        traffic.running(seconds=90)
        judge(report, traffic)


def primaries(sluice):
    """Who serves the units now."""
    return {unit["primary"] for unit in sluice.migration(NAME).get("units", [])}


def there(report, sluice, traffic, dwell):
    """To cutover."""
    asked = now_ms()
    refusals = sluice.advance(NAME, "cutover", 180)
    report.check("every unit is the kernel's", primaries(sluice) == {"kernel"}, f"after {now_ms() - asked} ms {refusals}")
    traffic.running(seconds=90)
    time.sleep(dwell)
    wait_for("the way back is open", lambda: sluice.migration(NAME).get("way_back") == "open", 60)


def back(report, sluice, traffic, dwell, goal):
    """To `goal`, with every unit legacy's again."""
    asked = now_ms()
    code, answer = sluice.ask("rollback", NAME, goal, "--wait=180", timeout=240)
    report.check(f"rollback to {goal}", code == 0 and primaries(sluice) == {"legacy"},
                 f"after {now_ms() - asked} ms" if code == 0 else answer)
    traffic.running(seconds=90)
    time.sleep(dwell)
    pause = traffic.longest_pause_ms(asked, now_ms())
    rebalances = traffic.rebalances_between(asked, now_ms())
    groups, partitions = moved(sluice, asked, "group:"), moved(sluice, asked, "/orders-")
    report.facts.setdefault("back", []).append(
        {"groups_ms": groups, "partitions_ms": partitions, "pause_ms_max": pause, "rebalances": rebalances})
    report.say(f"groups back after {groups} ms, partitions after {partitions} ms")
    report.say(f"longest pause {pause} ms, rebalances {rebalances}")


def moved(sluice, since, named):
    """When units with this in their names were committed to legacy, in milliseconds from `since`, ascending."""
    times = [entry["wall_ms"] - since for entry in sluice.ledger(NAME)
             if entry["kind"] == "committed" and entry["to"] == "legacy" and named in json.dumps(entry["units"])]
    return sorted(time for time in times if time >= 0)


def accounted(report, sluice):
    """What sluice itself says of it."""
    shown = sluice.migration(NAME)
    units = shown.get("units", [])
    report.check("no unexplained divergence", not any(unit["unexplained"] for unit in units),
                 [unit for unit in units if unit["unexplained"]])
    entries = sluice.ledger(NAME)
    report.facts["fence_ms"] = [entry["fence_ms"] for entry in entries if entry["kind"] == "released"]
    report.facts["aborted"] = [entry["reason"] for entry in entries if entry["kind"] == "aborted"]
    report.say(f"fences {report.facts['fence_ms']} ms, ended on the old side: {report.facts['aborted']}")


def judge(report, traffic):
    """What the clients have seen, from the beginning to the end without sluice."""
    complaints = traffic.end()
    report.check("clients end in order, and every group has read everything", not complaints, complaints)
    found = report.judge("all clients", traffic.histories(), 100, allowed_errors=False)
    report.facts["history"] = {k: v for k, v in found.items() if isinstance(v, int)}

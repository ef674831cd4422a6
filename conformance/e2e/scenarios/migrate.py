"""A topic set and its groups move off a real Kafka, under clients that know nothing of it."""

import time

from harness.clients import admin
from harness.processes import wait_for
from harness.report import Workspace, now_ms
from harness.sockets import Watch, dialled
from harness.stage import everybody, staged

NAME = "orders"
TOPICS = {"orders-a": 4, "orders-b": 2}
# Grows while it is mirrored. Nobody reads it: a group would share its partitions out anew as soon as it saw the new one.
GROWS, PARTITIONS = "orders-c", 2
PHASES = ("mirror", "dual-write", "cutover", "retired")
# kafkajs looks for a coordinator that has moved only after it has given up and started over, at any broker.
STARTS_OVER = "node"


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=1)
    parser.add_argument("--clients", default="python,java4,java3,node,go,kcat")
    parser.add_argument("--dwell", type=float, default=4, help="seconds in each phase, at least")
    parser.add_argument("--rate", type=int, default=40, help="records a second of each writer")


def run(report, chosen):
    """The scenario."""
    topics = {**TOPICS, GROWS: PARTITIONS}
    with Workspace(report) as folder, staged(report, folder, chosen, topics, chosen.rate) as stage:
        everybody(stage.traffic, chosen.clients.split(","), TOPICS)
        watch = Watch(stage.traffic.processes)
        walk(report, stage.sluice, stage.traffic, chosen.dwell, stage.legacy.ports)
        judge(report, stage.sluice, stage.legacy, stage.traffic, watch.end())


def walk(report, sluice, traffic, dwell, legacy_ports):
    """Through every phase, with traffic in each of them."""
    traffic.running(seconds=120)
    settle(traffic)
    spans = []
    report.say("traffic flows in observe")
    entered, phase = now_ms(), "observe"
    for following in PHASES:
        time.sleep(dwell)
        traffic.running()
        asked = now_ms()
        report.say(f"to {following}")
        refusals = sluice.advance(NAME, following)
        reached = now_ms()
        spans.append((phase, entered, asked))
        moving = traffic.acknowledged_between(asked, reached)
        pause = None
        if following == "cutover":
            traffic.running()
            pause = traffic.longest_pause_ms(asked - 2000, now_ms())
            report.facts["pause_ms_max_at_cutover"] = pause
            report.facts["cutover_asked_ms"] = asked
        report.say(f"{following} after {reached - asked} ms; {sum(moving.values())} acknowledged on the way"
                   + (f"; longest pause {pause} ms" if pause is not None else "")
                   + (f"; before that: {refusals}" if refusals else ""))
        report.facts[f"to_{following}_ms"] = reached - asked
        report.facts.setdefault("refusals", {})[following] = refusals
        if following == "mirror":
            grow(report, sluice, traffic)
        entered, phase = reached, following
    check_left(report, sluice, legacy_ports)
    time.sleep(dwell)
    traffic.running()
    spans.append((phase, entered, now_ms()))
    left = dialled([sluice.process.pid]) & legacy_ports
    report.check("no connection to legacy is made again", not left, sorted(left) if left else "")
    for phase, begun, ended in spans:
        acks = traffic.acknowledged_between(begun, ended)
        idle = [name for name, count in acks.items() if count == 0]
        report.check(f"{phase}: every writer was acknowledged", not idle, idle or sum(acks.values()))
        report.facts.setdefault("acknowledged", {})[phase] = sum(acks.values())


def check_left(report, sluice, legacy_ports, seconds=10):
    """Retired: every connection to legacy is closed, those of clients that say nothing too."""
    begun = time.monotonic()
    while (held := dialled([sluice.process.pid]) & legacy_ports) and time.monotonic() < begun + seconds:
        time.sleep(0.1)
    took = round((time.monotonic() - begun) * 1000)
    report.check("no connection to legacy after retired", not held, sorted(held) if held else f"after {took} ms")


def grow(report, sluice, traffic):
    """A topic gets one more partition while it is mirrored: it belongs to the migration from then on."""
    added = f"{GROWS}/{PARTITIONS}"
    admin(traffic.folder, sluice.bootstrap, "python", "add-partitions", "--topic", GROWS, "--partitions", PARTITIONS + 1)
    wait_for("the new partition is a unit",
             lambda: any(unit["unit"].endswith(added) for unit in sluice.migration(NAME)["units"]), 30)
    report.check("a partition that is added while mirrored becomes a unit", True, added)


def settle(traffic, quiet_s=6):
    """Waits until the groups have shared out their partitions and leave it at that."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        last = max((t for client in traffic.readers for t in client.look().rebalances), default=0)
        if now_ms() - last > quiet_s * 1000:
            return
        time.sleep(0.3)


def judge(report, sluice, legacy, traffic, ports):
    """Everything that is known at the end."""
    ending = now_ms()
    shown = sluice.migration(NAME)
    units = shown.get("units", [])
    report.check("every unit is the kernel's", units and all(unit["primary"] == "kernel" for unit in units),
                 [unit["unit"] for unit in units if unit["primary"] != "kernel"] or f"{len(units)} units")
    report.check("no unexplained divergence", not any(unit["unexplained"] for unit in units),
                 [unit for unit in units if unit["unexplained"]])
    entries = sluice.ledger(NAME)
    committed = [unit["evidence"]["unit"] for e in entries if e["kind"] == "committed" for unit in e["units"]]
    report.check("every unit was committed once", sorted(map(str, committed)) == sorted(str(u["unit"]) for u in units),
                 f"{len(committed)} of {len(units)}")
    fences = [entry["fence_ms"] for entry in entries if entry["kind"] == "released"]
    report.facts["fence_ms"] = fences
    report.facts["aborted"] = [entry["reason"] for entry in entries if entry["kind"] == "aborted"]
    report.say(f"fences {fences} ms, handovers that ended on the old side: {report.facts['aborted']}")
    moved = traffic.rebalances_between(report.facts["cutover_asked_ms"], ending)
    report.facts["rebalances"] = moved
    strange = {name: count for name, count in moved.items() if STARTS_OVER not in name}
    report.check("no rebalance from the cutover on, but for a client that always starts over", not strange, moved)
    complaints = traffic.end()
    report.check("clients end in order, and every group has read everything", not complaints, complaints)
    strange = ports - sluice.client_ports
    report.check("clients dialled nothing but the proxy", ports and not strange,
                 f"legacy {sorted(strange & legacy.ports)}, other {sorted(strange - legacy.ports)}" if strange
                 else f"{len(ports)} ports")
    found = report.judge("all clients", traffic.histories(), 100, allowed_errors=False)
    report.facts["history"] = {k: v for k, v in found.items() if isinstance(v, int)}

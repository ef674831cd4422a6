"""A writer that knows legacy's own address goes on writing there before, during and after the fence."""

import json
import time

from harness.clients import Client, Traffic, admin
from harness.legacy import Legacy
from harness.processes import wait_for
from harness.report import Workspace, now_ms
from harness.sluice import Sluice

NAME, TOPIC = "crossed", "crossed-a"


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version)
        sluice = Sluice(folder / "sluice", legacy, [{"name": NAME, "topics": [f"{NAME}-*"], "groups": [f"{NAME}-g*"]}])
        traffic = Traffic(folder / "h", sluice.bootstrap)
        bypass = None
        try:
            admin(folder / "h", legacy.bootstrap, "python", "create-topic", "--topic", TOPIC, "--partitions", 1)
            sluice.start()
            traffic.write("python", TOPIC)
            traffic.read("python", TOPIC, f"{NAME}-g")
            traffic.running()
            # Its history lies elsewhere: what it writes past the cut is not the group's to read.
            (folder / "b").mkdir()
            bypass = Client(folder / "b", "bypass", "python", "produce", "--bootstrap", legacy.bootstrap, "--topic", TOPIC,
                            "--id", "bypass", "--rate", 20)
            for phase in ("mirror", "dual-write"):
                sluice.advance(NAME, phase)
                time.sleep(2)
            crossing(report, sluice, traffic, bypass)
        finally:
            if bypass:
                bypass.end(5)
            traffic.abandon()
            sluice.end()
            legacy.end()


def crossing(report, sluice, traffic, bypass):
    """Over the cutover and on; then what the ledger, the status and the readers know of it."""
    refusals = sluice.advance(NAME, "cutover", 60)
    reached = now_ms()
    report.say(f"cutover is reached; before that: {refusals}")
    wait_for("the bypass goes on", lambda: sum(t > reached for t in bypass.look().acks) >= 20, 30)
    found = wait_for("a divergence on the ledger", lambda: diverged(sluice), 30)
    kinds = {entry["divergence"] for entry in found}
    cut = next(unit["evidence"]["source_end"] for entry in sluice.ledger(NAME) if entry["kind"] == "committed"
               for unit in entry["units"] if unit["evidence"]["unit"].endswith(f"{TOPIC}/0"))
    report.check("late writes are on the ledger", "late_write" in kinds, sorted(kinds))
    late = [entry["sample"]["position"] for entry in found if entry["divergence"] == "late_write"]
    report.check("each with its position, from the cut on", late and min(late) >= cut, f"cut {cut}, first {min(late, default=None)}")
    unit = next(unit for unit in sluice.migration(NAME)["units"] if unit["unit"].endswith(f"{TOPIC}/0"))
    report.check("the status counts it as unexplained", unit["unexplained"] > 0, unit)
    code, answer = sluice.ask("advance", NAME, "retired", "--wait=5")
    report.check("the gate to retired is red for it", code != 0, answer)
    bypass.end()
    complaints = traffic.end()
    report.check("the group read everything that came through the proxy", not complaints, complaints)
    before = early(bypass, cut)
    unread = before - set().union(*(reader.values for reader in traffic.readers))
    report.check("what it wrote before the cut was mirrored", before and not unread, f"{len(before)} written, {len(unread)} unread")
    report.judge("all clients", [*traffic.histories(), bypass_until(bypass, cut)], 50)


def diverged(sluice):
    """Entries of differences that matter here."""
    return [entry for entry in sluice.ledger(NAME) if entry["kind"] == "diverged" and entry["divergence"] == "late_write"]


def lines_until(bypass, cut):
    """Its history without what it wrote from the cut on, which the kernel has never seen."""
    for line in bypass.path.read_text().splitlines():
        said = json.loads(line)
        if said["op"] != "ack" or said["offset"] < cut:
            yield said, line


def early(bypass, cut):
    """Values acknowledged by legacy below the cut."""
    return {said["value"] for said, _ in lines_until(bypass, cut) if said["op"] == "ack"}


def bypass_until(bypass, cut):
    """A file of that history for the judge."""
    path = bypass.path.with_name("bypass-until-the-cut.jsonl")
    path.write_text("".join(f"{line}\n" for _, line in lines_until(bypass, cut)))
    return path

"""`sluice demo --legacy` on a real Kafka, with stock clients beside it on topics that move along."""

import json
import re
import subprocess
import urllib.request

from harness.clients import CODECS, IDEMPOTENT, Traffic, admin
from harness.legacy import Legacy
from harness.processes import stop, wait_for
from harness.report import Workspace
from harness.sluice import binary


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--nodes", type=int, choices=[1, 3], default=3)
    parser.add_argument("--clients", default="python,java4")
    parser.add_argument("--seconds", type=int, default=75)


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version, chosen.nodes)
        demo = traffic = None
        try:
            said = folder / "demo.log"
            with open(folder / "demo.json", "wb") as out, open(said, "wb") as err:
                demo = subprocess.Popen([binary(), "demo", "--json", "--legacy", legacy.addresses[0], "--seconds",
                                         str(chosen.seconds)], stdout=out, stderr=err)
            address, api, topic, group = wait_for("the demo tells where it is", lambda: where(said.read_text()), 60)
            traffic = Traffic(folder / "h", address)
            begin(traffic, chosen.clients.split(","), topic, group)
            traffic.running(seconds=90)
            report.say(f"clients beside the demo at {address}: topics {topic}-…, groups {group}-…")
            phases = []
            wait_for("the demo reaches retired", lambda: seen(phases, api) == "retired", chosen.seconds + 60)
            traffic.running(acks=5)
            units = migration(api)["units"]
            complaints = traffic.end()
            report.check("clients beside the demo: every group has read everything", not complaints, complaints)
            mine = [unit for unit in units if f"{topic}-" in unit["unit"] or f"{group}-" in unit["unit"]]
            report.check("clients beside the demo: their topics and groups moved too",
                         len(mine) >= 3 and all(unit["primary"] == "kernel" for unit in mine), f"{len(mine)} units; {phases}")
            report.judge("clients beside the demo", traffic.histories(), 500, allowed_errors=False)
            code = demo.wait(180)
            account = json.loads((folder / "demo.json").read_text())
            report.facts["demo"] = account
            report.check("the demo proves itself", code == 0 and account["verified"],
                         {key: value for key, value in account.items() if key != "phases"})
        finally:
            if traffic:
                traffic.abandon()
            if demo:
                stop(demo)
            legacy.end()


def begin(traffic, clients, topic, group):
    """A topic for each kind of client, written by it and read by a group of the next kind."""
    for index, client in enumerate(clients):
        name = f"{topic}-{client}"
        admin(traffic.folder, traffic.bootstrap, "python", "create-topic", "--topic", name, "--partitions", 2)
        more = ["--idempotent", "true"] if client in IDEMPOTENT else []
        traffic.write(client, name, CODECS[index % 5], *more)
        traffic.read(clients[(index + 1) % len(clients)], name, f"{group}-{client}")


def where(text):
    """Address for clients, admin API, and a topic and a group after which others may be named."""
    at = re.search(r"clients connect to (\S+), admin API at (\S+)", text)
    moves = re.search(r"moves: topics ([^,;*]+)\*.*; groups ([^,;*]+)\*", text)
    return (*at.groups(), *moves.groups()) if at and moves else None


def migration(api):
    """The demo's migration."""
    with urllib.request.urlopen(f"http://{api}/v1/migrations", timeout=5) as answer:
        found = json.loads(answer.read())
    return (found if isinstance(found, list) else found["migrations"])[0]


def seen(phases, api):
    """The phase now; notes changes."""
    phase = migration(api)["phase"]
    if not phases or phases[-1] != phase:
        phases.append(phase)
    return phase

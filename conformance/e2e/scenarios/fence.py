"""Many handovers one after another under load: how long clients are held, by the ledger and by what they saw."""

from harness.clients import CODECS, Traffic, admin
from harness.legacy import Legacy
from harness.report import Workspace, now_ms
from harness.sluice import Sluice


# The floor for a partition's fence, 99th percentile over a hundred handovers under load. A busy machine adds to it.
FENCE_P99_MS = 100


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")
    parser.add_argument("--handovers", type=int, default=100)
    parser.add_argument("--partitions", type=int, default=4, help="of each topic")
    parser.add_argument("--writers", type=int, default=4, help="at a time, each to one of the topics about to move")


def run(report, chosen):
    """The scenario: a migration for each topic; writers live over a handful of them."""
    names = [f"m{number:03d}" for number in range(chosen.handovers)]
    migrations = [{"name": name, "topics": [f"{name}-t"], "groups": [f"{name}-g"]} for name in names]
    pauses, fences, aborted, histories = [], {"partitions": [], "groups": []}, [], 0
    slowest = {"fence_ms": -1}
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version)
        sluice = Sluice(folder / "sluice", legacy, migrations)
        try:
            (folder / "a").mkdir()
            for name in names:
                admin(folder / "a", legacy.bootstrap, "python", "create-topic", "--topic", f"{name}-t", "--partitions",
                      chosen.partitions)
            sluice.start()
            for first in range(0, len(names), chosen.writers):
                batch = names[first:first + chosen.writers]
                traffic = Traffic(folder / f"h{first:03d}", sluice.bootstrap)
                try:
                    for index, name in enumerate(batch):
                        traffic.write("python", f"{name}-t", CODECS[index % 5], "--idempotent", "true")
                        traffic.read("python", f"{name}-t", f"{name}-g")
                    traffic.running()
                    for name in batch:
                        sluice.advance(name, "dual-write")
                        asked = now_ms()
                        sluice.advance(name, "cutover")
                        traffic.running(acks=5)
                        pauses.append(traffic.longest_pause_ms(asked - 500, now_ms()))
                        entries = sluice.ledger(name)
                        for kind, length in lengths(entries):
                            fences[kind].append(length)
                        slowest = max([slowest, *steps(name, entries)], key=lambda each: each["fence_ms"])
                        aborted += [entry["reason"] for entry in entries if entry["kind"] == "aborted"]
                    complaints = traffic.end()
                finally:
                    traffic.abandon()
                if complaints:
                    report.check(f"batch {first}: read to its end", False, complaints)
                histories += report.judge(f"topics {batch[0]} to {batch[-1]}", traffic.histories(), 50).get("acknowledged", 0)
        finally:
            sluice.end()
            legacy.end()
    report.facts.update(acknowledged=histories, aborted=aborted, longest_pause_ms=spread(pauses),
                        handovers={kind: len(each) for kind, each in fences.items()},
                        fence_ms={kind: spread(each) for kind, each in fences.items()}, slowest=slowest)
    if len(fences["partitions"]) >= 100:
        longest = report.facts["fence_ms"]["partitions"]["p99"]
        report.check(f"partitions are fenced for at most {FENCE_P99_MS} ms (p99)", longest <= FENCE_P99_MS, longest)
    enough = all(len(each) >= chosen.handovers for each in fences.values())
    report.check("every migration had its handovers, of partitions and of its group", enough, report.facts)


def lengths(entries):
    """What each handover moved, and for how long it held clients, in milliseconds."""
    groups = {entry["handover"] for entry in entries if entry["kind"] == "committed"
              if any("/group:" in str(unit["evidence"]["unit"]) for unit in entry["units"])}
    for entry in entries:
        if entry["kind"] == "released":
            yield "groups" if entry["handover"] in groups else "partitions", entry["fence_ms"]


def steps(name, entries):
    """What each handover spent its fence on: each of its entries, in ms behind the first."""
    for entry in entries:
        if entry["kind"] == "released":
            mine = [each for each in entries if each.get("handover") == entry["handover"]]
            began = mine[0]["wall_ms"]
            entries_ms = [(each.get("step", each["kind"]), each["wall_ms"] - began) for each in mine]
            yield {"migration": name, "fence_ms": entry["fence_ms"], "began_ms": began, "entries": entries_ms}


def spread(values):
    """Median, 99th percentile and the most."""
    ordered = sorted(values)
    return {f"p{percent}": ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] for percent in (50, 99, 100)} if ordered else {}

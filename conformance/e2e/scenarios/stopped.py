"""A mirrored topic is deleted and made anew on legacy: its units stop, an operator resumes them, the cutover is reached."""

import time

from harness.clients import Traffic, admin, once
from harness.legacy import Legacy
from harness.processes import wait_for
from harness.report import Workspace
from harness.sluice import Sluice

NAME = "held"
LIVE, AGAIN, GONE = "held-live", "held-again", "held-gone"
UNIT = f"events/{AGAIN}/0"


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        legacy = Legacy(folder / "kafka", chosen.version)
        sluice = Sluice(folder / "sluice", legacy, [{"name": NAME, "topics": [f"{NAME}-*"], "groups": [f"{NAME}-g*"]}])
        traffic = Traffic(folder / "h", sluice.bootstrap)
        try:
            (folder / "old").mkdir()
            prepare(folder / "old", legacy)
            # The first order to discard a copy dies between the deletion and the ledger.
            sluice.start(failpoint="after:Discard", supervised=True)
            traffic.write("python", LIVE)
            traffic.read("python", LIVE, f"{NAME}-g")
            traffic.running()
            for phase in ("mirror", "dual-write"):
                sluice.advance(NAME, phase)
            make_anew(folder / "old", legacy)
            check_stopped(report, sluice)
            check_refused(report, sluice)
            traffic.write("python", AGAIN)
            traffic.read("python", AGAIN, f"{NAME}-g-again")
            traffic.running()
            resume(report, sluice)
            resume_rest(report, sluice)
            finish(report, sluice, traffic)
        finally:
            traffic.abandon()
            report.check("sluice stops in order", sluice.end())
            legacy.end()


def prepare(folder, legacy):
    """Topics on legacy; those that will be deleted hold something."""
    for topic, partitions in ((LIVE, 2), (AGAIN, 2), (GONE, 1)):
        admin(folder, legacy.bootstrap, "python", "create-topic", "--topic", topic, "--partitions", partitions)
    for topic in (AGAIN, GONE):
        code, lines = once(folder, f"before-{topic}", "python", "produce", "--bootstrap", legacy.bootstrap, "--topic", topic,
                           "--id", f"before-{topic}", "--count", 100)
        assert code == 0, lines


def make_anew(folder, legacy):
    """One topic is deleted for good, one comes back with other records."""
    for topic in (AGAIN, GONE):
        admin(folder, legacy.bootstrap, "python", "delete-topic", "--topic", topic)
    create = ("create-topic", "--topic", AGAIN, "--partitions", 2)
    wait_for("legacy takes the name again", lambda: tried(folder, legacy, create), 30, 0.5)


def tried(folder, legacy, command):
    """Whether an administration command went through; a deletion may still be on its way."""
    serial = len(list(folder.glob("admin-*.jsonl")))
    code, _ = once(folder, f"admin-{serial:03d}-tried", "python", "admin", command[0], "--bootstrap", legacy.bootstrap,
                   *command[1:])
    return code == 0


def units(sluice):
    """What is shown of each unit, by name."""
    return {unit["unit"]: unit for unit in sluice.migration(NAME).get("units", [])}


def stopped(sluice):
    """Names of the units that are stopped now."""
    return {name for name, unit in units(sluice).items() if unit["stopped"]}


def check_stopped(report, sluice):
    """Every partition of the two topics stops, says why, and names the command; the gate is red for it."""
    wanted = {UNIT, f"events/{AGAIN}/1", f"events/{GONE}/0"}
    wait_for("the units stop", lambda: stopped(sluice) == wanted, 60)
    shown = units(sluice)
    report.check("the stopped units say why", all("deleted" in shown[name]["stopped"] for name in wanted),
                 [shown[name]["stopped"] for name in sorted(wanted)])
    command = f"sluice resume {NAME} {UNIT} --discard-copy"
    report.check("and which command lets them go on", shown[UNIT]["resume"] == command, shown[UNIT]["resume"])
    code, answer = sluice.ask("advance", NAME, "cutover", "--wait=20")
    report.check("the gate is red, and names the command", code == 1 and "sluice resume" in str(answer), answer)


def check_refused(report, sluice):
    """What must not be done is not done, with a reason."""
    rows = (
        ("without --discard-copy", ["resume", NAME, UNIT], "--discard-copy"),
        ("a unit that is not stopped", ["resume", NAME, f"events/{LIVE}/0", "--discard-copy"], "not stopped"),
        ("a unit that does not exist", ["resume", NAME, "events/nothing/0"], "no unit"),
    )
    before = stopped(sluice)
    for name, order, word in rows:
        code, answer = sluice.ask(*order)
        report.check(f"refused: {name}", code == 1 and word in str(answer), answer)
    report.check("nothing was changed by it", stopped(sluice) == before, sorted(stopped(sluice)))


def resume(report, sluice):
    """The first order is cut short by a crash; the second one is carried out."""
    deaths = sluice.deaths
    code, answer = sluice.ask("resume", NAME, UNIT, "--discard-copy")
    wait_for("the crash", lambda: sluice.deaths > deaths, 30)
    report.check("an order that a crash cuts short says so", code != 0, answer)
    wait_for("sluice answers again", lambda: sluice.migration(NAME), 60)
    report.check("after the restart the unit is still stopped", UNIT in stopped(sluice), sorted(stopped(sluice)))
    code, answer = sluice.ask("resume", NAME, UNIT, "--discard-copy")
    report.check("resumed over a new copy", code == 0 and answer.get("copy") == "discarded", answer)
    left = {name for name in stopped(sluice) if AGAIN in name}
    report.check("no partition of the topic is stopped any more", not left, sorted(left))
    wait_for("the new copy catches up", lambda: caught_up(sluice), 60)


def caught_up(sluice):
    """Whether the kernel has what legacy has of the new topic."""
    shown = [unit["lag"] for name, unit in units(sluice).items() if AGAIN in name]
    return len(shown) == 2 and all(lag and not lag["stopped"] and lag["records"] < 100 for lag in shown)


def resume_rest(report, sluice):
    """What legacy has no more leaves the migration."""
    code, answer = sluice.ask("resume", NAME, "--discard-copy")
    report.check("a topic that is gone leaves the migration",
                 code == 0 and answer.get("left_the_migration") == [f"events/{GONE}/0"], answer)
    report.check("nothing is stopped any more", not stopped(sluice) and f"events/{GONE}/0" not in units(sluice),
                 sorted(units(sluice)))
    entries = [entry for entry in sluice.ledger(NAME) if entry["kind"] == "unit_resumed"]
    report.check("the ledger says who resumed what, and how",
                 len(entries) >= 2 and all(entry["discarded"] and "operator" in entry["by"] for entry in entries),
                 [(entry["unit"], entry["by"]) for entry in entries])


def finish(report, sluice, traffic):
    """The cutover is reached, and every client has what it should."""
    refusals = sluice.advance(NAME, "cutover", 90)
    report.say(f"cutover is reached; before that: {refusals}")
    shown = units(sluice)
    report.check("every unit is the kernel's", shown and all(unit["primary"] == "kernel" for unit in shown.values()),
                 [name for name, unit in shown.items() if unit["primary"] != "kernel"])
    traffic.running()
    time.sleep(1)
    code, answer = sluice.ask("resume", NAME, UNIT, "--discard-copy")
    report.check("what the kernel leads is not discarded", code == 1, answer)
    complaints = traffic.end()
    report.check("every group has read everything", not complaints, complaints)
    report.judge("all clients", traffic.histories(), 100)

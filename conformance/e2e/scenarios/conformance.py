"""`sluice conformance kafka`: a real Kafka as reference, the kernel alone (or a second Kafka) as candidate."""

import json
import subprocess
from collections import Counter

from harness.legacy import Legacy
from harness.processes import Failure
from harness.report import Workspace
from harness.sluice import Sluice, binary

# The whole suite takes three to four minutes on two cores; groups wait for their members most of that time.
PATIENCE = 1800
# Everybody may do everything, but rules can be made.
ACLS = ("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS")


KERNEL_ACLS = ('super_users = ["User:ANONYMOUS"]',)


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=("3", "4"), default="4", help="of the reference")
    parser.add_argument("--candidate", choices=("kernel", "3", "4"), default="kernel",
                        help="a version of Kafka instead of the kernel shows what differs between two real ones")
    parser.add_argument("--acls", action="store_true", help="both keep rules of access")
    parser.add_argument("--only", action="append", default=[], help="as of `sluice conformance`")
    parser.add_argument("--report", metavar="FOLDER", help="keep report.html, junit.xml and report.json there")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        settings = ACLS if chosen.acls else ()
        reference = Legacy(folder / "reference", version=chosen.version, settings=settings)
        try:
            if chosen.candidate == "kernel":
                against_kernel(report, reference, folder, chosen)
            else:
                other = Legacy(folder / "candidate", version=chosen.candidate, settings=settings)
                try:
                    compare(report, reference.bootstrap, other.bootstrap, folder, chosen)
                finally:
                    other.end()
        finally:
            reference.end()


def against_kernel(report, reference, folder, chosen):
    """The kernel alone, as `sluice run` starts it."""
    sluice = Sluice(folder / "sluice", kafka=KERNEL_ACLS if chosen.acls else ())
    try:
        sluice.start()
        compare(report, reference.bootstrap, sluice.bootstrap, folder, chosen)
    finally:
        report.check("sluice stops in order", sluice.end())


def compare(report, reference, candidate, folder, chosen):
    """Runs the suite; one check for each API and statement."""
    target = chosen.report or folder / "report"
    command = [binary(), "conformance", "kafka", "--json", "--reference", reference, "--candidate", candidate,
               "--report", target, *(word for each in chosen.only for word in ("--only", each))]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=PATIENCE, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError as error:
        raise Failure(f"the suite ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}") from error
    report.facts["counts"] = found["counts"]
    subjects = {}
    for row in found["rows"]:
        subjects.setdefault(row["subject"], []).append(row)
    for subject, rows in subjects.items():
        statuses = Counter(row["verdict"]["status"] for row in rows)
        wrong = [row for row in rows if row["verdict"]["status"] in ("different", "failed")]
        detail = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
        if wrong:
            detail += "; " + "; ".join(dict.fromkeys(told(row) for row in wrong))
        report.check(subject, not wrong, detail)
    report.facts["explained"] = explained(found["rows"])
    report.check("the exit status says the same", (done.returncode == 0) == (report.failed() == 0), done.returncode)


def told(row):
    """What is wrong with a row, in short."""
    verdict = row["verdict"]
    if verdict["status"] == "failed":
        return f"{row['name']}: {verdict['error']}"
    first = verdict["differences"][0]
    return f"{row['name']}: {first['field']} is {first['candidate']}, not {first['reference']}"


def explained(rows):
    """Each explanation that was used, with the cases it was used for."""
    used = {}
    for row in rows:
        for reason in row["verdict"].get("reasons", []):
            used.setdefault(reason, set()).add(f"{row['subject']}/{row['name']}")
    return {reason: sorted(cases) for reason, cases in sorted(used.items())}

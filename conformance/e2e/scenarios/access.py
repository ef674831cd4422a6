"""Rules and users of a real Kafka hold on the kernel too: the same decisions before, at and after the cutover."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from harness.clients import first_commit
from harness.legacy import Legacy
from harness.processes import Failure, wait_for
from harness.report import Workspace
from harness.sluice import ROOT, Sluice

HERE = ROOT / "conformance/e2e/harness"
PYTHON = ROOT / ".peers/python/bin/python"
AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
USERS = {"ada": "ada-secret", "bob": "bob-secret", "eve": "eve-secret", "ops": "ops-secret"}
TOPICS = ("shop-a", "shop-b", "bank-a")
RULES = (
    # ada reads and writes the shop; bob reads one topic of it, and nothing of one; ops administers.
    ("TOPIC", "shop-", "PREFIXED", "ada", "ALL", "ALLOW"),
    ("GROUP", "shop-", "PREFIXED", "ada", "ALL", "ALLOW"),
    ("TOPIC", "shop-b", "LITERAL", "ada", "WRITE", "DENY"),
    ("TOPIC", "*", "LITERAL", "bob", "READ", "ALLOW"),
    ("TOPIC", "bank-", "PREFIXED", "bob", "ALL", "DENY"),
    ("GROUP", "shop-g1", "LITERAL", "bob", "READ", "ALLOW"),
    ("GROUP", "unused", "LITERAL", "*", "READ", "ALLOW"),
    ("BROKER", "kafka-cluster", "LITERAL", "ops", "ALL", "ALLOW"),
    ("TOPIC", "*", "LITERAL", "ops", "DESCRIBE_CONFIGS", "ALLOW"),
    ("TOPIC", "bank-a", "LITERAL", "ops", "ALTER_CONFIGS", "ALLOW"),
    ("GROUP", "*", "LITERAL", "ops", "DESCRIBE", "ALLOW"),
)


def options(parser):
    """Command line."""
    parser.add_argument("--version", choices=["4", "3"], default="4")


def run(report, chosen):
    """The scenario."""
    with Workspace(report) as folder:
        settings = (f"authorizer.class.name={AUTHORIZER}", "super.users=User:ANONYMOUS;User:alice")
        legacy = Legacy(folder / "kafka", chosen.version, settings=settings, secured=True)
        try:
            migration(report, folder, legacy)
        finally:
            legacy.end()


def migration(report, folder, legacy):
    """One migration, asked at each stage."""
    user, password = legacy.told["sasl_user"], legacy.told["sasl_password"]
    link = ["[cluster.link]", f'user = "{user}"', f'password = "{password}"']
    sluice = Sluice(folder / "sluice", legacy, [{"name": "all", "topics": ["shop-*", "bank-*"], "groups": ["shop-*", "bank-*"]}],
                    cluster=['sasl = "relay"', "learn_users = true", f'super_users = ["User:{user}"]', *link],
                    addresses=legacy.told["sasl_bootstrap"].split(","))
    plain = {"bootstrap.servers": legacy.bootstrap}
    setup({"settings": plain, "topics": TOPICS, "rules": RULES, "users": USERS, "records": TOPICS})
    (folder / "h").mkdir()
    first_commit(folder / "h", legacy.bootstrap, "shop-a")
    expected = probe_all(legacy.told["sasl_bootstrap"])
    report.check("legacy: decisions were taken, of either kind", mixed(expected), summary(expected))
    try:
        sluice.start()
        again = login(sluice.bootstrap, user, password)
        compare(report, "observe", expected, probe_all(sluice.bootstrap))
        for phase in ("mirror", "dual-write", "cutover"):
            sluice.advance("all", phase)
        compare(report, "cutover", expected, probe_all(sluice.bootstrap))
        follow(report, sluice, plain)
        code, answer = sluice.ask("advance", "all", "retired", "--wait=3")
        report.check("the gate to retired names users that the kernel does not know",
                     code != 0 and "ada (by SCRAM-SHA-256)" in str(answer), answer.get("error"))
        setup({"settings": again, "users": USERS})
        sluice.advance("all", "retired")
        legacy.pause()
        compare(report, "retired", expected, probe_all(sluice.bootstrap))
        for name, said in (("ada", "in"), ("nobody", "out")):
            report.check(f"retired: {name} with the password of ada is let {said}", let(sluice.bootstrap, name, USERS["ada"]) == said)
        report.check("retired: a wrong password is refused", let(sluice.bootstrap, "ada", "wrong") == "out")
        acts = [act["what"] for act in sluice.ask("audit", "--last", "1000")[1].get("acts", [])]
        report.check("users that were set through the proxy, and the orders, are in the audit log",
                     any("set ada (SCRAM-SHA-256)" in what for what in acts) and any("/advance" in what for what in acts), acts[-3:])
        secrets(report, sluice, [password, *USERS.values()])
    finally:
        report.check("sluice stops in order", sluice.end())


def login(bootstrap, user, password):
    """How the administrator logs in through the proxy."""
    return {"bootstrap.servers": bootstrap, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
            "sasl.username": user, "sasl.password": password}


def follow(report, sluice, plain):
    """A rule that is made on legacy is followed by the kernel, and the gate says so."""
    late = ("TOPIC", "late", "LITERAL", "ada", "READ", "ALLOW")
    setup({"settings": plain, "rules": [late]})

    def known():
        gate = sluice.migration("all").get("gate") or {}
        return any(each["name"] == "authorizer" and each["green"] for each in gate.get("requirements", []))
    wait_for("the kernel follows legacy's rules", known, 30)
    time.sleep(3)
    report.check("a rule that is made on legacy is followed", known())
    subprocess.run([PYTHON, "-c", DELETE, json.dumps(plain)], check=True, timeout=60)
    time.sleep(5)


DELETE = """
import json, sys
from confluent_kafka.admin import *
admin = AdminClient(json.loads(sys.argv[1]))
late = AclBindingFilter(ResourceType.TOPIC, "late", ResourcePatternType.LITERAL, None, None, AclOperation.ANY, AclPermissionType.ANY)
assert len(admin.delete_acls([late])[late].result(30)) == 1
"""


LOGIN = """
import sys
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
bootstrap, user, password = sys.argv[1:]
refused = []
admin = AdminClient({"bootstrap.servers": bootstrap, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256",
                     "sasl.username": user, "sasl.password": password, "log_level": 0,
                     "error_cb": lambda error: refused.append(error.name())})
try:
    admin.list_topics(timeout=10)
    print("in")
except KafkaException:
    admin.poll(1)
    print("out" if "_AUTHENTICATION" in refused else f"neither: {refused}")
"""


def let(bootstrap, user, password):
    """Whether somebody is let in or out."""
    done = subprocess.run([PYTHON, "-c", LOGIN, bootstrap, user, password], check=False, capture_output=True, text=True, timeout=60)
    return done.stdout.strip() or done.stderr[-300:]


def setup(task):
    """Makes something with a stock client."""
    done = subprocess.run([PYTHON, HERE / "access_setup.py", json.dumps(task)], check=False, capture_output=True, text=True,
                          timeout=120)
    if done.returncode != 0:
        raise Failure(f"setup: {done.stderr[-500:]}")


def probe_all(bootstrap):
    """Decisions by user and operation."""
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda user: probe(bootstrap, user), USERS)
        return {f"{user}: {what}": said for user, each in zip(USERS, found) for what, said in each.items()}


def probe(bootstrap, user):
    """Decisions on one user's operations."""
    done = subprocess.run([PYTHON, HERE / "access_probe.py", bootstrap, user, USERS[user]], check=False,
                          capture_output=True, text=True, timeout=500)
    if done.returncode != 0:
        raise Failure(f"probe of {user} at {bootstrap}: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def mixed(decisions):
    """Whether some were allowed and some were not: otherwise nothing is proved."""
    denied = [said for said in decisions.values() if "AUTHORIZATION" in said]
    return len(decisions) >= 100 and len(decisions) - len(denied) >= 30 and len(denied) >= 30


def summary(decisions):
    """How many of each kind."""
    denied = sum("AUTHORIZATION" in said for said in decisions.values())
    return f"{len(decisions)} decisions, {denied} denied"


def compare(report, stage, expected, found):
    """Nothing may be decided otherwise than on legacy."""
    other = {what: f"{expected.get(what)} on legacy, {found.get(what)} here" for what in expected
             if expected.get(what) != found.get(what)}
    report.check(f"{stage}: every decision is legacy's", not other and len(found) == len(expected),
                 other or summary(found))


def secrets(report, sluice, all_of_them):
    """No password is in any file."""
    places = [path for path in sluice.folder.rglob("*") if path.is_file() and path.name != "sluice.toml"]
    found = [str(path) for path in places if any(each.encode() in path.read_bytes() for each in all_of_them)]
    report.check("passwords are in no log and no file of the data folder", not found, found or f"{len(places)} files")
